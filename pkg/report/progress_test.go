package report_test

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/pkg/report"
	"github.com/crashcheck/crashcheck/pkg/runner"
)

const eraseLine = "\r\x1b[2K"

// terminal is what the progress line is drawn on, in the time of a synctest bubble.
type terminal struct {
	t        *testing.T
	width    atomic.Int64
	out      screen
	progress *report.Progress
}

// screen keeps what is written, for two goroutines.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(text)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func newTerminal(t *testing.T, width int, plan runner.Plan) *terminal {
	term := &terminal{t: t}
	term.width.Store(int64(width))
	term.progress = report.NewProgress(&term.out, func() int { return int(term.width.Load()) }, plan)
	return term
}

// after lets the bubble's time pass, until all that happens then has happened.
func (term *terminal) after(d time.Duration) *terminal {
	time.Sleep(d) // takes no real time
	synctest.Wait()
	return term
}

// line is what the cursor's line shows.
func (term *terminal) line() string {
	text := term.out.String()
	text = text[strings.LastIndex(text, "\n")+1:]
	if i := strings.LastIndex(text, eraseLine); i >= 0 {
		text = text[i+len(eraseLine):]
	}
	if strings.ContainsAny(text, "\r\x1b\b") {
		term.t.Errorf("the line holds control sequences: %q", text)
	}
	return text
}

func (term *terminal) expect(want string) {
	term.t.Helper()
	if got := term.line(); got != want {
		term.t.Errorf("got  %q\nwant %q", got, want)
	}
}

func checked(number int64, crashes int64, pods int) runner.Event {
	return runner.Checked{Number: number, Tally: checker.Tally{Crashes: crashes, Pods: pods}}
}

func TestProgressTellsOfTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		term := newTerminal(t, 200, fiveMinutes)
		defer term.progress.Close()
		term.expect("")
		term.after(time.Second).expect("0% [                        ]  crashes 0/5, 4m59s left, 0 pods, 0 checks")
		term.progress.Observe(checked(1, 0, 1))
		term.after(time.Second).expect("0% [                        ]  crashes 0/5, 4m58s left, 1 pod, 1 check")
		term.after(2*time.Minute + 28*time.Second)
		term.progress.Observe(checked(30, 2, 3))
		term.after(time.Second).expect("50% [===========>            ]  crashes 2/5, 2m29s left, 3 pods, 30 checks")
		term.after(2*time.Minute + 29*time.Second)
		term.progress.Observe(checked(60, 4, 3))
		term.after(time.Second).expect("100% [========================]  crashes 4/5, 3 pods, 60 checks")
	})
}

func TestProgressTellsOfSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		term := newTerminal(t, 200, fiveMinutes)
		defer term.progress.Close()
		end := func(want string) {
			t.Helper()
			if !strings.HasSuffix(term.line(), want) {
				t.Errorf("got %q, want it to end with %q", term.line(), want)
			}
		}
		term.progress.Observe(runner.CheckFailed{Err: errors.New("refused"), Failures: 1})
		term.after(time.Second)
		end("crashes 0/5, no check succeeded yet, 4m59s left, 0 pods, 0 checks")
		term.progress.Observe(checked(1, 0, 1))
		term.after(6 * time.Second)
		end("crashes 0/5, 4m53s left, 1 pod, 1 check")
		term.after(2 * time.Second) // the next one was due three seconds ago
		end("crashes 0/5, last check 8s ago, 4m51s left, 1 pod, 1 check")
		term.progress.Observe(checked(2, 0, 1))
		term.progress.Observe(runner.CheckFailed{Err: errors.New("refused"), Failures: 1, GiveUpIn: time.Minute})
		term.after(time.Second)
		end("crashes 0/5, last check 1s ago, gives up in 59s, 4m50s left, 1 pod, 2 checks")
		term.progress.Observe(checked(3, 0, 1))
		term.after(time.Second)
		end("crashes 0/5, 4m49s left, 1 pod, 3 checks")
	})
}

func TestProgressCountsChecksWhereTheyEndTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		term := newTerminal(t, 200, runner.Plan{Interval: 10 * time.Second, Count: 4, CrashLimit: 1})
		defer term.progress.Close()
		term.progress.Observe(checked(2, 0, 1))
		term.after(time.Second).expect("50% [===========>            ]  crashes 0/1, 29s left, 1 pod, check 2/4")
		term.progress.Observe(checked(4, 0, 1))
		term.after(time.Second).expect("100% [========================]  crashes 0/1, 28s left, 1 pod, check 4/4")
	})
}

func TestProgressIsNeverWiderThanTheTerminal(t *testing.T) {
	for _, test := range []struct {
		width int
		want  string
	}{
		{200, "50% [===========>            ]  crashes 2/5, last check 2m30s ago, 2m30s left, 30 pods, 15 checks"},
		{100, "50% [===========>            ]  crashes 2/5, last check 2m30s ago, 2m30s left, 30 pods, 15 checks"},
		{90, "50% [======>        ]  crashes 2/5, last check 2m30s ago, 2m30s left, 30 pods, 15 checks"},
		{80, "crashes 2/5, last check 2m30s ago, 2m30s left, 30 pods, 15 checks"},
		{40, "crashes 2/5, last check 2m30s ago, 2…"},
		{20, "crashes 2/5, las…"},
		{4, "…"}, {3, ""}, {1, ""}, {0, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			term := newTerminal(t, test.width, fiveMinutes)
			defer term.progress.Close()
			term.progress.Observe(checked(15, 2, 30))
			term.after(150 * time.Second)
			if n := utf8.RuneCountInString(term.line()); n > 0 && n >= test.width { // the last column stays free
				t.Errorf("%d columns of %d", n, test.width)
			}
			term.expect(test.want)
		})
	}
}

func TestProgressFollowsATerminalThatIsResized(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		term := newTerminal(t, 100, fiveMinutes)
		defer term.progress.Close()
		term.progress.Observe(checked(1, 0, 1))
		term.after(time.Second)
		wide := term.line()
		term.width.Store(20)
		if narrow := term.after(time.Second).line(); len(narrow) >= 20 {
			t.Errorf("still %q", narrow)
		}
		term.width.Store(100)
		if again := term.after(time.Second).line(); len(again) != len(wide) {
			t.Errorf("got %q, after %q", again, wide)
		}
	})
}

func TestTheLogStandsAboveTheProgressLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		term := newTerminal(t, 200, fiveMinutes)
		log := report.NewLog(term.progress, report.LogOptions{})
		term.after(time.Second)
		log.Warn("first")
		term.after(time.Second)
		log.Warn("second")
		term.progress.Close()

		var shown []string
		for line := range strings.SplitSeq(term.out.String(), "\n") {
			shown = append(shown, line[strings.LastIndex(line, eraseLine)+len(eraseLine):])
		}
		want := []string{"2000-01-01T00:00:01Z WRN first", "2000-01-01T00:00:02Z WRN second", ""}
		if strings.Join(shown, "\n") != strings.Join(want, "\n") {
			t.Errorf("the terminal shows %q, want %q", shown, want)
		}
		if drawn := regexp.MustCompile(`crashes 0/5`).FindAllString(term.out.String(), -1); len(drawn) < 6 {
			t.Errorf("the line was drawn %d times in two seconds", len(drawn))
		}
	})
}

func TestProgressIsErasedAtTheEndAndStaysAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		term := newTerminal(t, 80, fiveMinutes)
		term.after(time.Second)
		term.progress.Close()
		if got := term.out.String(); !strings.HasSuffix(got, eraseLine) {
			t.Errorf("it ends with %q", got[max(0, len(got)-20):])
		}
		size := len(term.out.String())
		if term.after(time.Minute); len(term.out.String()) != size {
			t.Errorf("drawn again: %q", term.line())
		}
	})
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("the terminal is gone") }

func TestProgressOnATerminalThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		progress := report.NewProgress(broken{}, func() int { return 80 }, fiveMinutes)
		if _, err := progress.Write([]byte("text")); err == nil {
			t.Error("the log is not told")
		}
		progress.Close()
	})
}
