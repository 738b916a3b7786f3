package report

import (
	"strings"
	"testing"
	"time"

	"github.com/crashcheck/crashcheck/pkg/checker"
)

func TestExplain(t *testing.T) {
	for _, test := range []struct {
		kind checker.Kind
		of   *checker.Termination
		want string
	}{
		{checker.Main, nil, "exit code unknown"},
		{checker.Pod, nil, "exit code unknown"},
		{checker.Main, &checker.Termination{ExitCode: 137, Reason: "ContainerStatusUnknown"}, "exit code 137 (ContainerStatusUnknown): the node lost track of the container"},
		{checker.Main, &checker.Termination{ExitCode: 137, Reason: "Error"}, "exit code 137: killed (SIGKILL), for example by a failed liveness probe or the node"},
		{checker.Main, &checker.Termination{ExitCode: 137, Reason: "OOMKilled", Message: "out of luck\n"}, "exit code 137 (OOMKilled): out of luck"},
		{checker.Main, &checker.Termination{ExitCode: 3, Reason: "Error"}, "exit code 3"},
		{checker.Pod, &checker.Termination{Reason: "Evicted"}, "Evicted"},
	} {
		if got := explain(checker.ContainerCrashes{Kind: test.kind, Termination: test.of}); got != test.want {
			t.Errorf("%s, %v: got %q, want %q", test.kind, test.of, got, test.want)
		}
	}
}

func TestGist(t *testing.T) {
	for _, test := range []struct{ claim, message, want string }{
		{"blank lines are skipped", "\n \r\n\t\n", ""},
		{"most programs print the error last", "starting\nlistening\nfatal: no such table\n\n", "fatal: no such table"},
		{"Go prints a panic before its stack", "starting\npanic: boom\n\ngoroutine 1 [running]:\nmain.main()\n\t/app/main.go:5 +0x18\nexit status 2\n", "panic: boom"},
		{"the Go runtime's own errors", "fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [chan receive]:\n", "fatal error: all goroutines are asleep - deadlock!"},
		{"Java's stack is indented", "INFO start\nException in thread \"main\" java.lang.IllegalStateException: no database\n\tat app.Main.main(Main.java:3)\n\t... 4 more\n", `Exception in thread "main" java.lang.IllegalStateException: no database`},
		{"Python prints the error last", "Traceback (most recent call last):\n  File \"app.py\", line 1, in <module>\nValueError: no database\n", "ValueError: no database"},
		{"indented lines are better than none", "  one\n  two\n", "one"},
		{"line ends of other systems", "one\r\ntwo\r\n", "two"},
		{"a long line is cut", strings.Repeat("x", 300), strings.Repeat("x", 197) + "…"},
	} {
		t.Run(test.claim, func(t *testing.T) {
			if got := gist(test.message); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestNames(t *testing.T) {
	all := []string{"a", "b", "c", "d", "e"}
	for n, want := range []string{"", "a", "a, b", "a, b, c", "a, b, c and 1 more", "a, b, c and 2 more"} {
		if got := names(all[:n]); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestDuration(t *testing.T) {
	for _, test := range []struct {
		d    time.Duration
		want string
	}{
		{0, "0s"},
		{10 * time.Millisecond, "10ms"},
		{500*time.Millisecond + 400*time.Microsecond, "500ms"},
		{10*time.Second + 40*time.Millisecond, "10s"},
		{59*time.Second + 940*time.Millisecond, "59.9s"},
		{time.Minute, "1m"},
		{90 * time.Second, "1m30s"},
		{10 * time.Minute, "10m"},
		{time.Hour, "1h"},
		{time.Hour + time.Second, "1h0m1s"},
		{90 * time.Minute, "1h30m"},
		{20 * time.Hour, "20h"},
	} {
		if got := duration(test.d); got != test.want {
			t.Errorf("%v: got %s, want %s", test.d, got, test.want)
		}
	}
}

func TestClock(t *testing.T) {
	now := time.Date(2026, 3, 4, 15, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		at   time.Time
		want string
	}{
		{time.Time{}, "-"},
		{now.Add(-time.Hour), "14:00:00"},
		{now.Add(12*time.Hour - 1), "02:59:59"},
		{now.Add(12 * time.Hour), "2026-03-05 03:00"},
		{now.Add(-36 * time.Hour), "2026-03-03 03:00"},
	} {
		if got := clock(test.at, now); got != test.want {
			t.Errorf("%v: got %s, want %s", test.at, got, test.want)
		}
	}
}

func TestTimeline(t *testing.T) {
	const s = time.Second
	none := func(*timeline) {}
	for _, test := range []struct {
		claim   string
		record  func(*timeline)
		elapsed time.Duration
		want    string
	}{
		{"a run without crashes or gaps has none", none, 5 * s, ""},
		{"crashes are shown where they were seen", func(l *timeline) { l.addCrashes(0, 1); l.addCrashes(2*s, 2); l.addCrashes(2*s, 1) }, 4 * s, "1.3.. (1s"},
		{"more than nine are a plus", func(l *timeline) { l.addCrashes(0, 9); l.addCrashes(s, 10) }, s, "9+ (1s"},
		{"a gap lasts from the last success to the next", func(l *timeline) { l.addGap(s, 3*s) }, 5 * s, ".???.. (1s"},
		{"a gap shorter than a character is shown", func(l *timeline) { l.addGap(s+1, s+2) }, 3 * s, ".?.. (1s"},
		{"crashes that show after a gap are shown", func(l *timeline) { l.addGap(0, 2*s); l.addCrashes(2*s, 1) }, 2 * s, "??1 (1s"},
		{"a second for each of the 40 characters", func(l *timeline) { l.addCrashes(0, 1); l.addCrashes(39*s, 1) }, 39 * s, "1" + strings.Repeat(".", 38) + "1 (1s"},
		{"one second more halves the number of characters", func(l *timeline) { l.addCrashes(0, 1); l.addCrashes(s, 2); l.addCrashes(40*s, 1) }, 40 * s, "3" + strings.Repeat(".", 19) + "1 (2s"},
		{"a gap stays when characters are merged", func(l *timeline) { l.addGap(2*s, 2*s) }, 79 * s, ".?" + strings.Repeat(".", 38) + " (2s"},
		{"a gap that merges characters", func(l *timeline) { l.addGap(36*s, 40*s) }, 41 * s, strings.Repeat(".", 18) + "??? (2s"},
		{"a run of days", func(l *timeline) { l.addCrashes(0, 1); l.addCrashes(7*24*time.Hour, 1) }, 7 * 24 * time.Hour, "1" + strings.Repeat(".", 35) + "1 (4h33m4s"},
	} {
		t.Run(test.claim, func(t *testing.T) {
			var line timeline
			test.record(&line)
			want := test.want
			if want != "" {
				want = "timeline: " + want + " per character; 1 to 9: crashes, +: more, ?: not observed)\n"
			}
			if got := line.draw(test.elapsed); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}
