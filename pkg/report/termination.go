package report

import (
	"errors"
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
	message := cut(Escape(verdictWord(r)+": "+r.shortReason()), maxVerdict)
	for i, text := range entries {
		entry := "\n- " + cut(Escape(text), maxEntry)
		more := fmt.Sprintf("\nand %d more", len(entries)-i)
		if len(message)+len(entry)+len(more) > maxTermination {
			return message + more
		}
		message += entry
	}
	return message
}

// verdictWord is the verdict in capitals.
func verdictWord(r Result) string {
	return strings.ToUpper(strings.ReplaceAll(string(r.Verdict), "_", " "))
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
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		return fmt.Errorf("cannot write the termination message: %w", err)
	}
	return nil
}
