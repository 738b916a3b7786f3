package report_test

import (
	"os"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"github.com/crashcheck/crashcheck/pkg/report"
	"github.com/crashcheck/crashcheck/pkg/runner"
)

func TestCode(t *testing.T) {
	for _, test := range []struct {
		claim   string
		verdict runner.Verdict
		signal  os.Signal
		want    int
	}{
		{"a pass is 0", runner.Pass, nil, 0},
		{"a fail is 1", runner.Fail, nil, 1},
		{"invalid is 2", runner.Invalid, nil, 2},
		{"inconclusive is 3", runner.Inconclusive, nil, 3},
		{"not ready is 4", runner.NotReady, nil, 4},
		{"SIGTERM is 143", runner.Interrupted, syscall.SIGTERM, 143},
		{"SIGINT is 130", runner.Interrupted, syscall.SIGINT, 130},
		{"an interruption without a signal is never 0", runner.Interrupted, nil, 143},
		{"a signal that came after the verdict changes nothing", runner.Pass, syscall.SIGTERM, 0},
		{"no verdict at all is never 0", "", nil, 3},
		{"an unknown verdict is never 0", "passed", nil, 3},
	} {
		t.Run(test.claim, func(t *testing.T) {
			if got := report.Code(runner.Outcome{Verdict: test.verdict, Signal: test.signal}); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
}

func TestExitCodesDocumentWhatCodeReturns(t *testing.T) {
	var got []runner.Verdict
	for _, documented := range report.ExitCodes {
		got = append(got, documented.Verdict)
		code := strconv.Itoa(report.Code(runner.Outcome{Verdict: documented.Verdict}))
		if documented.Verdict == runner.Interrupted {
			code = "128+n"
		}
		if documented.Code != code || documented.Meaning == "" || documented.Remedy == "" {
			t.Errorf("%s has the code %s and is documented as %+v", documented.Verdict, code, documented)
		}
	}
	want := []runner.Verdict{runner.Pass, runner.Fail, runner.Invalid, runner.Inconclusive, runner.NotReady, runner.Interrupted}
	if !slices.Equal(got, want) {
		t.Errorf("documented are %v, want %v", got, want)
	}
}
