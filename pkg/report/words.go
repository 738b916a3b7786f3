package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/crashcheck/crashcheck/pkg/checker"
)

// verdictWord is the verdict in capitals.
func verdictWord(r Result) string {
	return strings.ToUpper(strings.ReplaceAll(string(r.Verdict), "_", " "))
}

// reasonSentence is the verdict's reason. Several faults of a configuration have lines of their own; here they are only
// counted.
func reasonSentence(r Result) string {
	if len(r.Faults) > 1 {
		return fmt.Sprintf("the configuration has %d faults; crashcheck --help explains the variables", len(r.Faults))
	}
	return Escape(r.Reason)
}

func crashes(n int64) string {
	switch n {
	case 0:
		return "no crashes"
	case 1:
		return "1 crash"
	}
	return fmt.Sprintf("%d crashes", n)
}

func count[N int | int64](n N, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// were adds the verb to a count.
func were(counted string, n int) string {
	if n == 1 {
		return counted + " was"
	}
	return counted + " were"
}

// names lists the first few and counts the rest.
func names(all []string) string {
	const most = 5
	if len(all) <= most {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:most], ", "), len(all)-most)
}

// hint says what an exit code usually means, for people who do not know them by heart. It begins with a colon.
func hint(kind checker.Kind, end *checker.End) string {
	if end == nil {
		return ""
	}
	switch {
	case end.Reason == "OOMKilled":
		return ": it used more memory than its limit, or the node, allows"
	case end.Reason == "ContainerStatusUnknown":
		return ": the node lost sight of it"
	}
	switch end.ExitCode {
	case 0:
		if kind == checker.Init {
			return "" // it has done its work, and had to do it again
		}
		return ": it ended without an error, but should keep running"
	case 1:
		return ": an error of the program's own"
	case 2:
		return ": an error of the program's own, such as a Go panic"
	case 126:
		return ": its command is not executable"
	case 127:
		return ": its command was not found"
	case 128:
		return ": its command could not be started"
	case 134:
		return ": it aborted itself (SIGABRT)"
	case 137:
		return ": it was killed (SIGKILL): by a failed liveness probe, the node or a person, or for memory unnoticed by Kubernetes"
	case 139:
		return ": it accessed memory that it must not (SIGSEGV)"
	case 143:
		return ": it was told to end (SIGTERM): by a failed liveness probe or a person"
	}
	return ""
}

// gist returns the line of a container's last words that says most: Go's panic, or else the last line that is not
// part of a stack trace (those are indented).
func gist(message string) string {
	var best string
	for line := range strings.FieldsFuncSeq(message, func(r rune) bool { return r == '\n' || r == '\r' }) {
		switch text := strings.TrimSpace(line); {
		case strings.HasPrefix(line, "panic: "), strings.HasPrefix(line, "fatal error: "):
			return cut(text, longestGist)
		case text == "":
		case best == "", line[0] != ' ' && line[0] != '\t':
			best = text
		}
	}
	return cut(best, longestGist)
}

// longestGist is in bytes.
const longestGist = 200

// short makes a time readable: tenths of a second below a minute, whole seconds above, and no zeros at its end.
func short(d time.Duration) string {
	precision := time.Second
	if d < time.Minute {
		precision = 100 * time.Millisecond
	}
	return exact(d.Round(precision))
}

// exact is the time as people write it: 5m, where the time package writes 5m0s.
func exact(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
