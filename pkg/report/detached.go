package report

import (
	"context"
	"io"
)

// Detached forwards what is written to it to another writer, in a separate goroutine. A pipe that nobody reads, a full disk
// or a closed stream does not block or fail the run. When its queue is full, writes are dropped.
type Detached struct {
	queue chan []byte // nil marks the end
	done  chan struct{}
}

// queueLength is the number of writes, that is of log lines, that can wait.
const queueLength = 1024

// NewDetached returns a writer that forwards to w until [Detached.Close].
func NewDetached(w io.Writer) *Detached {
	d := &Detached{queue: make(chan []byte, queueLength), done: make(chan struct{})}
	go func() {
		defer close(d.done)
		for text := <-d.queue; text != nil; text = <-d.queue {
			_, _ = w.Write(text) // an error cannot be reported anywhere
		}
	}()
	return d
}

// Write queues a copy of text. It never blocks or fails.
func (d *Detached) Write(text []byte) (int, error) {
	select {
	case d.queue <- append([]byte{}, text...): // never nil
	default:
	}
	return len(text), nil
}

// Close waits until everything is written, or until ctx ends.
func (d *Detached) Close(ctx context.Context) error {
	select {
	case d.queue <- nil:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-d.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
