package report_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/pkg/report"
	"github.com/crashcheck/crashcheck/pkg/runner"
)

// crashing is a release of two pods: the first one crashes every 20 s, and the second one once, after a minute.
type crashing struct{ start time.Time }

func (c crashing) List(_ context.Context, _ string, visit func(*corev1.Pod) error) error {
	at := time.Since(c.start)
	first := int32((at - time.Second) / (20 * time.Second)) // the kubelet reports a second later
	if err := visit(newPod("web-6fd8d747-246vx", first, time.Duration(first)*20*time.Second)); err != nil {
		return err
	}
	return visit(newPod("web-6fd8d747-4c5z2", int32(at/time.Minute), time.Minute))
}

// newPod returns a pod that is Ready after this number of crashes.
func newPod(name string, crashes int32, last time.Duration) *corev1.Pod {
	status := corev1.ContainerStatus{Name: "app", RestartCount: crashes, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}
	if crashes > 0 {
		status.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{
			ExitCode: 1, Reason: "Error", Message: "panic: no such table: orders\n", FinishedAt: metav1.NewTime(midnight.Add(last)),
			ContainerID: fmt.Sprint(name, crashes),
		}
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "shop", UID: types.UID(name)},
		Spec:       corev1.PodSpec{NodeName: "node-1", Containers: []corev1.Container{{Name: "app"}}},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning,
			Conditions: []corev1.PodCondition{
				{Type: corev1.PodReady, Status: corev1.ConditionTrue}, {Type: corev1.ContainersReady, Status: corev1.ConditionTrue},
			},
			ContainerStatuses: []corev1.ContainerStatus{status},
		},
	}
}

// logOf makes a run with a fresh checker, and returns its result and its log.
func logOf(t *testing.T, planned report.Result, opts checker.Options) (result report.Result, log string) {
	t.Helper()
	check, err := checker.New(crashing{time.Now()}, opts)
	if err != nil {
		t.Fatal(err)
	}
	result = planned
	log = record(report.LogOptions{Terminal: true}, func(log *report.Log) {
		log.Start("v0.1.0", planned)
		result.Outcome = runner.Run(t.Context(), planned.Plan, check, log.Observe)
		log.Close(result)
	})
	return result, log
}

func TestLogOfARun(t *testing.T) {
	const want = `00:00:00 INF crashcheck v0.1.0: watching pods with pod-template-hash=6fd8d747 in namespace shop
00:00:00 INF checking every 5s until 00:05:00; fails at 5 crashes
00:00:00 INF 2 pods found: web-6fd8d747-246vx, web-6fd8d747-4c5z2
00:00:25 WRN crash 1/5: web-6fd8d747-246vx/app: exit code 1: panic: no such table: orders
00:00:45 WRN crash 2/5: web-6fd8d747-246vx/app: exit code 1: panic: no such table: orders
00:01:00 WRN crash 3/5: web-6fd8d747-4c5z2/app: exit code 1: panic: no such table: orders
00:01:05 WRN crash 4/5: web-6fd8d747-246vx/app: exit code 1: panic: no such table: orders
00:01:25 WRN crash 5/5: web-6fd8d747-246vx/app: exit code 1: panic: no such table: orders
CRASHES  KIND  LAST CRASH  POD/CONTAINER           LAST TERMINATION
4        main  00:01:20    web-6fd8d747-246vx/app  exit code 1: panic: no such table: orders
1        main  00:01:00    web-6fd8d747-4c5z2/app  exit code 1: panic: no such table: orders
timeline: ......1....1...11....1 (4s per character; digit or +: crashes, ?: not observed)
00:01:25 INF 18 checks in 1m25s, 2 pods seen
00:01:25 INF logs: kubectl -n shop logs web-6fd8d747-246vx -c app --previous
00:01:25 ERR FAIL (exit code 1): 5 crashes in 2 of 2 pods, limit 5; worst: web-6fd8d747-246vx/app (4 crashes, exit code 1)
`
	synctest.Test(t, func(t *testing.T) {
		selector := labels.SelectorFromSet(labels.Set{"pod-template-hash": "6fd8d747"})
		if _, got := logOf(t, planned(fiveMinutes), checker.Options{Selectors: []labels.Selector{selector}}); got != want {
			t.Errorf("got:\n%s\nwant:\n%s", got, want)
		}
	})
}

// shop is a deployment that is paused at first, and superseded at the end.
type shop struct{ resolved int }

func (*shop) String() string { return "deployment/shop" }

func (s *shop) Resolve(context.Context) (checker.Version, error) {
	if s.resolved++; s.resolved < 3 {
		return checker.Version{Pending: "deployment shop is paused"}, nil
	}
	return checker.Version{Name: "6fd8d747", Selector: labels.Set{"pod-template-hash": "6fd8d747"}.AsSelector(), Source: "ReplicaSet shop-6fd8d747"}, nil
}

func (*shop) Superseded(context.Context) (string, error) {
	return "superseded by 7c9d8b6f55; checked 6fd8d747", nil
}

func TestTheVersionOfAWorkloadIsNamedEverywhere(t *testing.T) {
	for _, test := range []struct {
		claim                  string
		checks                 int64
		log, selector, message string
	}{
		{"it becomes known", 4, `00:00:00 INF crashcheck v0.1.0: watching deployment/shop in namespace shop
00:00:00 INF checking every 5s until 00:00:15, 4 checks; fails at 2 crashes
00:00:00 WRN the version to check is not known yet: deployment shop is paused
00:00:10 INF checking version 6fd8d747: pods with pod-template-hash=6fd8d747
00:00:10 INF 2 new pods: web-6fd8d747-246vx, web-6fd8d747-4c5z2
00:00:15 INF 4 checks in 15s, 2 pods seen
00:00:15 INF no verdict was reached: do not promote; run the gate again to check the current version
00:00:15 ERR INCONCLUSIVE (exit code 3): superseded by 7c9d8b6f55; checked 6fd8d747
`, "pod-template-hash=6fd8d747", "INCONCLUSIVE: superseded by 7c9d8b6f55; checked 6fd8d747\n- checked version 6fd8d747 of deployment/shop"},
		{"it does not", 2, `00:00:00 INF crashcheck v0.1.0: watching deployment/shop in namespace shop
00:00:00 INF checking every 5s until 00:00:05, 2 checks; fails at 2 crashes
00:00:00 WRN the version to check is not known yet: deployment shop is paused
00:00:05 INF 2 checks in 5s, no pods seen
00:00:05 INF no verdict was reached: do not promote; details: kubectl -n shop describe deployment/shop
00:00:05 ERR INCONCLUSIVE (exit code 3): the version to check is not known: deployment shop is paused
`, "", "INCONCLUSIVE: the version to check is not known: deployment shop is paused"},
	} {
		t.Run(test.claim, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				plan := runner.Plan{Interval: 5 * time.Second, Count: test.checks, CrashLimit: 2, MinPods: 1, APIGrace: time.Minute}
				planned := report.Result{Outcome: runner.Outcome{Plan: plan}, Namespace: "shop", Workload: "deployment/shop"}
				result, log := logOf(t, planned, checker.Options{Workload: &shop{}, CrashLimit: plan.CrashLimit})
				if log != test.log {
					t.Errorf("got the log\n%s\nwant\n%s", log, test.log)
				}
				want := fmt.Sprintf(`"workload":"deployment/shop","selector":%q,`, test.selector)
				if line := string(report.JSONLine(result)); !strings.Contains(line, want) {
					t.Errorf("got the line %s\nwant %s", line, want)
				}
				if got := report.TerminationMessage(result); got != test.message {
					t.Errorf("got the termination message\n%s\nwant\n%s", got, test.message)
				}
			})
		})
	}
}
