package report_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crashcheck/crashcheck/pkg/report"
)

func closeWithin(t *testing.T, d *report.Detached, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	return d.Close(ctx)
}

func TestDetachedForwardsEverythingInOrder(t *testing.T) {
	var out bytes.Buffer
	detached := report.NewDetached(&out)
	var want strings.Builder
	text := make([]byte, 0, 20)
	for i := range 1000 {
		text = fmt.Appendf(text[:0], "line %d\n", i) // the writer may reuse its buffer
		want.Write(text)
		if n, err := detached.Write(text); n != len(text) || err != nil {
			t.Fatalf("write %d: %d, %v", i, n, err)
		}
	}
	_, _ = detached.Write(nil) // does not end it
	fmt.Fprintln(detached, "last")
	if err := closeWithin(t, detached, time.Minute); err != nil {
		t.Fatal(err)
	}
	if out.String() != want.String()+"last\n" {
		t.Errorf("got %d bytes, want %d", out.Len(), want.Len()+5)
	}
}

// writerFunc is a writer.
type writerFunc func(text []byte) (int, error)

func (w writerFunc) Write(text []byte) (int, error) { return w(text) }

func TestDetachedNeitherBlocksNorFailsIfNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opened, lines := make(chan struct{}), 0
		detached := report.NewDetached(writerFunc(func(text []byte) (int, error) {
			<-opened
			lines++
			return len(text), nil
		}))
		for range 5000 { // none of them blocks
			if n, err := detached.Write([]byte("text\n")); n != 5 || err != nil {
				t.Fatalf("%d, %v", n, err)
			}
		}
		began := time.Now()
		if err := closeWithin(t, detached, 400*time.Millisecond); err == nil {
			t.Error("no error reports that the output was not read")
		}
		if took := time.Since(began); took != 400*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		close(opened)
		if err := closeWithin(t, detached, time.Second); err != nil { // a second time
			t.Error(err)
		}
		if lines < 1024 || lines > 1025 {
			t.Errorf("%d lines were written, want those that fit in the queue", lines)
		}
	})
}

func TestDetachedContinuesAfterAFailedWrite(t *testing.T) {
	var out bytes.Buffer
	detached := report.NewDetached(writerFunc(func(text []byte) (int, error) {
		if string(text) == "lost" {
			return 0, errors.New("no space left on device")
		}
		return out.Write(text)
	}))
	for _, text := range []string{"a", "lost", "b"} {
		if _, err := detached.Write([]byte(text)); err != nil {
			t.Error(err)
		}
	}
	if err := closeWithin(t, detached, time.Minute); err != nil || out.String() != "ab" {
		t.Errorf("got %q, %v", out.String(), err)
	}
}
