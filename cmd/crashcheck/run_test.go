package main

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// stuck is a stream that nobody reads.
type stuck struct{ released chan struct{} }

func (s stuck) Write(text []byte) (int, error) {
	<-s.released
	return 0, io.ErrClosedPipe
}

func TestOutputThatNobodyReadsDelaysTheEndLessThanASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // its clock stands still while anything can go on
		stream := stuck{make(chan struct{})}
		defer close(stream.released)
		began := time.Now()
		code := program{terminationLog: t.TempDir() + "/none"}.run(context.Background(), nil, []string{"HASH=a"}, stream, stream)
		if took := time.Since(began); took >= time.Second {
			t.Errorf("it took %v: an interrupted run has a second", took)
		}
		if code != 2 {
			t.Errorf("exit code %d, want 2", code)
		}
	})
}
