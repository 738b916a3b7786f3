package report_test

import (
	"bytes"
	"errors"
	"os"
	"regexp"
	"testing"
	"time"

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

	errRefused = errors.New("list pods with pod-template-hash=6fd8d747: connect to 10.0.0.1:443: connection refused")
)

// Crashed containers, worst first.
var (
	oom = checker.ContainerCrashes{
		Pod: "web-6fd8d747-abcde", UID: "1", Container: "app", Kind: checker.Main, Crashes: 3,
		Termination: &checker.Termination{ExitCode: 137, Signal: 9, Reason: "OOMKilled", FinishedAt: finished},
	}
	panicked = checker.ContainerCrashes{
		Pod: "web-6fd8d747-fghij", UID: "2", Container: "proxy", Kind: checker.Sidecar, Crashes: 1,
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

// failing returns the result of a run that ended with an error.
func failing(verdict runner.Verdict, cause runner.Cause, err error) report.Result {
	r := result(verdict, cause)
	r.Err = err
	return r
}

func invalid(errs ...string) report.Result {
	return report.Result{Outcome: runner.Outcome{Verdict: runner.Invalid}, Errors: errs}
}

// planned returns the result of a run that has not begun.
func planned(plan runner.Plan) report.Result {
	return report.Result{Outcome: runner.Outcome{Plan: plan, Selector: "pod-template-hash=6fd8d747"}, Namespace: "shop"}
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
