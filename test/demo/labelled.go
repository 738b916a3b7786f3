package main

import (
	"bytes"
	"fmt"
	"io"
	"sync"
)

// labelled writes whole lines, each after the name of its stream. Streams that share a lock do not mix their lines.
type labelled struct {
	out   io.Writer
	lines *sync.Mutex
	label string
	rest  []byte // a line that has not ended yet
}

func (l *labelled) Write(text []byte) (int, error) {
	l.rest = append(l.rest, text...)
	for {
		end := bytes.IndexByte(l.rest, '\n')
		if end < 0 {
			return len(text), nil
		}
		if err := l.print(l.rest[:end]); err != nil {
			return 0, err
		}
		l.rest = l.rest[end+1:]
	}
}

// flush prints what is left of a stream that did not end with a newline.
func (l *labelled) flush() {
	if len(l.rest) > 0 {
		l.print(l.rest)
		l.rest = nil
	}
}

func (l *labelled) print(line []byte) error {
	l.lines.Lock()
	defer l.lines.Unlock()
	_, err := fmt.Fprintf(l.out, "%s | %s\n", l.label, line)
	return err
}
