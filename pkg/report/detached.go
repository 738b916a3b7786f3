package report

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// Detached passes what is written to it on to another writer, from a goroutine of its own: a pipe that nobody reads, a
// full disk or a closed stream neither blocks nor fails whoever writes. What does not fit in its queue is lost, and
// counted.
type Detached struct {
	queue chan []byte
	done  chan struct{}

	mu     sync.Mutex
	closed bool
	lost   int // writes
}

// queueLength is in writes, that is in lines of the log.
const queueLength = 1024

// NewDetached returns a writer to w. It ends with [Detached.Close].
func NewDetached(w io.Writer) *Detached {
	d := &Detached{queue: make(chan []byte, queueLength), done: make(chan struct{})}
	go d.pass(w)
	return d
}

func (d *Detached) pass(w io.Writer) {
	defer close(d.done)
	for text := range d.queue {
		if _, err := w.Write(text); err != nil {
			continue // there is nowhere to say so
		}
		if lost := d.takeLost(); lost > 0 {
			fmt.Fprintf(w, "(%d lines of the log were lost here: they were not read in time)\n", lost)
		}
	}
}

func (d *Detached) takeLost() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	lost := d.lost
	d.lost = 0
	return lost
}

// Write queues a copy of text. It never blocks, and never fails.
func (d *Detached) Write(text []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return len(text), nil
	}
	select {
	case d.queue <- append([]byte(nil), text...):
	default:
		d.lost++
	}
	return len(text), nil
}

// Close waits until all is written, at most for this long. Later writes are lost.
func (d *Detached) Close(patience time.Duration) error {
	d.mu.Lock()
	if !d.closed {
		d.closed = true
		close(d.queue)
	}
	d.mu.Unlock()
	select {
	case <-d.done:
		return nil
	case <-time.After(patience):
		return errors.New("the output is not read")
	}
}
