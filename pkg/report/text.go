package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/crashcheck/crashcheck/pkg/checker"
)

// count returns a number with its noun: "no crashes", "1 crash", "2 crashes".
func count[N int | int64](n N, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "sh"):
		noun += "es"
	default:
		noun += "s"
	}
	if n == 0 {
		return "no " + noun
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// choose returns the form of a verb that agrees with a number.
func choose(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// names lists the first few names and counts the others.
func names(all []string) string {
	const most = 3
	if len(all) <= most {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:most], ", "), len(all)-most)
}

// name returns the name of a container, or of a pod if there is no container.
func name(pod, container string, kind checker.Kind) string {
	switch {
	case container == "":
		return "pod " + pod
	case kind == checker.Init || kind == checker.Sidecar:
		return fmt.Sprintf("%s/%s (%s)", pod, container, kind)
	}
	return pod + "/" + container
}

// duration is a time with as many digits as people read: 5m where the time package writes 5m0s.
func duration(d time.Duration) string {
	precision := time.Second
	switch {
	case d < time.Second:
		precision = time.Millisecond
	case d < time.Minute:
		precision = 100 * time.Millisecond
	}
	text := d.Round(precision).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// clock is the time of day in the local time zone, with the date if it is not close to now. An unknown time is "-".
func clock(at, now time.Time) string {
	switch {
	case at.IsZero():
		return "-"
	case now.Sub(at).Abs() < 12*time.Hour:
		return at.Local().Format(time.TimeOnly)
	}
	return at.Local().Format("2006-01-02 15:04")
}

// termination says how a container terminated, such as "exit code 137 (OOMKilled)", or why a pod failed.
func termination(kind checker.Kind, t *checker.Termination) string {
	if kind == checker.Pod && t != nil {
		return t.Reason
	}
	return t.String()
}

// terminationAndReason adds the container's termination message, or else what the exit code usually means.
func terminationAndReason(kind checker.Kind, t *checker.Termination) string {
	text := termination(kind, t)
	if t == nil {
		return text
	}
	if message := gist(t.Message); message != "" {
		return text + ": " + message
	}
	if meaning := hint(kind, t); meaning != "" {
		return text + ": " + meaning
	}
	return text
}

// hint says what a termination usually means.
func hint(kind checker.Kind, t *checker.Termination) string {
	if kind == checker.Pod {
		return ""
	}
	switch t.Reason {
	case "OOMKilled":
		return "exceeded its memory limit, or the node ran out of memory"
	case "ContainerStatusUnknown":
		return "the node lost track of the container"
	case "RestartingAllContainers":
		return "a restart rule restarted all containers of the pod"
	}
	switch t.ExitCode {
	case 0:
		if kind != checker.Init { // an init container has completed, and had to run again
			return "exited without an error, but should keep running"
		}
	case 1:
		return "application error"
	case 2:
		return "application error, such as a Go panic"
	case 126:
		return "command is not executable"
	case 127:
		return "command not found"
	case 128:
		return "container could not be started"
	case 134:
		return "aborted (SIGABRT)"
	case 137:
		return "killed (SIGKILL): failed liveness probe, node, or out of memory"
	case 139:
		return "segmentation fault (SIGSEGV)"
	case 143:
		return "terminated (SIGTERM): failed liveness probe, or by request"
	}
	return ""
}

// gist returns the most informative line of a termination message: Go's panic, or else the last line that is not part of a
// stack trace (these are indented).
func gist(message string) string {
	const most = 200 // bytes
	var best string
	for line := range strings.FieldsFuncSeq(message, func(r rune) bool { return r == '\n' || r == '\r' }) {
		switch text := strings.TrimSpace(line); {
		case strings.HasPrefix(line, "panic: "), strings.HasPrefix(line, "fatal error: "):
			return cut(text, most)
		case text == "":
		case best == "", line[0] != ' ' && line[0] != '\t':
			best = text
		}
	}
	return cut(best, most)
}
