package runner_test

import (
	"math"
	"testing"
	"time"

	"github.com/crashcheck/crashcheck/pkg/runner"
)

func TestBounds(t *testing.T) {
	const forever = time.Duration(math.MaxInt64)
	tests := []struct {
		claim            string
		plan             runner.Plan
		expected, latest time.Duration
	}{
		{"a window ends with its duration; the grace and 10 s are the most that is added", plan(nil), 20 * time.Second, 90 * time.Second},
		{"COUNT checks take COUNT-1 intervals", counted(3, 0), 10 * time.Second, 225 * time.Second},
		{"MAX_DURATION is a window", counted(100, 12*time.Second), 12 * time.Second, 82 * time.Second},
		{"sums do not overflow", plan(func(p *runner.Plan) { p.Duration, p.APIGrace = forever, forever }), forever, forever},
		{"products do not overflow", plan(func(p *runner.Plan) { p.Count = math.MaxInt64 }), forever, forever},
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

// A container that dies at once crashes at about 0, 0, 10, 30, 70, 150 and 310 s, then every 5 minutes.
func TestTheWarningForALimitThatCannotBeReached(t *testing.T) {
	const ms = time.Millisecond
	for _, test := range []struct {
		limit  int64
		window time.Duration // the shortest in which the limit can be reached
	}{{2, ms}, {3, 10 * time.Second}, {4, 30 * time.Second}, {5, 70 * time.Second}, {6, 150 * time.Second}, {7, 310 * time.Second}, {8, 610 * time.Second}, {9, 910 * time.Second}} {
		p := plan(func(p *runner.Plan) { p.CrashLimit, p.Duration = test.limit, test.window })
		if warning := p.UnreachableLimit(); warning != "" {
			t.Errorf("limit %d within %s: %s", test.limit, test.window, warning)
		}
		if p.Duration -= ms; p.Duration > 0 && p.UnreachableLimit() == "" {
			t.Errorf("limit %d within %s: no warning", test.limit, p.Duration)
		}
		if p.Duration, p.CrashLimit = test.window, test.limit+1; p.UnreachableLimit() == "" {
			t.Errorf("limit %d within %s: no warning", p.CrashLimit, test.window)
		}
	}
	want := "CRASH_LIMIT 10 cannot be reached within 5m by one crash-looping pod alone: under the kubelet's back-off, " +
		"a container that dies at once crashes about 6 times in that time; lower the limit or check for longer"
	if got := plan(func(p *runner.Plan) { p.CrashLimit, p.Duration = 10, 5*time.Minute }).UnreachableLimit(); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	if got := plan(func(p *runner.Plan) { p.CrashLimit, p.Duration = 1e6, math.MaxInt64 }).UnreachableLimit(); got != "" {
		t.Errorf("a window without end: %s", got)
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
