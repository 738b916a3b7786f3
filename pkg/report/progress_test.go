package report_test

import (
	"bytes"
	"errors"
	"regexp"
	"testing"
	"time"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/pkg/report"
	"github.com/crashcheck/crashcheck/pkg/runner"
)

// shown returns what a terminal shows, where lines are erased.
func shown(written string) string {
	return regexp.MustCompile(`[^\n]*\r\x1b\[2K`).ReplaceAllString(written, "")
}

func progressEvent(number int64, at time.Duration, crashes int64, pods int) runner.Event {
	return runner.Checked{Number: number, Elapsed: at, Tally: checker.Tally{Crashes: crashes, Pods: pods}}
}

func TestProgressLine(t *testing.T) {
	fourChecks := runner.Plan{Interval: 10 * time.Second, Count: 4, CrashLimit: 1}
	ofWorkload := planned(fiveMinutes)
	ofWorkload.Workload = "deployment/shop"
	for _, test := range []struct {
		claim string
		plan  report.Result
		width int
		event runner.Event
		want  string
	}{
		{"after the first check", planned(fiveMinutes), 200, progressEvent(1, time.Second, 0, 1), "crashes 0/5, 4m59s left, 1 check, 1 pod"},
		{"in the middle", planned(fiveMinutes), 200, progressEvent(30, 150*time.Second, 2, 3), "crashes 2/5, 2m30s left, 30 checks, 3 pods"},
		{"at the end", planned(fiveMinutes), 200, progressEvent(61, 5*time.Minute, 4, 3), "crashes 4/5, 61 checks, 3 pods"},
		{"while checks fail", planned(fiveMinutes), 200, runner.CheckFailed{Elapsed: 10 * time.Second}, "crashes 0/5, 4m50s left, no checks, no pods"},
		{"with COUNT", planned(fourChecks), 200, progressEvent(2, time.Second, 0, 1), "crashes 0/1, 29s left, 2 checks, 1 pod"},
		{"with a workload", ofWorkload, 200, runner.Checked{Number: 1, Elapsed: 4 * time.Minute, Tally: checker.Tally{Version: checker.Version{Name: "6fd8\n47"}}},
			`deployment/shop 6fd8\n47, crashes 0/5, 1m left, 1 check, no pods`},
		{"the last column of a terminal stays free", planned(fiveMinutes), 32, progressEvent(15, 5*time.Minute, 2, 30), "crashes 2/5, 15 checks, 30 pods"},
		{"a narrower terminal", planned(fiveMinutes), 31, progressEvent(15, 5*time.Minute, 2, 30), "crashes 2/5, 15 checks, 30 …"},
	} {
		t.Run(test.claim, func(t *testing.T) {
			var terminal bytes.Buffer
			report.NewProgress(&terminal, func() int { return test.width }, test.plan).Observe(test.event)
			if got := shown(terminal.String()); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestTheLogIsPrintedAboveTheProgressLine(t *testing.T) {
	var terminal bytes.Buffer
	progress := report.NewProgress(&terminal, func() int { return 80 }, planned(fiveMinutes))
	expect := func(want string) {
		t.Helper()
		if got := shown(terminal.String()); got != want {
			t.Errorf("the terminal shows %q, want %q", got, want)
		}
	}
	_, _ = progress.Write([]byte("first\n"))
	expect("first\ncrashes 0/5, 5m left, no checks, no pods")
	progress.Observe(progressEvent(1, time.Second, 0, 1))
	_, _ = progress.Write([]byte("second\n"))
	expect("first\nsecond\ncrashes 0/5, 4m59s left, 1 check, 1 pod")
	progress.Close()
	expect("first\nsecond\n")
	_, _ = progress.Write([]byte("the summary\n"))
	expect("first\nsecond\nthe summary\n")
}

func TestProgressReturnsTheErrorsOfItsTerminal(t *testing.T) {
	broken := writerFunc(func([]byte) (int, error) { return 0, errors.New("the terminal is gone") })
	if _, err := report.NewProgress(broken, func() int { return 80 }, planned(fiveMinutes)).Write([]byte("text")); err == nil {
		t.Error("no error")
	}
}
