package report

import (
	"strings"
	"testing"
	"time"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/pkg/runner"
)

func TestHint(t *testing.T) {
	for _, test := range []struct {
		end  *checker.End
		want string
	}{
		{nil, ""},
		{&checker.End{ExitCode: 137, Reason: "OOMKilled"}, ": it used more memory than its limit, or the node, allows"},
		{&checker.End{ExitCode: 1, Reason: "OOMKilled"}, ": it used more memory than its limit, or the node, allows"},
		{&checker.End{ExitCode: 137, Reason: "ContainerStatusUnknown"}, ": the node lost sight of it"},
		{&checker.End{ExitCode: 137, Reason: "Error"}, ": it was killed (SIGKILL): by a failed liveness probe, the node or a person, or for memory unnoticed by Kubernetes"},
		{&checker.End{ExitCode: 0, Reason: "Completed"}, ": it ended without an error, but should keep running"},
		{&checker.End{ExitCode: 1, Reason: "Error"}, ": an error of the program's own"},
		{&checker.End{ExitCode: 2, Reason: "Error"}, ": an error of the program's own, such as a Go panic"},
		{&checker.End{ExitCode: 126}, ": its command is not executable"},
		{&checker.End{ExitCode: 127}, ": its command was not found"},
		{&checker.End{ExitCode: 128, Reason: "StartError"}, ": its command could not be started"},
		{&checker.End{ExitCode: 134}, ": it aborted itself (SIGABRT)"},
		{&checker.End{ExitCode: 139}, ": it accessed memory that it must not (SIGSEGV)"},
		{&checker.End{ExitCode: 143}, ": it was told to end (SIGTERM): by a failed liveness probe or a person"},
		{&checker.End{ExitCode: 255}, ""},
		{&checker.End{ExitCode: -1}, ""},
	} {
		if got := hint(checker.Main, test.end); got != test.want {
			t.Errorf("%v: got %q, want %q", test.end, got, test.want)
		}
	}
	if got := hint(checker.Init, &checker.End{ExitCode: 0, Reason: "Completed"}); got != "" {
		t.Errorf("an init container that had to run again: got %q", got)
	}
}

func TestGist(t *testing.T) {
	for _, test := range []struct{ claim, message, want string }{
		{"nothing", "", ""},
		{"blank lines say nothing", "\n \r\n\t\n", ""},
		{"one line is all there is", "  out of luck \n", "out of luck"},
		{"the last line is where most programs say it", "starting\nlistening\nfatal: no such table\n\n", "fatal: no such table"},
		{"Go panics first, and then shows its stack", "starting\npanic: boom\n\ngoroutine 1 [running]:\nmain.main()\n\t/app/main.go:5 +0x18\nexit status 2\n", "panic: boom"},
		{"the Go runtime's own errors", "fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [chan receive]:\n", "fatal error: all goroutines are asleep - deadlock!"},
		{"Java's stack is indented", "INFO start\nException in thread \"main\" java.lang.IllegalStateException: no database\n\tat app.Main.main(Main.java:3)\n\t... 4 more\n", `Exception in thread "main" java.lang.IllegalStateException: no database`},
		{"Python says it last", "Traceback (most recent call last):\n  File \"app.py\", line 1, in <module>\nValueError: no database\n", "ValueError: no database"},
		{"indented lines are better than none", "  one\n  two\n", "one"},
		{"lines of other systems", "one\r\ntwo\r\n", "two"},
		{"a long line is cut", strings.Repeat("x", 300), strings.Repeat("x", 197) + "…"},
	} {
		t.Run(test.claim, func(t *testing.T) {
			if got := gist(test.message); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestTimesReadWell(t *testing.T) {
	for _, test := range []struct {
		time        time.Duration
		short, long string
	}{
		{0, "0s", "0s"},
		{10 * time.Millisecond, "0s", "10ms"},
		{500 * time.Millisecond, "500ms", "500ms"},
		{10*time.Second + 40*time.Millisecond, "10s", "10.04s"},
		{59*time.Second + 940*time.Millisecond, "59.9s", "59.94s"},
		{time.Minute, "1m", "1m"},
		{90 * time.Second, "1m30s", "1m30s"},
		{10 * time.Minute, "10m", "10m"},
		{time.Hour, "1h", "1h"},
		{time.Hour + time.Second, "1h0m1s", "1h0m1s"},
		{90 * time.Minute, "1h30m", "1h30m"},
		{20 * time.Hour, "20h", "20h"},
	} {
		if got := short(test.time); got != test.short {
			t.Errorf("short(%v): got %s, want %s", test.time, got, test.short)
		}
		if got := exact(test.time); got != test.long {
			t.Errorf("exact(%v): got %s, want %s", test.time, got, test.long)
		}
	}
}

func TestClock(t *testing.T) {
	if got := clock(time.Time{}); got != "?" {
		t.Errorf("an unknown time: got %s", got)
	}
	recent := time.Now().Add(-time.Hour)
	if got := clock(recent); got != recent.Format("15:04:05") {
		t.Errorf("an hour ago: got %s", got)
	}
	old := time.Now().Add(-36 * time.Hour)
	if got := clock(old); got != old.Format("2006-01-02") {
		t.Errorf("a day and a half ago: got %s", got)
	}
}

func TestTimeline(t *testing.T) {
	checked := func(at time.Duration, crashes ...int64) runner.Event {
		var tally checker.Tally
		for _, n := range crashes {
			tally.New = append(tally.New, checker.Crash{New: n})
		}
		return runner.Checked{Elapsed: at, Tally: tally}
	}
	failed := func(at time.Duration) runner.Event { return runner.CheckFailed{Elapsed: at} }
	const s = time.Second
	for _, test := range []struct {
		claim   string
		events  []runner.Event
		elapsed time.Duration
		want    string
	}{
		{"a quiet run has none", []runner.Event{checked(0), checked(5 * s)}, 5 * s, ""},
		{"no events at all", nil, 0, ""},
		{"crashes are counted where they were seen", []runner.Event{checked(0, 1), checked(2*s, 2, 1), checked(4 * s)}, 4 * s,
			"timeline, 1s a character, digits are crashes: 1.3.."},
		{"more than nine are a plus", []runner.Event{checked(0, 9), checked(s, 9, 1)}, s, "timeline, 1s a character, digits are crashes, + more than 9: 9+"},
		{"a gap lasts from the last success to the next", []runner.Event{checked(0), checked(s), failed(2 * s), failed(3 * s), checked(4 * s), checked(5 * s)}, 6 * s,
			"timeline, 1s a character, ? unobserved: ..???.."},
		{"a gap shorter than a character is shown", []runner.Event{checked(10 * s / 10), failed(12 * s / 10), checked(14 * s / 10)}, 3 * s,
			"timeline, 1s a character, ? unobserved: .?.."},
		{"a run that never saw anything", []runner.Event{failed(s), failed(2 * s)}, 3 * s, "timeline, 1s a character, ? unobserved: ????"},
		{"a run that ends in a gap", []runner.Event{checked(0), checked(s), failed(2 * s)}, 4 * s, "timeline, 1s a character, ? unobserved: ..???"},
		{"crashes that show after a gap are shown", []runner.Event{checked(s), failed(2 * s), checked(3*s, 1)}, 4 * s, "timeline, 1s a character, digits are crashes, ? unobserved: ..?1."},
		{"a long run has at most 50 characters and the last instant", []runner.Event{checked(0, 1), checked(50*time.Minute, 1)}, 50 * time.Minute,
			"timeline, 1m a character, digits are crashes: 1" + strings.Repeat(".", 49) + "1"},
		{"one second more makes each character longer", []runner.Event{checked(0, 1), checked(3001*s, 1)}, 3001 * s,
			"timeline, 1m1s a character, digits are crashes: 1" + strings.Repeat(".", 48) + "1"},
		{"what comes at the very end is not lost", []runner.Event{checked(0), checked(3*s, 1)}, 2 * s, "timeline, 1s a character, digits are crashes: ..1"},
	} {
		t.Run(test.claim, func(t *testing.T) {
			var line timeline
			for _, event := range test.events {
				line.observe(event)
			}
			if got := line.draw(test.elapsed); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}
