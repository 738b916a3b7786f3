package report_test

import (
	"os"
	"strconv"
	"strings"
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
		{"SIGHUP is 129", runner.Interrupted, syscall.SIGHUP, 129},
		{"an interruption without a signal is never 0", runner.Interrupted, nil, 143},
		{"a signal 0 does not make 128", runner.Interrupted, syscall.Signal(0), 143},
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
	verdicts := []runner.Verdict{runner.Pass, runner.Fail, runner.Invalid, runner.Inconclusive, runner.NotReady, runner.Interrupted}
	if len(report.ExitCodes) != len(verdicts) {
		t.Fatalf("%d exit codes are documented, there are %d verdicts", len(report.ExitCodes), len(verdicts))
	}
	for i, documented := range report.ExitCodes {
		if documented.Verdict != verdicts[i] {
			t.Errorf("row %d is about %s, want %s", i, documented.Verdict, verdicts[i])
		}
		if documented.Meaning == "" || documented.Remedy == "" {
			t.Errorf("%s: meaning or remedy is missing", documented.Verdict)
		}
		if documented.Verdict == runner.Interrupted {
			if documented.Code != "128+n" || !strings.Contains(documented.Meaning, "143: SIGTERM, 130: SIGINT") {
				t.Errorf("an interruption is documented as %q: %s", documented.Code, documented.Meaning)
			}
			continue
		}
		if code := strconv.Itoa(report.Code(runner.Outcome{Verdict: documented.Verdict})); documented.Code != code {
			t.Errorf("%s is documented as %s, but the code is %s", documented.Verdict, documented.Code, code)
		}
	}
}
