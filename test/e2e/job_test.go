package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/crashcheck/crashcheck/test/e2e/cluster"
	"github.com/crashcheck/crashcheck/test/e2e/gate"
)

// Names that deploy/base ships.
const (
	shippedJob       = "rollout-crashcheck-job"
	shippedContainer = "crashcheck"
)

// jobResult is the visible result of a finished Job.
type jobResult struct {
	Complete bool
	ExitCode int32
	// Message is the termination message.
	Message string
	Log     string
	Report  gate.Report
}

func (r jobResult) String() string {
	return fmt.Sprintf("complete: %t, exit code %d\ntermination message:\n%s\nlog:\n%s", r.Complete, r.ExitCode, r.Message, r.Log)
}

// startJob applies deploy/base as a user does: from an overlay, with these variables, and with the changes that this
// cluster needs.
func startJob(t *testing.T, namespace string, environment map[string]string, components ...string) {
	t.Helper()
	apply(t, namespace, kubectl(t, nil, "kustomize", overlayWith(t, namespace, "base", components, jobPatch(t, environment))))
}

// overlay writes a kustomization over a folder of deploy, and returns its own folder.
func overlay(t *testing.T, namespace, folder string, patches ...map[string]any) string {
	t.Helper()
	return overlayWith(t, namespace, folder, nil, patches...)
}

// overlayWith is overlay with components of deploy/components.
func overlayWith(t *testing.T, namespace, folder string, components []string, patches ...map[string]any) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	// kustomize does not accept an absolute path here.
	relative := func(folder string) string {
		path, err := filepath.Rel(dir, filepath.Join(deployFolder(t), folder))
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	chosen := []string{}
	for _, component := range components {
		chosen = append(chosen, relative("components/"+component))
	}
	name, tag, _ := strings.Cut(cluster.GateImage, ":")
	data, err := yaml.Marshal(map[string]any{
		"apiVersion": "kustomize.config.k8s.io/v1beta1",
		"kind":       "Kustomization",
		"namespace":  namespace,
		"resources":  []string{relative(folder)},
		"components": chosen,
		"images":     []any{map[string]string{"name": "registry.example.com/crashcheck", "newName": name, "newTag": tag}},
		"patches":    patches,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), data, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// jobPatch replaces the environment of the Job's container and lets it reach
// an API server that is on loopback.
func jobPatch(t *testing.T, environment map[string]string) map[string]any {
	t.Helper()
	const podSpec = "/spec/template/spec"
	variables := []corev1.EnvVar{}
	for name, value := range environment {
		variables = append(variables, corev1.EnvVar{Name: name, Value: value})
	}
	variables = append(variables, loopbackEnv()...)
	return patch(t, "Job", "", []map[string]any{
		{"op": "replace", "path": podSpec + "/containers/0/env", "value": variables},
		{"op": "add", "path": podSpec + "/containers/0/imagePullPolicy", "value": "Never"},
		{"op": "add", "path": podSpec + "/hostNetwork", "value": the.loopbackPort != ""},
	})
}

// patch returns a patch for a kustomization: for all objects of a kind, or only the one with a name.
func patch(t *testing.T, kind, name string, operations []map[string]any) map[string]any {
	t.Helper()
	data, err := json.Marshal(operations)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{"target": map[string]string{"kind": kind, "name": name}, "patch": string(data)}
}

// loopbackEnv overrides the variables that the kubelet injects.
func loopbackEnv() []corev1.EnvVar {
	if the.loopbackPort == "" {
		return nil
	}
	return []corev1.EnvVar{
		{Name: "KUBERNETES_SERVICE_HOST", Value: "127.0.0.1"},
		{Name: "KUBERNETES_SERVICE_PORT", Value: the.loopbackPort},
	}
}

// finishJob waits until the shipped Job has finished, and returns its result.
func finishJob(t *testing.T, namespace string, within time.Duration) jobResult {
	t.Helper()
	var result jobResult
	eventually(t, "the Job has ended", within, func(ctx context.Context) error {
		job, err := the.client.BatchV1().Jobs(namespace).Get(ctx, shippedJob, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, condition := range job.Status.Conditions {
			if condition.Status != corev1.ConditionTrue {
				continue
			}
			switch condition.Type {
			case batchv1.JobComplete, batchv1.JobFailed:
				result.Complete = condition.Type == batchv1.JobComplete
				return nil
			}
		}
		return fmt.Errorf("the Job's status is %+v", job.Status)
	})
	pod := jobPod(t, namespace)
	for _, status := range pod.Status.ContainerStatuses {
		if ended := status.State.Terminated; ended != nil && status.Name == shippedContainer {
			result.ExitCode, result.Message = ended.ExitCode, ended.Message
		}
	}
	result.Log = jobLog(t, namespace)
	result.Report = reportIn(t, result.Log)
	return result
}

// reportIn finds the report in the log of a pod, which contains both streams.
func reportIn(t *testing.T, log string) gate.Report {
	t.Helper()
	var lines []string
	for line := range strings.Lines(log) {
		if strings.HasPrefix(line, "{") {
			lines = append(lines, line)
		}
	}
	report, err := gate.ParseReport(strings.Join(lines, ""))
	if err != nil {
		t.Fatalf("%v\nthe log is:\n%s", err, log)
	}
	return report
}

// jobPod is the one pod of the shipped Job.
func jobPod(t *testing.T, namespace string) corev1.Pod {
	t.Helper()
	pods, err := the.client.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: batchv1.JobNameLabel + "=" + shippedJob})
	if err != nil {
		t.Fatal(err)
	}
	if len(pods.Items) != 1 {
		t.Fatalf("the Job has %d pods, want 1", len(pods.Items))
	}
	return pods.Items[0]
}

// jobLog returns the log of the Job's pod so far, or the error.
func jobLog(t *testing.T, namespace string) string {
	t.Helper()
	pods, err := the.client.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: batchv1.JobNameLabel + "=" + shippedJob})
	if err != nil {
		return err.Error()
	}
	all := ""
	for _, pod := range pods.Items {
		log, err := the.client.CoreV1().Pods(namespace).GetLogs(pod.Name, &corev1.PodLogOptions{}).DoRaw(t.Context())
		all += string(log)
		if err != nil {
			all += err.Error()
		}
	}
	return all
}

// jobLogged waits until the Job's log has the text.
func jobLogged(t *testing.T, namespace, text string) {
	t.Helper()
	eventually(t, fmt.Sprintf("the Job's log says %q", text), patience, func(context.Context) error {
		if log := jobLog(t, namespace); !strings.Contains(log, text) {
			return fmt.Errorf("the log is:\n%s", log)
		}
		return nil
	})
}
