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

// gate is a writer that blocks until it is opened.
type gate struct {
	opened chan struct{}
	bytes.Buffer
}

func (g *gate) Write(text []byte) (int, error) {
	<-g.opened
	return g.Buffer.Write(text)
}

func closeWithin(d *report.Detached, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
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
	if err := closeWithin(detached, time.Minute); err != nil {
		t.Fatal(err)
	}
	if out.String() != want.String() {
		t.Errorf("got %d bytes, want %d", out.Len(), want.Len())
	}
}

func TestDetachedNeitherBlocksNorFailsIfNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader := &gate{opened: make(chan struct{})}
		detached := report.NewDetached(reader)
		for range 5000 { // none of them blocks
			fmt.Fprintln(detached, "text")
		}
		began := time.Now()
		if err := closeWithin(detached, 400*time.Millisecond); err == nil {
			t.Error("no error reports that the output was not read")
		}
		if took := time.Since(began); took != 400*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		if n, err := fmt.Fprintln(detached, "after the end"); n != 14 || err != nil {
			t.Errorf("a write after the end: %d, %v", n, err)
		}
		close(reader.opened)
		if err := closeWithin(detached, time.Second); err != nil { // a second time
			t.Error(err)
		}
		if got := strings.Count(reader.String(), "text\n"); got < 1024 || got > 1025 || strings.Contains(reader.String(), "after the end") {
			t.Errorf("%d lines were written, want those that fit in the queue", got)
		}
	})
}

// full fails on every second write.
type full struct {
	bytes.Buffer
	writes int
}

func (f *full) Write(text []byte) (int, error) {
	if f.writes++; f.writes%2 == 0 {
		return 0, errors.New("no space left on device")
	}
	return f.Buffer.Write(text)
}

func TestDetachedContinuesAfterAFailedWrite(t *testing.T) {
	out := &full{}
	detached := report.NewDetached(out)
	for i := range 5 {
		if _, err := fmt.Fprintln(detached, i); err != nil {
			t.Error(err)
		}
	}
	if err := closeWithin(detached, time.Minute); err != nil {
		t.Error(err)
	}
	if got := out.String(); got != "0\n2\n4\n" {
		t.Errorf("got %q", got)
	}
}

func TestDetachedSupportsConcurrentWriters(t *testing.T) {
	var out bytes.Buffer
	detached := report.NewDetached(&out)
	ended := make(chan struct{})
	for range 8 {
		go func() {
			defer func() { ended <- struct{}{} }()
			for range 100 {
				fmt.Fprintln(detached, "a whole line")
			}
		}()
	}
	for range 8 {
		<-ended
	}
	if err := closeWithin(detached, time.Minute); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), strings.Repeat("a whole line\n", 800); got != want {
		t.Errorf("got %d bytes, want %d", len(got), len(want))
	}
}
