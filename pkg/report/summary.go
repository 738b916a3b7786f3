package report

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/pkg/runner"
)

// Close logs the crashed containers, the timeline, a summary and advice. The verdict is the last line. In the text log,
// these are at most ten lines, because many tools show only the last ten lines of a log.
func (l *Log) Close(r Result) {
	if len(r.Errors) > 1 {
		for _, err := range r.Errors {
			l.say(slog.LevelError, "configurationError", err)
		}
	}
	advice := l.advice(r)
	if r.Verdict != runner.Invalid {
		l.print(table(r, 5-len(advice)))
		for _, c := range r.Containers[:min(len(r.Containers), maxContainers)] {
			if l.json {
				l.say(slog.LevelInfo, "crashedContainer", summarize(c), "crashed", newJSONContainer(c))
			}
		}
		l.print(l.timeline.draw(r.Elapsed))
		l.summary(r)
	}
	for _, sentence := range advice {
		l.say(slog.LevelInfo, "advice", sentence)
	}
	level := slog.LevelError
	switch {
	case r.Verdict == runner.Pass && len(caveats(r.Outcome)) > 0:
		level = slog.LevelWarn
	case r.Verdict == runner.Pass:
		level = slog.LevelInfo
	}
	l.say(level, "verdict", fmt.Sprintf("%s (exit code %d): %s", verdictWord(r), Code(r.Outcome), shortReason(r)),
		"verdict", r.Verdict, "exitCode", Code(r.Outcome), "crashes", r.Crashes, "limit", r.limit())
}

// verdictWord is the verdict in capitals.
func verdictWord(r Result) string {
	return strings.ToUpper(strings.ReplaceAll(string(r.Verdict), "_", " "))
}

// shortReason is the reason, or only the number of configuration errors if each of them has its own line.
func shortReason(r Result) string {
	if len(r.Errors) > 1 {
		return fmt.Sprintf("%d configuration errors; crashcheck --help explains the variables", len(r.Errors))
	}
	return r.reason()
}

// table lists the containers with the most crashes. The longest columns are the last ones.
func table(r Result, rows int) string {
	const maxExplanation = 60 // bytes
	if len(r.Containers) == 0 {
		return ""
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CRASHES\tKIND\tLAST CRASH\tPOD/CONTAINER\tLAST TERMINATION")
	now := r.Start.Add(r.Elapsed)
	for _, c := range r.Containers[:min(len(r.Containers), rows)] {
		var finishedAt time.Time
		if c.Termination != nil {
			finishedAt = c.Termination.FinishedAt
		}
		target := strings.TrimSuffix(c.Pod+"/"+c.Container, "/")
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\n", c.Crashes, c.Kind, clock(finishedAt, now), Escape(target),
			cut(Escape(explain(c.Kind, c.Termination)), maxExplanation))
	}
	_ = w.Flush() // to memory
	if more := len(r.Containers) - rows; more > 0 {
		fmt.Fprintf(&b, "and %s\n", count(more, "more container"))
	}
	return b.String()
}

// summary says how well the pods were observed.
func (l *Log) summary(r Result) {
	sentence := fmt.Sprintf("%s in %s, %s seen", count(r.Checks, "check"), duration(r.Elapsed), count(r.Pods, "pod"))
	if r.FailedChecks > 0 {
		sentence += ", " + count(r.FailedChecks, "failed attempt")
	}
	if r.LongestGap > 2*r.Plan.Interval { // shorter ones are normal
		sentence += "; longest time without a successful check: " + duration(r.LongestGap)
	}
	l.say(slog.LevelInfo, "summary", sentence, "checks", r.Checks, "failedChecks", r.FailedChecks, "pods", r.Pods,
		"elapsedSeconds", seconds(r.Elapsed), "longestGapSeconds", seconds(r.LongestGap))
}

// advice says what to do, and which command shows details.
func (l *Log) advice(r Result) []string {
	const noVerdict = "no verdict was reached: do not promote"
	kubectl := "kubectl -n " + r.Namespace + " "
	switch r.Verdict {
	case runner.Fail:
		return l.adviceOnCrashes(r.Containers, kubectl)
	case runner.NotReady:
		if len(r.Last.NotReady) > 0 {
			return []string{"details: " + kubectl + "describe pod " + r.Last.NotReady[0]}
		}
	case runner.Inconclusive:
		return []string{noVerdict + "; " + adviceOnCause(r, kubectl)}
	case runner.Interrupted:
		if r.Signal == syscall.SIGTERM {
			return []string{noVerdict + "; causes of SIGTERM: the Job was deleted or exceeded its deadline, or the node was drained"}
		}
		return []string{noVerdict}
	}
	return nil
}

func adviceOnCause(r Result, kubectl string) string {
	switch t := r.Last; {
	case r.Cause == runner.Superseded:
		return "run the gate again to check the current version"
	case r.Cause == runner.NoVersion, r.Cause == runner.Aborted:
		return "details: " + kubectl + "describe " + r.Workload
	case r.Cause == runner.NeverRan && len(t.CannotStart) > 0:
		return "details: " + kubectl + "describe pod " + t.CannotStart[0].Pod
	case r.Cause == runner.NeverRan && len(t.NotRun) > 0:
		return "if the pods only need more time to start, use a longer DURATION (or COUNT)"
	case r.Cause == runner.NeverRan, r.Cause == runner.NeverMatched, r.Cause == runner.Gone:
		return "pods: " + kubectl + "get pods --show-labels"
	case r.Cause == runner.Unreported && len(t.Unreported) > 0:
		return "details: kubectl describe node " + t.Unreported[0].Node
	}
	return "fix the reported problem; to test access: " + kubectl + "get pods"
}

func (l *Log) adviceOnCrashes(crashed []checker.ContainerCrashes, kubectl string) (advice []string) {
	if len(crashed) == 0 {
		return nil
	}
	var sidecars []string
	for _, c := range crashed {
		if c.Kind == checker.Sidecar {
			sidecars = append(sidecars, c.Container)
		}
	}
	if len(sidecars) == len(crashed) {
		slices.Sort(sidecars)
		advice = append(advice, "only sidecars crashed; to ignore them, set IGNORE_CONTAINERS="+strings.Join(slices.Compact(sidecars), ","))
	}
	switch worst := crashed[0]; {
	case worst.Kind == checker.Pod, worst.Termination != nil && worst.Termination.Reason == "OOMKilled": // its log does not say why
		return append(advice, "limits: "+kubectl+"describe pod "+worst.Pod)
	case !l.said.logLines:
		return append(advice, fmt.Sprintf("logs: %slogs %s -c %s --previous", kubectl, worst.Pod, worst.Container))
	}
	return advice
}
