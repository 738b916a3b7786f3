package report_test

import (
	"os"
	"testing"
	"time"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/pkg/report"
	"github.com/crashcheck/crashcheck/pkg/runner"
)

func TestMain(m *testing.M) {
	time.Local = time.UTC // the log shows the zone of the machine
	os.Exit(m.Run())
}

// finished is shortly before the time at which synctest bubbles begin: midnight UTC 2000-01-01.
var finished = time.Date(1999, time.December, 31, 23, 59, 58, 0, time.UTC)

// oom and panicked are two crashed containers, worst first.
var (
	oom = checker.ContainerCrashes{
		Pod: "web-6fd8d747-abcde", UID: "1", Container: "app", Kind: checker.Main, Crashes: 3,
		End: &checker.End{ExitCode: 137, Signal: 9, Reason: "OOMKilled", FinishedAt: finished},
	}
	panicked = checker.ContainerCrashes{
		Pod: "web-6fd8d747-fghij", UID: "2", Container: "proxy", Kind: checker.Sidecar, Crashes: 1, Waiting: true,
		End: &checker.End{ExitCode: 2, Reason: "Error", Message: "panic: no such table: orders\n\ngoroutine 1 [running]:\nmain.main()\n", FinishedAt: finished},
	}
)

func result(verdict runner.Verdict, reason string, containers ...checker.ContainerCrashes) report.Result {
	r := report.Result{
		Outcome: runner.Outcome{
			Verdict: verdict, Reason: reason, Checks: 61, Pods: 3, Selector: "pod-template-hash=6fd8d747",
			Elapsed: 5*time.Minute + 1234567*time.Microsecond, LongestGap: 5002400 * time.Microsecond, Containers: containers,
		},
		Namespace: "shop", Limit: 5,
	}
	for _, c := range containers {
		r.Crashes += c.Crashes
	}
	return r
}

func interrupted(signal os.Signal) report.Result {
	r := result(runner.Interrupted, "ended by SIGTERM after 12s, before the window had closed")
	r.Signal = signal
	return r
}
