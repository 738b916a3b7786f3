package main

import (
	"context"
	"io"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crashcheck/crashcheck/pkg/runner"
)

// stuck is a stream that nobody reads.
type stuck struct{ released chan struct{} }

func (s stuck) Write(text []byte) (int, error) {
	<-s.released
	return 0, io.ErrClosedPipe
}

func TestOutputThatNobodyReadsDelaysTheEndForAMoment(t *testing.T) {
	signal := runner.SignalError{Signal: syscall.SIGTERM}
	for _, test := range []struct {
		claim   string
		cause   error
		environ []string
		code    int
		within  time.Duration
	}{
		{"an interrupted run has a second in all", signal, []string{"HASH=a", "INTERVAL=1", "DURATION=1", "CRASH_LIMIT=1", "KUBECONFIG=none"}, 143, time.Second},
		{"another has seconds: it may be the machine that is slow", nil, []string{"HASH=a"}, 2, 5 * time.Second},
	} {
		t.Run(test.claim, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // its clock stands still while anything can go on
				stream := stuck{make(chan struct{})}
				defer close(stream.released)
				ctx, cancel := context.WithCancelCause(t.Context())
				if test.cause != nil {
					cancel(test.cause)
				}
				defer cancel(nil)
				began := time.Now()
				code := program{terminationLog: t.TempDir() + "/none"}.run(ctx, nil, test.environ, stream, stream)
				if took := time.Since(began); took >= test.within {
					t.Errorf("it took %v", took)
				}
				if code != test.code {
					t.Errorf("exit code %d, want %d", code, test.code)
				}
			})
		})
	}
}
