package report

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
)

// Detached passes what is written to it on to another writer, from a goroutine of its own: a pipe that nobody reads, a
// full disk or a closed stream neither blocks nor fails whoever writes. What does not fit in its queue is lost, and
// counted.
type Detached struct {
	queue chan parcel
	done  chan struct{}
	note  func(lost int) []byte

	mu     sync.Mutex
	closed bool
	lost   int // writes, since the last one that was queued
}

// parcel is one write, and how many were lost before it.
type parcel struct {
	text []byte
	lost int
}

// queueLength is in writes, that is in lines of the log.
const queueLength = 1024

// NewDetached returns a writer to w. It ends with [Detached.Close]. The note, unless nil, is written in the place of
// writes that were lost.
func NewDetached(w io.Writer, note func(lost int) []byte) *Detached {
	if note == nil {
		note = func(int) []byte { return nil }
	}
	d := &Detached{queue: make(chan parcel, queueLength), done: make(chan struct{}), note: note}
	go d.pass(w)
	return d
}

func (d *Detached) pass(w io.Writer) {
	defer close(d.done)
	write := func(p parcel) {
		if p.lost > 0 {
			_, _ = w.Write(d.note(p.lost)) // where it fails, there is nowhere to say so
		}
		if len(p.text) > 0 {
			_, _ = w.Write(p.text)
		}
	}
	for p := range d.queue {
		write(p)
	}
	d.mu.Lock()
	last := parcel{lost: d.lost}
	d.mu.Unlock()
	write(last)
}

// Write queues a copy of text. It never blocks, and never fails.
func (d *Detached) Write(text []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return len(text), nil
	}
	select {
	case d.queue <- parcel{bytes.Clone(text), d.lost}:
		d.lost = 0
	default:
		d.lost++
	}
	return len(text), nil
}

// Close waits until all is written, or until ctx ends. Later writes are lost.
func (d *Detached) Close(ctx context.Context) error {
	d.mu.Lock()
	if !d.closed {
		d.closed = true
		close(d.queue)
	}
	d.mu.Unlock()
	select {
	case <-d.done:
		return nil
	case <-ctx.Done():
		return errors.New("the output is not read")
	}
}
