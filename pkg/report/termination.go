package report

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"unicode/utf8"
)

const (
	// maxTermination is the size of a termination message in bytes. Kubernetes keeps 4,096, less in pods of many containers.
	maxTermination = 2000
	// lineWidth is that of a terminal; the first line stands behind the heading of kubectl describe.
	lineWidth, firstWidth = 80, 60
	// longestVerdict and longestEntry are in bytes: no one text may take the place of all others.
	longestVerdict, longestEntry = maxTermination / 2, 400
)

// TerminationMessage returns the verdict and the worst containers for people, at most 2,000 bytes. It is wrapped for
// kubectl describe, which shows it as it is.
func TerminationMessage(r Result) string {
	var b strings.Builder
	b.WriteString(wrap(cut(verdictWord(r)+": "+reasonSentence(r), longestVerdict), firstWidth))
	entries := r.Faults
	if len(entries) < 2 {
		entries = nil // the verdict says it
	}
	for _, c := range r.Containers {
		text := fmt.Sprintf("%s/%s (%s): %s, the last one with %s%s", c.Pod, c.Container, c.Kind, crashes(c.Crashes), c.End, hint(c.Kind, c.End))
		if c.End != nil && gist(c.End.Message) != "" {
			text += "; its last words: " + gist(c.End.Message)
		}
		entries = append(entries, text)
	}
	for i, text := range entries {
		entry := wrap("- "+cut(Escape(text), longestEntry), lineWidth)
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

// wrap breaks a text between words into lines of this width, the first one, and of lineWidth, the others, which are
// indented. A longer word stays whole: names are there to be copied.
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

// WriteTerminationMessage writes to a container's termination log if that exists, and does not make it otherwise.
func WriteTerminationMessage(path string, r Result) error {
	// O_NONBLOCK: whatever is mounted there, a pipe even, it must not block.
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC|syscall.O_NONBLOCK, 0)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("write the termination message: %w", err)
	}
	_, err = file.WriteString(TerminationMessage(r))
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("write the termination message: %w", err)
	}
	return nil
}
