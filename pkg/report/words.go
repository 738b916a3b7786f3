package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/crashcheck/crashcheck/pkg/checker"
)

// verdictSentence is the answer in one line: the verdict in capitals, and its reason.
func verdictSentence(r Result) string {
	return strings.ToUpper(strings.ReplaceAll(string(r.Verdict), "_", " ")) + ": " + Escape(r.Reason)
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

func count(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
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
func hint(end *checker.End) string {
	if end == nil {
		return ""
	}
	switch {
	case end.Reason == "OOMKilled":
		return ": out of memory, above the container's memory limit"
	case end.Reason == "ContainerStatusUnknown":
		return ": the node lost sight of it"
	}
	switch end.ExitCode {
	case 0:
		return ": it ended by itself, but should keep running"
	case 126:
		return ": its command is not executable"
	case 127:
		return ": its command was not found"
	case 128:
		return ": its command could not be started"
	case 134:
		return ": it aborted (SIGABRT)"
	case 137:
		return ": killed by SIGKILL, not for memory (a failed liveness probe, the node, or a person)"
	case 139:
		return ": segmentation fault (SIGSEGV)"
	case 143:
		return ": ended by SIGTERM (a failed liveness probe, or a person)"
	}
	return ""
}

// short makes a time readable: tenths of a second below a minute, whole seconds above.
func short(d time.Duration) string {
	if d < time.Minute {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
