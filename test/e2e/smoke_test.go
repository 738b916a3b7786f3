package e2e

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crashcheck/crashcheck/test/e2e/cluster"
)

// These show that the cluster itself is what the other tests take it for.

func TestNodeRunsPodsAndReportsTheirCrashes(t *testing.T) {
	needsLocalImages(t)
	t.Parallel()
	namespace := newNamespace(t, nil)
	pods := the.client.CoreV1().Pods(namespace)
	_, err := pods.Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "crasher"},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name:            "main",
			Image:           cluster.CrasherImage,
			ImagePullPolicy: corev1.PullNever,
			Env:             []corev1.EnvVar{{Name: "AFTER", Value: "100ms"}, {Name: "CODE", Value: "7"}},
		}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the pod has crashed twice with exit code 7", patience, func(ctx context.Context) error {
		pod, err := pods.Get(ctx, "crasher", metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, status := range pod.Status.ContainerStatuses {
			if last := status.LastTerminationState.Terminated; status.RestartCount > 0 && last != nil && last.ExitCode == 7 {
				return nil
			}
		}
		return fmt.Errorf("the status is %+v", pod.Status)
	})
}

func TestListsComeInPages(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t, nil)
	crashedPods(t, namespace, 20, nil, 1)
	page, err := the.client.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{Limit: 7})
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Items) != 7 || page.Continue == "" {
		t.Fatalf("asked for 7 pods of 20: got %d, continue token %q", len(page.Items), page.Continue)
	}
}
