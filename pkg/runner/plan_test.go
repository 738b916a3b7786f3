package runner_test

import (
	"math"
	"testing"
	"time"

	"github.com/crashcheck/crashcheck/pkg/runner"
)

func TestBounds(t *testing.T) {
	const never = 100 * 365 * 24 * time.Hour
	tests := []struct {
		claim            string
		plan             runner.Plan
		expected, latest time.Duration
	}{
		{"a window ends with its duration; the grace and 10 s are the most that is added", plan(nil), 20 * time.Second, 90 * time.Second},
		{"COUNT checks take COUNT-1 intervals", counted(3, 0), 10 * time.Second, 225 * time.Second},
		{"MAX_DURATION is a window", counted(100, 12*time.Second), 12 * time.Second, 82 * time.Second},
		{"products do not overflow", plan(func(p *runner.Plan) { p.Count = math.MaxInt64 }), never, never},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			if got := test.plan.Expected(); got != test.expected {
				t.Errorf("expected to end after %s, want %s", got, test.expected)
			}
			if got := test.plan.Latest(); got != test.latest {
				t.Errorf("ends after %s at the latest, want %s", got, test.latest)
			}
		})
	}
}

// A container that terminates at once crashes at about 0, 0, 10, 30, 70, 150 and 310 s, then every 5 minutes.
func TestHowOftenACrashLoopCrashes(t *testing.T) {
	const ms = time.Millisecond
	for _, test := range []struct {
		crashes int64
		window  time.Duration // the shortest in which they happen
	}{{2, ms}, {3, 10 * time.Second}, {4, 30 * time.Second}, {5, 70 * time.Second}, {6, 150 * time.Second}, {7, 310 * time.Second}, {8, 610 * time.Second}, {9, 910 * time.Second}} {
		p := plan(func(p *runner.Plan) { p.Duration = test.window })
		if got := p.CrashLoop(); got != test.crashes {
			t.Errorf("within %s: got %d crashes, want %d", p.Duration, got, test.crashes)
		}
		if p.Duration -= ms; p.Duration > 0 && p.CrashLoop() != test.crashes-1 {
			t.Errorf("within %s: got %d crashes, want %d", p.Duration, p.CrashLoop(), test.crashes-1)
		}
	}
	if got := counted(3, 0).CrashLoop(); got != 3 {
		t.Errorf("within 3 checks every 5s: got %d crashes, want 3", got)
	}
	if got := counted(math.MaxInt64, 0).CrashLoop(); got < 1e6 {
		t.Errorf("in a run without end: got %d crashes", got)
	}
}

func TestTheReportStaysWithinTheBound(t *testing.T) {
	for _, test := range []struct{ elapsed, want time.Duration }{
		{20 * time.Second, 69 * time.Second}, {89 * time.Second, 0}, {90 * time.Second, 0},
	} {
		if got := plan(nil).TimeToReport(test.elapsed); got != test.want {
			t.Errorf("after %s: got %s, want %s", test.elapsed, got, test.want)
		}
	}
}
