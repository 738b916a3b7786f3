package e2e

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crashcheck/crashcheck/test/e2e/cluster"
)

// This shows that the cluster works: if it fails, the failures of other tests mean nothing.

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
