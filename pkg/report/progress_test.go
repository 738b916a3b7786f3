package report_test

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/pkg/report"
	"github.com/crashcheck/crashcheck/pkg/runner"
)

const eraseLine = "\r\x1b[2K"

// terminal is what the progress line is drawn on, in the time of a synctest bubble.
type terminal struct {
	t        *testing.T
	width    atomic.Int64
	progress *report.Progress

	mu   sync.Mutex
	text bytes.Buffer
}

func (term *terminal) Write(text []byte) (int, error) {
	term.mu.Lock()
	defer term.mu.Unlock()
	return term.text.Write(text)
}

func (term *terminal) String() string {
	term.mu.Lock()
	defer term.mu.Unlock()
	return term.text.String()
}

// onTerminal runs a test in a synctest bubble.
func onTerminal(t *testing.T, width int64, plan runner.Plan, test func(*terminal)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		term := &terminal{t: t}
		term.width.Store(width)
		term.progress = report.NewProgress(term, func() int { return int(term.width.Load()) }, planned(plan))
		test(term)
		term.progress.Close()
	})
}

// after lets the bubble's time pass, until everything that happens then has happened.
func (term *terminal) after(d time.Duration) *terminal {
	time.Sleep(d) // takes no real time
	synctest.Wait()
	return term
}

// expect compares what the cursor's line shows.
func (term *terminal) expect(want string) {
	term.t.Helper()
	text := term.String()
	got := text[strings.LastIndex(text, "\n")+1:]
	if i := strings.LastIndex(got, eraseLine); i >= 0 {
		got = got[i+len(eraseLine):]
	}
	if got != want {
		term.t.Errorf("got  %q\nwant %q", got, want)
	}
}

func (term *terminal) checked(number, crashes int64, pods int) *terminal {
	term.progress.Observe(runner.Checked{Number: number, Tally: checker.Tally{Crashes: crashes, Pods: pods}})
	return term
}

func TestProgressLine(t *testing.T) {
	onTerminal(t, 200, fiveMinutes, func(term *terminal) {
		term.expect("")
		term.after(time.Second).expect("crashes 0/5, 4m59s left, no checks, no pods")
		term.checked(1, 0, 1).expect("crashes 0/5, 4m59s left, 1 check, 1 pod") // at once
		term.after(time.Second).expect("crashes 0/5, 4m58s left, 1 check, 1 pod")
		term.after(2*time.Minute+28*time.Second).checked(30, 2, 3).expect("crashes 2/5, 2m30s left, 30 checks, 3 pods")
		term.after(2*time.Minute+30*time.Second).checked(61, 4, 3).expect("crashes 4/5, 61 checks, 3 pods")
	})
	onTerminal(t, 200, runner.Plan{Interval: 10 * time.Second, Count: 4, CrashLimit: 1}, func(term *terminal) {
		term.checked(2, 0, 1).after(time.Second).expect("crashes 0/1, 29s left, check 2/4, 1 pod")
	})
}

func TestProgressLineIsNeverWiderThanTheTerminal(t *testing.T) {
	onTerminal(t, 200, fiveMinutes, func(term *terminal) {
		term.after(5*time.Minute).checked(15, 2, 30)
		for _, test := range []struct {
			width int64
			want  string
		}{
			{40, "crashes 2/5, 15 checks, 30 pods"},
			{32, "crashes 2/5, 15 checks, 30 pods"}, // the last column stays free
			{31, "crashes 2/5, 15 checks, 30 …"},
			{20, "crashes 2/5, 15 …"},
			{4, "…"}, {3, ""}, {1, ""}, {0, ""},
			{200, "crashes 2/5, 15 checks, 30 pods"}, // a terminal can be resized
		} {
			term.width.Store(test.width)
			term.after(time.Second).expect(test.want)
		}
	})
}

func TestTheLogIsPrintedAboveTheProgressLine(t *testing.T) {
	onTerminal(t, 200, fiveMinutes, func(term *terminal) {
		log := report.NewLog(term.progress, report.LogOptions{Terminal: true})
		term.after(time.Second)
		log.Warn("first")
		term.expect("crashes 0/5, 4m59s left, no checks, no pods")
		term.after(time.Second)
		log.Warn("second")
		var shown []string
		for line := range strings.SplitSeq(term.String(), "\n") {
			if i := strings.LastIndex(line, eraseLine); i >= 0 {
				line = line[i+len(eraseLine):]
			}
			shown = append(shown, line)
		}
		if got, want := strings.Join(shown, "\n"), "00:00:01 WRN first\n00:00:02 WRN second\ncrashes 0/5, 4m58s left, no checks, no pods"; got != want {
			t.Errorf("the terminal shows:\n%s\nwant:\n%s", got, want)
		}
	})
}

func TestProgressLineIsErasedAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		term := &terminal{t: t}
		term.progress = report.NewProgress(term, func() int { return 80 }, planned(fiveMinutes))
		term.after(time.Second).progress.Close()
		term.expect("")
		size := len(term.String())
		if term.after(time.Minute); len(term.String()) != size {
			t.Errorf("drawn again: %q", term)
		}
		report.NewLog(term.progress, report.LogOptions{Terminal: true}).Info("the summary")
		term.expect("")
	})
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("the terminal is gone") }

func TestProgressReturnsTheErrorsOfItsTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		progress := report.NewProgress(broken{}, func() int { return 80 }, planned(fiveMinutes))
		if _, err := progress.Write([]byte("text")); err == nil {
			t.Error("no error")
		}
		progress.Close()
	})
}
