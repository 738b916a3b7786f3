package report

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// maxTermination is the size of a termination message in bytes. Kubernetes keeps 4,096, less in pods of many containers.
const maxTermination = 2000

// TerminationMessage returns the verdict and the worst containers for people, at most 2,000 bytes.
func TerminationMessage(r Result) string {
	var b strings.Builder
	b.WriteString(cut(verdictSentence(r), maxTermination*3/4) + "\n")
	for i, c := range r.Containers {
		line := cut(Escape(fmt.Sprintf("%s/%s (%s): %s, last %s%s", c.Pod, c.Container, c.Kind, crashes(c.Crashes), c.End, hint(c.End))), 300) + "\n"
		if c.End != nil && strings.TrimSpace(c.End.Message) != "" {
			line += "  " + cut(Escape(strings.TrimSpace(c.End.Message)), 200) + "\n"
		}
		more := fmt.Sprintf("and %d more\n", len(r.Containers)-i)
		if b.Len()+len(line)+len(more) > maxTermination {
			b.WriteString(more)
			break
		}
		b.WriteString(line)
	}
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
