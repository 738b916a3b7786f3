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

func lostNote(lost int) []byte { return fmt.Appendf(nil, "(%d lost)\n", lost) }

func TestDetachedPassesOnEverythingInOrder(t *testing.T) {
	var out bytes.Buffer
	detached := report.NewDetached(&out, lostNote)
	var want strings.Builder
	text := make([]byte, 0, 20)
	for i := range 1000 {
		text = fmt.Appendf(text[:0], "line %d\n", i) // the writer may use its buffer again
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

func TestDetachedCountsWhatIsLostWhereItIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader := &gate{opened: make(chan struct{})}
		detached := report.NewDetached(reader, lostNote)
		fmt.Fprintln(detached, "first")
		synctest.Wait() // it is out of the queue, and stuck
		for i := range 1024 + 3 {
			fmt.Fprintln(detached, "queued", i)
		}
		close(reader.opened)
		synctest.Wait() // the queue is empty again
		fmt.Fprintln(detached, "later")
		if err := closeWithin(detached, time.Second); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(reader.String(), "\n")
		if want := 1 + 1024 + 1 + 1 + 1; len(lines) != want {
			t.Fatalf("got %d lines, want %d", len(lines), want)
		}
		if got, want := strings.Join(lines[1024:], "\n"), "queued 1023\n(3 lost)\nlater\n"; got != want {
			t.Errorf("the end is %q, want %q", got, want)
		}
	})
}

func TestDetachedTellsOfLossesAtTheVeryEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader := &gate{opened: make(chan struct{})}
		detached := report.NewDetached(reader, lostNote)
		fmt.Fprintln(detached, "first")
		synctest.Wait()
		for range 1024 + 1 {
			fmt.Fprintln(detached, "queued")
		}
		go close(reader.opened)
		if err := closeWithin(detached, time.Second); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(reader.String(), "queued\n(1 lost)\n") {
			t.Errorf("it ends with %q", reader.String()[reader.Len()-20:])
		}
	})
}

func TestDetachedGivesUpOnAReaderThatIsStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader := &gate{opened: make(chan struct{})}
		detached := report.NewDetached(reader, nil)
		for range 5000 { // none of them blocks
			fmt.Fprintln(detached, "text")
		}
		began := time.Now()
		if err := closeWithin(detached, 400*time.Millisecond); err == nil {
			t.Error("no error says that the output was not read")
		}
		if took := time.Since(began); took != 400*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		if n, err := fmt.Fprintln(detached, "after the end"); n != 14 || err != nil {
			t.Errorf("a write after the end: %d, %v", n, err)
		}
		close(reader.opened)
		if err := closeWithin(detached, time.Second); err != nil { // a second time, as errors make it happen
			t.Error(err)
		}
		if strings.Contains(reader.String(), "after the end") {
			t.Error("what was written after the end came out")
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

func TestDetachedGoesOnAfterAFailedWrite(t *testing.T) {
	out := &full{}
	detached := report.NewDetached(out, nil)
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

func TestDetachedTakesManyWriters(t *testing.T) {
	var out bytes.Buffer
	detached := report.NewDetached(&out, nil)
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

func TestLostLines(t *testing.T) {
	if got := string(report.LostLines(false)(1)); got != "(1 line was lost here: the log was not read in time)\n" {
		t.Errorf("text: %q", got)
	}
	if got := string(report.LostLines(false)(2)); got != "(2 lines were lost here: the log was not read in time)\n" {
		t.Errorf("text: %q", got)
	}
	record := parseRecord(t, string(report.LostLines(true)(2)))
	if record["event"] != "linesLost" || record["lines"] != 2.0 || record["msg"] != "2 lines were lost here: the log was not read in time" {
		t.Errorf("JSON: %v", record)
	}
}

func closeWithin(d *report.Detached, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return d.Close(ctx)
}
