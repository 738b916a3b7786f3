package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/crashcheck/crashcheck/pkg/checker"
)

// joined joins the parts that are not empty.
func joined(separator string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), separator)
}

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

// choose returns the singular or the plural of a word, depending on a number.
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

// duration rounds a time and returns it in a short form: 5m, not 5m0s as the time package does.
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

// summarize describes a crashed container.
func summarize(c checker.ContainerCrashes) string {
	return fmt.Sprintf("%s: %s, last: %s", name(c.Pod, c.Container, c.Kind), count(c.Crashes, "crash"), explain(c))
}

// explain adds to a termination the container's message, or otherwise the usual meaning of the termination.
func explain(c checker.ContainerCrashes) string {
	t := c.Termination
	if t == nil {
		return termination(c)
	}
	return joined(": ", termination(c), cmp.Or(gist(t.Message), meanings[t.Reason], meanings[strconv.Itoa(int(t.ExitCode))]))
}

// termination says how a container terminated, such as "exit code 137 (OOMKilled)", or why a pod failed.
func termination(c checker.ContainerCrashes) string {
	if c.Kind == checker.Pod && c.Termination != nil {
		return c.Termination.Reason
	}
	return c.Termination.String()
}

// meanings explains reasons and exit codes of terminations.
var meanings = map[string]string{
	"Completed":               "exited without an error, but is restarted",
	"OOMKilled":               "exceeded its memory limit, or the node ran out of memory",
	"ContainerStatusUnknown":  "the node lost track of the container",
	"RestartingAllContainers": "a restart rule restarted all containers of the pod",

	"126": "command is not executable",
	"127": "command not found",
	"128": "container could not be started",
	"134": "aborted (SIGABRT)",
	"137": "killed (SIGKILL), for example by a failed liveness probe or the node",
	"139": "segmentation fault (SIGSEGV)",
	"143": "terminated (SIGTERM), for example by a failed liveness probe",
}

// gist returns the most informative line of a termination message: the panic of a Go program, or otherwise the last line
// that is not part of a stack trace (the lines of a stack trace are indented).
func gist(message string) string {
	const most = 200 // bytes
	var best string
	for line := range strings.Lines(message) {
		text := strings.TrimSpace(line)
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			return cut(text, most)
		}
		indented := line[0] == ' ' || line[0] == '\t'
		if text != "" && (best == "" || !indented) {
			best = text
		}
	}
	return cut(best, most)
}
