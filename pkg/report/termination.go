package report

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"unicode/utf8"
)

const (
	// maxTermination is the size of a termination message in bytes. Kubernetes keeps 4,096, fewer in pods of many containers.
	maxTermination = 2000
	// maxVerdict and maxEntry are in bytes: no text may take the place of all others.
	maxVerdict, maxEntry = maxTermination / 2, 400
	// lineWidth is that of a terminal. The first line stands behind the heading of kubectl describe.
	lineWidth, firstWidth = 80, 60
)

// TerminationMessage returns the verdict and the worst containers, at most 2,000 bytes. It is wrapped for kubectl describe,
// which does not wrap it.
func TerminationMessage(r Result) string {
	var b strings.Builder
	b.WriteString(wrap(cut(Escape(verdictWord(r)+": "+shortReason(r)), maxVerdict), firstWidth))
	entries := r.Errors
	if len(entries) == 1 {
		entries = nil // it is the reason
	}
	for _, c := range r.Containers {
		entries = append(entries, crashedContainer(c))
	}
	for i, text := range entries {
		entry := wrap("- "+cut(Escape(text), maxEntry), lineWidth)
		more := fmt.Sprintf("and %d more\n", len(entries)-i)
		last := i == len(entries)-1
		if b.Len()+len(entry) > maxTermination || !last && b.Len()+len(entry)+len(more) > maxTermination {
			b.WriteString(more)
			break
		}
		b.WriteString(entry)
	}
	return strings.TrimSuffix(b.String(), "\n") // kubectl describe ends the line
}

// wrap breaks a text between words into lines: the first of this width, the others of lineWidth and indented. A longer word
// stays whole, so that names can be copied.
func wrap(text string, width int) string {
	var b strings.Builder
	column := 0
	for i, word := range strings.Split(text, " ") {
		length := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case column+1+length > width:
			b.WriteString("\n  ")
			column, width = 2, lineWidth
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += length
	}
	b.WriteByte('\n')
	return b.String()
}

// WriteTerminationMessage writes to a container's termination log if it exists. It does not create the file.
func WriteTerminationMessage(path string, r Result) error {
	// O_NONBLOCK: if a pipe is mounted there, it must not block.
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC|syscall.O_NONBLOCK, 0)
	if os.IsNotExist(err) {
		return nil
	}
	if err == nil {
		_, err = file.WriteString(TerminationMessage(r))
		if closeErr := file.Close(); err == nil {
			err = closeErr
		}
	}
	if err != nil {
		return fmt.Errorf("write the termination message: %w", err)
	}
	return nil
}
