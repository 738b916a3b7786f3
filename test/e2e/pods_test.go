package e2e

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crashcheck/crashcheck/test/e2e/cluster"
)

const (
	rolloutsLabel   = "rollouts-pod-template-hash"
	deploymentLabel = "pod-template-hash"
)

// paperPod creates a pod that is not scheduled: its status is what the test writes.
func paperPod(t *testing.T, namespace, name string, labels map[string]string) *corev1.Pod {
	t.Helper()
	pod, err := createPaperPod(t.Context(), namespace, name, labels)
	if err != nil {
		t.Fatal("create a pod:", err)
	}
	return pod
}

// bulk makes these pods about as large as real ones, which have a longer specification and status.
var bulk = strings.Repeat("crashcheck ", 400)

func createPaperPod(ctx context.Context, namespace, name string, labels map[string]string) (*corev1.Pod, error) {
	return the.client.CoreV1().Pods(namespace).Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels, Annotations: map[string]string{"bulk": bulk}},
		Spec: corev1.PodSpec{
			SchedulerName: "nobody",
			Containers:    []corev1.Container{{Name: "main", Image: cluster.CrasherImage}},
		},
	}, metav1.CreateOptions{})
}

// setRestarts sets the restart count of the pod's container, which runs.
func setRestarts(t *testing.T, pod *corev1.Pod, restarts int32) {
	t.Helper()
	if err := patchRestarts(t.Context(), pod, restarts); err != nil {
		t.Fatal("write a pod's status:", err)
	}
}

func patchRestarts(ctx context.Context, pod *corev1.Pod, restarts int32) error {
	pod = pod.DeepCopy()
	pod.Status.Phase = corev1.PodRunning
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name:         "main",
		RestartCount: restarts,
		ContainerID:  fmt.Sprintf("containerd://%s-%d", pod.UID, restarts),
		State:        corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}},
	}}
	_, err := the.client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{})
	return err
}

// crashedPods creates many pods with this restart count, eight at a time.
func crashedPods(t *testing.T, namespace string, count int, labels map[string]string, restarts int32) {
	t.Helper()
	begun := time.Now()
	todo := make(chan int)
	faults := make(chan error, count)
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for i := range todo {
				pod, err := createPaperPod(t.Context(), namespace, fmt.Sprintf("pod-%05d", i), labels)
				if err == nil {
					err = patchRestarts(t.Context(), pod, restarts)
				}
				if err != nil {
					faults <- err
				}
			}
		})
	}
	for i := range count {
		todo <- i
	}
	close(todo)
	workers.Wait()
	close(faults)
	for err := range faults {
		t.Fatal("make a pod:", err)
	}
	t.Logf("%d pods made in %s", count, time.Since(begun).Round(100*time.Millisecond))
}

// deletePod deletes a pod without a grace period.
func deletePod(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	grace := int64(0)
	err := the.client.CoreV1().Pods(pod.Namespace).Delete(t.Context(), pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &grace})
	if err != nil {
		t.Fatal("delete a pod:", err)
	}
}
