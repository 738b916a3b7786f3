package report_test

import (
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/pkg/report"
	"github.com/crashcheck/crashcheck/pkg/runner"
)

func TestReason(t *testing.T) {
	imagePull := checker.CannotStart{Pod: "web-1", Container: "app", Reason: "ImagePullBackOff", Message: `Back-off pulling image "web:2"`}
	unschedulable := checker.CannotStart{Pod: "web-2", Reason: "Unschedulable", Message: "0/3 nodes are available: insufficient memory."}
	preempted := &checker.PodFailure{Pod: "web-0", Reason: "Preempting", Message: "Preempted in order to admit critical pod"}
	node := func(pod, node string) checker.UnreportedPod { return checker.UnreportedPod{Pod: pod, Node: node} }
	errDenied := errors.New("403 Forbidden: pods is forbidden")

	for _, test := range []struct {
		claim  string
		of     runner.Outcome
		change func(*runner.Outcome)
		want   string
	}{
		{"pass", outcome(runner.Pass, ""), nil, "no crashes within 5m1s, limit 5"},
		{"pass with crashes that were there at the start", outcome(runner.Pass, "", panicked), func(o *runner.Outcome) { o.AtStart = 1 },
			"1 crash in 1 of 3 pods (1 found at the first check) within 5m1s, limit 5"},
		{"pass without any pod (MIN_PODS=0)", outcome(runner.Pass, ""), func(o *runner.Outcome) { o.MostPods, o.Last = 0, checker.Tally{} },
			"no crashes within 5m1s, limit 5; no pod matched pod-template-hash=6fd8d747"},
		{"pass after all pods have gone (MIN_PODS=0)", outcome(runner.Pass, ""), func(o *runner.Outcome) { o.GoneSince, o.Last = 90*time.Second, checker.Tally{} },
			"no crashes within 5m1s, limit 5; no pods remained at the final check (none since 00:01:30)"},
		{"pass after all pods have succeeded", outcome(runner.Pass, ""), func(o *runner.Outcome) { o.Last = checker.Tally{Pods: 2, Ran: 2, Present: 2} }, "no crashes within 5m1s, limit 5"},
		{"pass with a pod that cannot start", outcome(runner.Pass, ""), func(o *runner.Outcome) {
			o.Last = checker.Tally{Pods: 3, Active: 3, Present: 2, NotRun: []string{"web-1"}, NotReady: []string{"web-1"}, CannotStart: []checker.CannotStart{imagePull}}
		}, `no crashes within 5m1s, limit 5; web-1/app cannot start: ImagePullBackOff: Back-off pulling image "web:2"`},
		{"pass with a pod that is starting", outcome(runner.Pass, ""), func(o *runner.Outcome) {
			o.Last = checker.Tally{Pods: 3, Active: 3, Present: 2, NotRun: []string{"web-1"}, NotReady: []string{"web-1"}}
		}, "no crashes within 5m1s, limit 5; web-1 was still starting at the final check"},
		{"pass with a pod that is not observed, and another one that is not Ready", outcome(runner.Pass, ""), func(o *runner.Outcome) {
			o.Last = checker.Tally{Pods: 3, Active: 3, Present: 2, Unreported: []checker.UnreportedPod{node("web-1", "node-1")}, NotReady: []string{"web-1", "web-2"}}
		}, "no crashes within 5m1s, limit 5; the node of 1 of 3 pods has stopped reporting: node-1; 1 of 3 pods was not Ready at the final check: web-2"},

		{"fail", outcome(runner.Fail, "", oom, panicked), nil, "4 crashes in 2 of 3 pods, limit 5; worst: web-6fd8d747-abcde/app (3 crashes, exit code 137, signal 9 (OOMKilled))"},

		{"not ready", outcome(runner.NotReady, runner.PodsNotReady), func(o *runner.Outcome) { o.Last.NotReady = []string{"web-1", "web-2"} },
			"no crashes within 5m1s, limit 5; 2 of 2 pods were not Ready at the final check: web-1, web-2"},
		{"not ready, because a container cannot start", outcome(runner.NotReady, runner.PodsNotReady), func(o *runner.Outcome) {
			o.Last.NotReady, o.Last.CannotStart = []string{"web-1"}, []checker.CannotStart{imagePull}
		}, `no crashes within 5m1s, limit 5; 1 of 2 pods was not Ready at the final check: web-1; web-1/app cannot start: ImagePullBackOff: Back-off pulling image "web:2"`},
		{"none that could be ready", outcome(runner.NotReady, runner.NoneToJudge), nil, "no crashes within 5m1s, limit 5; no pod that could be Ready remained at the final check"},

		{"never matched", outcome(runner.Inconclusive, runner.NeverMatched), nil, "no pod matched pod-template-hash=6fd8d747"},
		{"no baseline", outcome(runner.Inconclusive, runner.NoBaseline), nil, "only the final check could list the pods; BASELINE=start needs an earlier check to compare it with"},
		{"never ran: an image cannot be pulled", outcome(runner.Inconclusive, runner.NeverRan), func(o *runner.Outcome) {
			o.MostRan, o.Last = 0, checker.Tally{Pods: 2, Active: 2, NotRun: []string{"web-1", "web-2"}, CannotStart: []checker.CannotStart{imagePull, unschedulable}}
		}, `no pod ran; web-1/app cannot start: ImagePullBackOff: Back-off pulling image "web:2" (1 more cannot start)`},
		{"never ran: unschedulable", outcome(runner.Inconclusive, runner.NeverRan), func(o *runner.Outcome) {
			o.MostRan, o.Last = 0, checker.Tally{Pods: 1, Active: 1, NotRun: []string{"web-2"}, CannotStart: []checker.CannotStart{unschedulable}}
		}, "no pod ran; pod web-2 cannot start: Unschedulable: 0/3 nodes are available: insufficient memory"},
		{"never ran: still starting, after crashes of an init container", outcome(runner.Inconclusive, runner.NeverRan, panicked), func(o *runner.Outcome) {
			o.MostRan, o.Last = 0, checker.Tally{Pods: 2, Active: 2, NotRun: []string{"web-1", "web-2"}}
		}, "no pod ran; web-1, web-2 were still starting at the final check; 1 crash in 1 of 3 pods, limit 5"},
		{"never ran: too few", outcome(runner.Inconclusive, runner.NeverRan), func(o *runner.Outcome) { o.MostRan, o.Plan.MinPods = 1, 2 }, "at most 1 pod ran at the same time, MIN_PODS is 2"},
		{"never ran: not admitted", outcome(runner.Inconclusive, runner.NeverRan), func(o *runner.Outcome) {
			o.MostRan, o.LastFailure, o.Last = 0, preempted, checker.Tally{Pods: 1, PodsFailed: 1}
		}, "no pod ran; pod web-0 failed: Preempting: Preempted in order to admit critical pod"},
		{"never ran: a pod that failed is gone", outcome(runner.Inconclusive, runner.NeverRan), func(o *runner.Outcome) { o.MostRan, o.LastFailure, o.Last = 0, preempted, checker.Tally{} }, "no pod ran"},
		{"gone", outcome(runner.Inconclusive, runner.Gone, oom), func(o *runner.Outcome) { o.GoneSince, o.Last = 90*time.Second, checker.Tally{} },
			"no pods remained at the final check (none since 00:01:30); 3 crashes in 1 of 3 pods, limit 5"},
		{"gone, but some are still listed", outcome(runner.Inconclusive, runner.Gone), func(o *runner.Outcome) {
			o.GoneSince, o.LastFailure = 90*time.Second, preempted
			o.Last = checker.Tally{Pods: 4, Deleted: 2, PodsFailed: 1, Active: 1, NotRun: []string{"web-1"}, CannotStart: []checker.CannotStart{imagePull}}
		}, "no running pods remained at the final check (none since 00:01:30; 2 being deleted, 1 failed, 1 not started); " +
			`web-1/app cannot start: ImagePullBackOff: Back-off pulling image "web:2"; pod web-0 failed: Preempting: Preempted in order to admit critical pod`},
		{"one node that has stopped reporting", outcome(runner.Inconclusive, runner.Unreported, panicked), func(o *runner.Outcome) {
			o.Last.Unreported = []checker.UnreportedPod{node("web-1", "node-1"), node("web-2", "node-1")}
		}, "the node of 2 of 2 pods has stopped reporting: node-1; 1 crash in 1 of 3 pods, limit 5"},
		{"two nodes that have stopped reporting", outcome(runner.Inconclusive, runner.Unreported), func(o *runner.Outcome) {
			o.Last.Unreported = []checker.UnreportedPod{node("web-1", "node-1"), node("web-2", "node-2")}
		}, "the nodes of 2 of 2 pods have stopped reporting: node-1, node-2"},
		{"aborted", outcome(runner.Inconclusive, runner.Aborted), func(o *runner.Outcome) { o.Version.Aborted = "rollout shop was aborted" }, "rollout shop was aborted"},
		{"without a version", outcome(runner.Inconclusive, runner.NoVersion), func(o *runner.Outcome) { o.Version.Pending = "deployment shop is paused" },
			"the version to check is not known: deployment shop is paused"},
		{"superseded", outcome(runner.Inconclusive, runner.Superseded, panicked), func(o *runner.Outcome) { o.Last.Superseded = "deployment shop was deleted" },
			"deployment shop was deleted; 1 crash in 1 of 3 pods, limit 5"},
		{"rejected", outcome(runner.Inconclusive, runner.Rejected), func(o *runner.Outcome) { o.Err = errors.New("400 Bad Request") }, "the API server rejects the request: 400 Bad Request"},
		{"denied", outcome(runner.Inconclusive, runner.Denied), func(o *runner.Outcome) { o.Err = errDenied }, "the API server denies access: 403 Forbidden: pods is forbidden"},
		{"never observed", outcome(runner.Inconclusive, runner.Unobserved), func(o *runner.Outcome) { o.Err, o.Checks, o.Failures = errRefused, 0, 12 },
			"the pods were never observed in 5m1s (12 failures, API_GRACE 1m): " + errRefused.Error()},
		{"never observed: the version was not known before", outcome(runner.Inconclusive, runner.Unobserved), func(o *runner.Outcome) {
			o.Err, o.Failures, o.Last = errRefused, 12, checker.Tally{Version: checker.Version{Pending: "deployment shop is paused"}}
		}, "the pods were never observed in 5m1s (12 failures, API_GRACE 1m): " + errRefused.Error()},
		{"no longer observed", outcome(runner.Inconclusive, runner.Unobserved, oom), func(o *runner.Outcome) { o.Err, o.LastSuccess, o.Failures = errRefused, 4*time.Minute, 1 },
			"the pods were not observed in the last 1m1s (1 failure, API_GRACE 1m): " + errRefused.Error() + "; 3 crashes in 1 of 3 pods, limit 5"},
		{"inconclusive for an unknown cause", outcome(runner.Inconclusive, ""), nil, "no verdict about the release"},

		{"interrupted by a signal", outcome(runner.Interrupted, ""), func(o *runner.Outcome) { o.Err = runner.SignalError{Signal: syscall.SIGTERM} },
			"ended by SIGTERM after 5m1s, before a verdict about the release was reached; no crashes, limit 5"},
		{"interrupted before the first check", outcome(runner.Interrupted, ""), func(o *runner.Outcome) { o.Err, o.Checks = runner.SignalError{Signal: syscall.SIGINT}, 0 },
			"ended by SIGINT before the first successful check"},
		{"interrupted by a program", outcome(runner.Interrupted, ""), func(o *runner.Outcome) { o.Err = errors.New("context canceled") },
			"context canceled after 5m1s, before a verdict about the release was reached; no crashes, limit 5"},

		{"invalid", runner.Outcome{Verdict: runner.Invalid, Err: errors.New("no cluster")}, nil, "no cluster"},
		{"no verdict at all", runner.Outcome{}, nil, "no verdict about the release"},
	} {
		t.Run(test.claim, func(t *testing.T) {
			if test.change != nil {
				test.change(&test.of)
			}
			if got := report.Reason(test.of); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}
