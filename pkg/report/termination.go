package report

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

const (
	// maxTermination is the size of a termination message in bytes. Kubernetes keeps 4,096, fewer in pods of many containers.
	maxTermination = 2000
	// maxVerdict and maxEntry are in bytes. They keep one long text from displacing all others.
	maxVerdict, maxEntry = maxTermination / 2, 400
)

// TerminationMessage returns the verdict, the version of a workload and the worst containers, a line each, at most 2,000 bytes.
func TerminationMessage(r Result) string {
	var entries []string
	if r.Workload != "" && r.Version.Name != "" {
		entries = append(entries, fmt.Sprintf("checked version %s of %s", r.Version.Name, r.Workload))
	}
	if len(r.Errors) > 1 { // one is the reason
		entries = append(entries, r.Errors...)
	}
	for _, c := range r.Containers {
		entries = append(entries, summarize(c))
	}
	var b strings.Builder
	b.WriteString(cut(Escape(verdictWord(r)+": "+shortReason(r)), maxVerdict))
	for i, text := range entries {
		entry, more := "\n- "+cut(Escape(text), maxEntry), fmt.Sprintf("\nand %d more", len(entries)-i)
		room := maxTermination - b.Len()
		if i < len(entries)-1 {
			room -= len(more)
		}
		if len(entry) > room {
			b.WriteString(more)
			break
		}
		b.WriteString(entry)
	}
	return b.String()
}

// WriteTerminationMessage writes to a container's termination log if it exists. It does not create the file.
func WriteTerminationMessage(path string, r Result) error {
	// O_NONBLOCK: if a pipe is mounted there, opening it must not block.
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
