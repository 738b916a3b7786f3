package e2e

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crashcheck/crashcheck/test/e2e/gate"
)

func wantCounts(t *testing.T, result gate.Result, crashes, pods int64) {
	t.Helper()
	if result.Report.Crashes != crashes || result.Report.Pods != pods {
		t.Errorf("want %d crashes of %d pods, got %d of %d\n%s",
			crashes, pods, result.Report.Crashes, result.Report.Pods, result)
	}
}

func wantSelector(t *testing.T, result gate.Result, selector string) {
	t.Helper()
	if result.Report.Selector != selector {
		t.Errorf("want the selector %q, got %q", selector, result.Report.Selector)
	}
}

// latest returns the current state of the pod.
func latest(t *testing.T, namespace, name string) *corev1.Pod {
	t.Helper()
	pod, err := the.client.CoreV1().Pods(namespace).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return pod
}
