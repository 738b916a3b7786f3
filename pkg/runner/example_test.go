package runner_test

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/pkg/runner"
)

// Check a release from a Go test. A real clientset works in the same way as this fake one.
func Example() {
	client := fake.NewClientset(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web-6fd8d747-x2x", Namespace: "prod", UID: "1", Labels: map[string]string{"pod-template-hash": "6fd8d747"}},
		Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
			Name: "app", RestartCount: 2,
			State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}},
		}}},
	})
	check, err := checker.New(checker.FromClientset(client.CoreV1().Pods("prod")), checker.Options{
		Selectors: []labels.Selector{labels.Set{"pod-template-hash": "6fd8d747"}.AsSelector()},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	outcome := runner.Run(context.Background(), runner.Plan{
		Interval: 5 * time.Second, Duration: 5 * time.Minute, CrashLimit: 3, MinPods: 1, APIGrace: time.Minute,
	}, check, nil)
	fmt.Println(outcome.Verdict)
	for _, c := range outcome.Containers {
		fmt.Printf("%s/%s: %d crashes, the last with %s\n", c.Pod, c.Container, c.Crashes, c.Termination)
	}
	// Output:
	// fail
	// web-6fd8d747-x2x/app: 3 crashes, the last with exit code 137 (OOMKilled)
}
