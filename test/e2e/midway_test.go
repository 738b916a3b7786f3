package e2e

import (
	"context"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/crashcheck/crashcheck/test/e2e/gate"
)

// These tests change something while the gate runs on a real node.

func TestDeletedPodKeepsItsCrashes(t *testing.T) {
	needsLocalImages(t)
	t.Parallel()
	namespace := newNamespace(t, nil)
	hash := deploy(t, namespace, 1, mains(container("main", ends("1s", "1"))))
	first := podsWithHash(t, namespace, hash)[0]
	startJob(t, namespace, map[string]string{"HASH": hash, "INTERVAL": "1", "DURATION": "300", "CRASH_LIMIT": "4"})
	jobLogged(t, namespace, "2/4")
	deletePod(t, &first)
	result := finishJob(t, namespace, 3*time.Minute)
	if result.ExitCode != gate.Fail || result.Report.Crashes < 4 || result.Report.Pods != 2 {
		t.Errorf("want a fail with 4 crashes of 2 pods, got\n%s", result)
	}
	if names := crashedPodNames(result.Report); !names[first.Name] {
		t.Errorf("the deleted pod %s is not among the crashed ones\n%s", first.Name, result)
	}
}

func TestDeletedJobEndsAtOnce(t *testing.T) {
	needsLocalImages(t)
	t.Parallel()
	namespace := newNamespace(t, nil)
	hash := deploy(t, namespace, 1, mains(container("main")))
	startJob(t, namespace, map[string]string{"HASH": hash, "INTERVAL": "1", "DURATION": "300", "CRASH_LIMIT": "1", "DEBUG": "1"})
	// The gate has started to check.
	jobLogged(t, namespace, hash)
	pod := jobPod(t, namespace)

	watcher, err := the.client.CoreV1().Pods(namespace).Watch(t.Context(), metav1.ListOptions{
		FieldSelector: "metadata.name=" + pod.Name, ResourceVersion: pod.ResourceVersion,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Stop()
	background := metav1.DeletePropagationBackground
	err = the.client.BatchV1().Jobs(namespace).Delete(t.Context(), shippedJob, metav1.DeleteOptions{PropagationPolicy: &background})
	if err != nil {
		t.Fatal("delete the Job:", err)
	}
	ended, took, err := terminationOf(watcher)
	if err != nil {
		t.Fatal(err)
	}
	// crashcheck exited itself. Otherwise the kubelet would have killed it after its grace period (exit code 137).
	if ended.ExitCode != 143 {
		t.Errorf("want exit code 143, got %+v", ended)
	}
	t.Logf("gone %s after the mark for deletion: %s", took.Round(time.Millisecond), ended.Message)
}

// terminationOf watches a pod until it is gone. It returns how its container terminated, and the time since the pod was
// marked for deletion.
func terminationOf(watcher watch.Interface) (*corev1.ContainerStateTerminated, time.Duration, error) {
	var ended *corev1.ContainerStateTerminated
	var marked time.Time
	deadline := time.After(patience)
	for {
		select {
		case event, open := <-watcher.ResultChan():
			if !open {
				return nil, 0, errors.New("the watch has ended")
			}
			pod, isPod := event.Object.(*corev1.Pod)
			if !isPod {
				return nil, 0, errors.New("the watch has failed")
			}
			if marked.IsZero() && pod.DeletionTimestamp != nil {
				marked = time.Now()
			}
			for _, status := range pod.Status.ContainerStatuses {
				if status.State.Terminated != nil {
					ended = status.State.Terminated
				}
			}
			if event.Type == watch.Deleted {
				if ended == nil {
					return nil, 0, errors.New("the pod is gone, and has shown no end of its container")
				}
				return ended, time.Since(marked), nil
			}
		case <-deadline:
			return nil, 0, context.DeadlineExceeded
		}
	}
}

func podsWithHash(t *testing.T, namespace, hash string) []corev1.Pod {
	t.Helper()
	pods, err := the.client.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: deploymentLabel + "=" + hash})
	if err != nil || len(pods.Items) == 0 {
		t.Fatalf("list the pods of %s: %d, %v", hash, len(pods.Items), err)
	}
	return pods.Items
}

func crashedPodNames(report gate.Report) map[string]bool {
	names := map[string]bool{}
	for _, c := range report.Containers {
		names[c.Pod] = true
	}
	return names
}
