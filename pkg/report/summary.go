package report

import (
	"fmt"
	"log/slog"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/crashcheck/crashcheck/pkg/runner"
)

// Close logs the crashed containers, the timeline, a summary and advice. The verdict is the last line. In the text log,
// these are at most ten lines, because many tools show only the last ten lines of a log.
func (l *Log) Close(r Result) {
	if len(r.Errors) > 1 {
		for _, err := range r.Errors {
			l.say(slog.LevelError, err, "event", "configurationError")
		}
	}
	if r.Verdict != runner.Invalid {
		l.print(table(r))
		if r.Failures > 0 {
			l.timeline.addGap(r.LastSuccess, r.Elapsed)
		}
		l.print(l.timeline.draw(r.Elapsed))
		summary := fmt.Sprintf("%s in %s, %s seen", count(r.Checks, "check"), duration(r.Elapsed), count(r.Pods, "pod"))
		if r.FailedChecks > 0 {
			summary += ", " + count(r.FailedChecks, "failed attempt")
		}
		l.Info(summary)
	}
	if sentence := advice(r); sentence != "" {
		l.Info(sentence)
	}
	level := slog.LevelError
	switch {
	case r.Verdict == runner.Pass && caveats(r.Outcome) != "":
		level = slog.LevelWarn
	case r.Verdict == runner.Pass:
		level = slog.LevelInfo
	}
	l.say(level, fmt.Sprintf("%s (exit code %d): %s", verdictWord(r), Code(r.Outcome), r.shortReason()),
		"event", "verdict", "verdict", r.Verdict, "exitCode", Code(r.Outcome), "crashes", r.Crashes, "limit", r.limit())
}

// table lists the containers with the most crashes. The longest columns are the last ones.
func table(r Result) string {
	const (
		maxRows        = 4
		maxExplanation = 60 // bytes
	)
	if len(r.Containers) == 0 {
		return ""
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CRASHES\tKIND\tLAST CRASH\tPOD/CONTAINER\tLAST TERMINATION")
	now := r.Start.Add(r.Elapsed)
	for _, c := range r.Containers[:min(len(r.Containers), maxRows)] {
		var finishedAt time.Time
		if c.Termination != nil {
			finishedAt = c.Termination.FinishedAt
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\n", c.Crashes, c.Kind, clock(finishedAt, now),
			Escape(joined("/", c.Pod, c.Container)), cut(Escape(explain(c)), maxExplanation))
	}
	_ = w.Flush() // to memory
	if more := len(r.Containers) - maxRows; more > 0 {
		fmt.Fprintf(&b, "and %s\n", count(more, "more container"))
	}
	return b.String()
}

// advice says what to do next, and which command shows details.
func advice(r Result) string {
	switch r.Verdict {
	case runner.Fail, runner.NotReady:
		return details(r)
	case runner.Inconclusive:
		return noVerdict + ": do not promote; " + details(r)
	case runner.Interrupted:
		return noVerdict + ": " + interruptedRemedy
	}
	return ""
}

// details says which command shows more about the cause of a verdict.
func details(r Result) string {
	kubectl := "kubectl -n " + r.Namespace + " "
	switch t := r.Last; {
	case r.Verdict == runner.Fail && len(r.Containers) > 0 && r.Containers[0].Container != "":
		worst := r.Containers[0]
		return fmt.Sprintf("logs, while the pod exists: %slogs %s -c %s --previous", kubectl, worst.Pod, worst.Container)
	case r.Verdict == runner.Fail && len(r.Containers) > 0:
		return "details: " + kubectl + "describe pod " + r.Containers[0].Pod
	case r.Err != nil:
		return "fix the problem that the next line names"
	case r.Cause == runner.NeverMatched && r.Workload == "":
		return "check HASH (or SELECTOR) and NAMESPACE: " + kubectl + "get pods --show-labels"
	case r.Cause == runner.Superseded:
		return "run the gate again to check the current version"
	case r.Cause == runner.NoBaseline:
		return "run the gate again"
	case r.Cause == runner.NoVersion, r.Cause == runner.Aborted, r.Cause == runner.NeverMatched:
		return "details: " + kubectl + "describe " + r.Workload
	case len(t.CannotStart) > 0:
		return "details: " + kubectl + "describe pod " + t.CannotStart[0].Pod
	case len(t.Unreported) > 0:
		return "details: kubectl describe node " + t.Unreported[0].Node
	case len(t.NotReady) > 0:
		return "details: " + kubectl + "describe pod " + t.NotReady[0]
	}
	return "details: " + kubectl + "get pods --show-labels"
}
