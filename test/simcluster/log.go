package simcluster

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// readLog serves the log of a container's latest run, or with previous=true of the latest run that has ended before it.
func (s *Server) readLog(w http.ResponseWriter, r *http.Request) {
	namespace, name, query := r.PathValue("namespace"), r.PathValue("name"), r.URL.Query()
	pods, _ := s.store.pods(s.Now())
	i := slices.IndexFunc(pods, func(pod corev1.Pod) bool { return pod.Namespace == namespace && pod.Name == name })
	if i < 0 {
		s.writeError(w, r, apierrors.NewNotFound(corev1.Resource("pods"), name))
		return
	}
	lines, err := logLines(&pods[i], query.Get("container"), query.Get("previous") == "true")
	if err != nil {
		s.writeError(w, r, apierrors.NewBadRequest(err.Error()))
		return
	}
	if tail := query.Get("tailLines"); tail != "" {
		count, err := strconv.Atoi(tail)
		if err != nil || count < 0 {
			s.writeError(w, r, apierrors.NewBadRequest(fmt.Sprintf("tailLines: invalid value %q", tail)))
			return
		}
		lines = lines[max(0, len(lines)-count):]
	}
	w.Header().Set("Content-Type", "text/plain")
	for _, line := range lines {
		fmt.Fprintln(w, line)
	}
}

// logLines derives the log of a container from its status, so that pods of every origin have one.
func logLines(pod *corev1.Pod, container string, previous bool) ([]string, error) {
	statuses := slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses)
	if container == "" && len(pod.Spec.Containers) > 0 {
		container = pod.Spec.Containers[0].Name
	}
	i := slices.IndexFunc(statuses, func(status corev1.ContainerStatus) bool { return status.Name == container })
	if i < 0 {
		return nil, fmt.Errorf("container %s is not valid for pod %s", container, pod.Name)
	}
	state, last := statuses[i].State, statuses[i].LastTerminationState.Terminated
	switch {
	case previous && last == nil:
		return nil, fmt.Errorf("previous terminated container %q in pod %q not found", container, pod.Name)
	case !previous && state.Running != nil:
		return work(state.Running.StartedAt.Time), nil
	case !previous && state.Terminated != nil:
		last = state.Terminated
	case last == nil:
		return nil, fmt.Errorf("container %q in pod %q is waiting to start", container, pod.Name)
	}
	lines := work(last.StartedAt.Time)
	if last.Message != "" {
		lines = append(lines, strings.Split(last.Message, "\n")...)
	}
	return append(lines, fmt.Sprintf("%s fatal: exiting with code %d", last.FinishedAt.UTC().Format(time.RFC3339), last.ExitCode)), nil
}

func work(started time.Time) []string {
	date := started.UTC().Format(time.RFC3339)
	return []string{
		date + " info: starting, version 1",
		date + " info: reading /etc/app/config.yaml",
		date + " info: connecting to the database",
	}
}
