package report_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"regexp"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/pkg/report"
	"github.com/crashcheck/crashcheck/pkg/runner"
)

func TestMain(m *testing.M) {
	time.Local = time.UTC // the log shows local time
	os.Exit(m.Run())
}

var (
	// midnight is the time at which synctest bubbles begin.
	midnight = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)
	finished = midnight.Add(-2 * time.Second)

	fiveMinutes = runner.Plan{Interval: 5 * time.Second, Duration: 5 * time.Minute, CrashLimit: 5, MinPods: 1, APIGrace: time.Minute}
)

// Crashed containers, worst first.
var (
	oom = checker.ContainerCrashes{
		Pod: "web-6fd8d747-abcde", UID: "1", Container: "app", Kind: checker.Main, Crashes: 3,
		Termination: &checker.Termination{ExitCode: 137, Signal: 9, Reason: "OOMKilled", FinishedAt: finished},
	}
	panicked = checker.ContainerCrashes{
		Pod: "web-6fd8d747-fghij", UID: "2", Container: "proxy", Kind: checker.Sidecar, Crashes: 1, Waiting: true,
		Termination: &checker.Termination{ExitCode: 2, Reason: "Error", Message: "panic: no such table: orders\n\ngoroutine 1 [running]:\nmain.main()\n", FinishedAt: finished},
	}
	evicted = checker.ContainerCrashes{
		Pod: "web-6fd8d747-klmno", UID: "3", Kind: checker.Pod, Crashes: 1,
		Termination: &checker.Termination{Reason: "Evicted", Message: `Usage of EmptyDir volume "data" exceeds the limit "1Mi". `},
	}
)

// outcome is that of a run of five minutes.
func outcome(verdict runner.Verdict, cause runner.Cause, containers ...checker.ContainerCrashes) runner.Outcome {
	o := runner.Outcome{
		Plan: fiveMinutes, Verdict: verdict, Cause: cause, Start: midnight, Elapsed: 5*time.Minute + 1234567*time.Microsecond, LongestGap: 5002400 * time.Microsecond,
		Checks: 61, Pods: 3, MostPods: 2, MostRan: 2, Selector: "pod-template-hash=6fd8d747", Containers: containers,
		Last: checker.Tally{Pods: 2, Ran: 2, Present: 2, Active: 2},
	}
	for _, c := range containers {
		o.Crashes += c.Crashes
	}
	return o
}

func result(verdict runner.Verdict, cause runner.Cause, containers ...checker.ContainerCrashes) report.Result {
	return report.Result{Outcome: outcome(verdict, cause, containers...), Namespace: "shop"}
}

func invalid(errs ...string) report.Result {
	return report.Result{Outcome: runner.Outcome{Verdict: runner.Invalid}, Errors: errs}
}

// record returns what a log prints.
func record(opts report.LogOptions, tell func(*report.Log)) string {
	var out bytes.Buffer
	tell(report.NewLog(&out, opts))
	return out.String()
}

// withoutTimes removes the time of each line that has one.
func withoutTimes(log string) string {
	return regexp.MustCompile(`(?m)^\d{4}-\d\d-\d\dT\S+ `).ReplaceAllString(log, "")
}

// lister lists the pods that a cluster has at a time since the start of a run.
type lister struct {
	start time.Time
	at    func(time.Duration) []*corev1.Pod
}

func (l lister) List(_ context.Context, _ string, visit func(*corev1.Pod) error) error {
	for _, pod := range l.at(time.Since(l.start)) {
		if err := visit(pod); err != nil {
			return err
		}
	}
	return nil
}

// planned returns the result of a run that has not begun.
func planned(plan runner.Plan) report.Result {
	return report.Result{Outcome: runner.Outcome{Plan: plan, Selector: "pod-template-hash=6fd8d747"}, Namespace: "shop"}
}

// runLog makes a whole run, in a synctest bubble, and returns its log.
func runLog(t *testing.T, plan runner.Plan, at func(time.Duration) []*corev1.Pod) string {
	t.Helper()
	check, err := checker.New(lister{time.Now(), at}, checker.Options{Selectors: []labels.Selector{labels.SelectorFromSet(labels.Set{"pod-template-hash": "6fd8d747"})}})
	if err != nil {
		t.Fatal(err)
	}
	return record(report.LogOptions{Terminal: true}, func(log *report.Log) {
		log.Start("v0.1.0", planned(plan))
		log.Close(report.Result{Outcome: runner.Run(t.Context(), plan, check, log.Observe), Namespace: "shop"})
	})
}

// newPod returns a pod with one running container that is Ready.
func newPod(name string, change func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "shop", UID: types.UID(name)},
		Spec:       corev1.PodSpec{NodeName: "node-1", Containers: []corev1.Container{{Name: "app"}}},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning,
			Conditions: []corev1.PodCondition{
				{Type: corev1.PodReady, Status: corev1.ConditionTrue}, {Type: corev1.ContainersReady, Status: corev1.ConditionTrue},
			},
			ContainerStatuses: []corev1.ContainerStatus{{Name: "app", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}},
		},
	}
	if change != nil {
		change(pod)
	}
	return pod
}

var errRefused = errors.New("list pods with pod-template-hash=6fd8d747: connect to 10.0.0.1:443: connection refused")
