package main

import (
	"bytes"
	"fmt"
	"io"
)

// labelled writes whole lines, each after the name of its stream.
type labelled struct {
	out   io.Writer
	label string
	rest  []byte // an incomplete line
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

// flush prints the rest of a stream that did not end with a newline.
func (l *labelled) flush() {
	if len(l.rest) > 0 {
		l.print(l.rest)
		l.rest = nil
	}
}

func (l *labelled) print(line []byte) error {
	_, err := fmt.Fprintf(l.out, "%s | %s\n", l.label, line)
	return err
}
