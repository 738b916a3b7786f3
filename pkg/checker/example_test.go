package checker_test

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/crashcheck/crashcheck/pkg/checker"
)

// One check of the pods that a selector matches.
func ExampleChecker_Check() {
	client := fake.NewClientset(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web-1", Namespace: "prod", UID: "1", Labels: map[string]string{"app": "web"}},
		Status:     corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "app", RestartCount: 2}}},
	})
	check, err := checker.New(checker.FromClientset(client.CoreV1().Pods("prod")), checker.Options{
		Selectors: []labels.Selector{labels.Set{"app": "web"}.AsSelector()},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	tally, err := check.Check(context.Background(), false)
	fmt.Println(tally.Pods, "pod,", tally.Crashes, "crashes, error:", err)
	// Output: 1 pod, 2 crashes, error: <nil>
}

// The ledger alone: pods in, numbers out. The crash counts when it happens, not when restartCount shows it.
func ExampleLedger() {
	ledger := checker.NewLedger(checker.Ignore{Containers: []string{"istio-proxy"}})
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web-1", UID: "1"}}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "app", RestartCount: 1, ContainerID: "containerd://b",
		State:                corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
		LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ContainerID: "containerd://b", ExitCode: 1}},
	}}
	ledger.Record(pod)
	fmt.Println("in back-off:", ledger.Total())

	pod.Status.ContainerStatuses[0] = corev1.ContainerStatus{
		Name: "app", RestartCount: 2, ContainerID: "containerd://c",
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
	}
	ledger.Record(pod)
	fmt.Println("restarted:", ledger.Total())
	// Output:
	// in back-off: 2
	// restarted: 2
}
