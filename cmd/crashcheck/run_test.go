package main

import (
	"context"
	"io"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crashcheck/crashcheck/pkg/report"
	"github.com/crashcheck/crashcheck/pkg/runner"
)

// stuck is a stream that nobody reads.
type stuck struct{ released chan struct{} }

func (s stuck) Write(text []byte) (int, error) {
	<-s.released
	return 0, io.ErrClosedPipe
}

func TestOutputThatNobodyReadsDelaysTheEndByLittle(t *testing.T) {
	for _, test := range []struct {
		claim    string
		signalAt time.Duration // negative: never
		want     time.Duration
	}{
		{"the machine may just be slow", -1, 2 * maxPatience},
		{"after a signal there is one second in total", 0, 2 * patience},
		{"a signal shortens what is left", time.Second, time.Second + 2*patience},
	} {
		t.Run(test.claim, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // its clock only advances when nothing else can
				stream := stuck{make(chan struct{})}
				defer close(stream.released)
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				if test.signalAt >= 0 {
					time.AfterFunc(test.signalAt, func() { cancel(runner.SignalError{Signal: syscall.SIGTERM}) })
				}
				began := time.Now()
				code := program{terminationLog: t.TempDir() + "/none"}.run(ctx, nil, []string{"HASH=a"}, stream, stream)
				if took := time.Since(began); took != test.want {
					t.Errorf("it took %v, want %v", took, test.want)
				}
				if code != 2 { // the verdict was reached before
					t.Errorf("exit code %d, want 2", code)
				}
			})
		})
	}
}

// Reading the logs of crashed containers has taken 5 s after the verdict.
func TestTheEndStaysWithinTheBoundAfterLogsWereRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := stuck{make(chan struct{})}
		defer close(stream.released)
		g := &gate{
			program: program{terminationLog: t.TempDir() + "/none"},
			out:     report.NewDetached(stream), err: report.NewDetached(stream),
			start: time.Now().Add(-28 * time.Second),
		}
		g.log = report.NewLog(g.err, report.LogOptions{})
		g.result.Plan, g.result.Verdict, g.result.Elapsed = runner.Plan{Duration: 20 * time.Second}, runner.Fail, 23*time.Second
		if code := g.end(t.Context()); code != 1 {
			t.Errorf("exit code %d, want 1", code)
		}
		if took, bound := time.Since(g.start), g.result.Plan.Latest(); took > bound {
			t.Errorf("the run took %s, above the bound %s", took, bound)
		}
	})
}
