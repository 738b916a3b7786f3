package report

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/pkg/runner"
)

// Close logs the crashed containers, the timeline, a summary and advice. The verdict is the last line.
//
// What a person needs fits in the last ten lines: this is how much of a log many tools show.
func (l *Log) Close(r Result) {
	if len(r.Errors) > 1 {
		for _, err := range r.Errors {
			l.say(slog.LevelError, "configurationError", err)
		}
	}
	advice := l.advice(r)
	if r.Verdict != runner.Invalid {
		l.crashed(r, 5-max(len(advice), 1))
		if line := l.timeline.draw(r.Elapsed); line != "" && !l.json {
			_, _ = io.WriteString(l.out, line+"\n")
		}
		l.summary(r)
	}
	for _, sentence := range advice {
		l.say(slog.LevelInfo, "advice", sentence)
	}
	level := slog.LevelError
	if r.Verdict == runner.Pass {
		level = slog.LevelInfo
		if len(caveats(r.Outcome)) > 0 {
			level = slog.LevelWarn
		}
	}
	l.say(level, "verdict", fmt.Sprintf("%s (exit code %d): %s", verdictWord(r), Code(r.Outcome), shortReason(r)),
		slog.String("verdict", string(r.Verdict)), slog.Int("exitCode", Code(r.Outcome)),
		slog.Int64("crashes", r.Crashes), slog.Int64("limit", max(r.Plan.CrashLimit, 0)))
}

// verdictWord is the verdict in capitals.
func verdictWord(r Result) string {
	return strings.ToUpper(strings.ReplaceAll(string(r.Verdict), "_", " "))
}

// shortReason is the reason where several configuration errors have lines of their own.
func shortReason(r Result) string {
	if len(r.Errors) > 1 {
		return fmt.Sprintf("%d configuration errors; crashcheck --help explains the variables", len(r.Errors))
	}
	return r.reason()
}

// crashed lists the containers that crashed most.
func (l *Log) crashed(r Result, rows int) {
	if !l.json {
		_, _ = io.WriteString(l.out, table(r, rows))
		return
	}
	for _, c := range r.Containers[:min(len(r.Containers), maxContainers)] {
		l.say(slog.LevelInfo, "crashedContainer", crashedContainer(c), crashed(c))
	}
}

// crashedContainer describes a crashed container in a sentence.
func crashedContainer(c checker.ContainerCrashes) string {
	return fmt.Sprintf("%s: %s, last: %s", name(c.Pod, c.Container, c.Kind), count(c.Crashes, "crash"), terminationAndReason(c.Kind, c.Termination))
}

// table lists the worst containers. The longest columns are the last.
func table(r Result, rows int) string {
	const maxTermination = 60 // bytes
	if len(r.Containers) == 0 {
		return ""
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CRASHES\tKIND\tLAST CRASH\tPOD/CONTAINER\tLAST TERMINATION")
	now := r.Start.Add(r.Elapsed)
	for _, c := range r.Containers[:min(len(r.Containers), rows)] {
		target, finishedAt := c.Pod, time.Time{}
		if c.Container != "" {
			target += "/" + c.Container
		}
		if c.Termination != nil {
			finishedAt = c.Termination.FinishedAt
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\n", c.Crashes, c.Kind, clock(finishedAt, now), Escape(target),
			cut(Escape(terminationAndReason(c.Kind, c.Termination)), maxTermination))
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
	if r.LongestGap > 2*l.plan.Interval { // shorter ones are normal
		sentence += "; longest time without a successful check: " + duration(r.LongestGap)
	}
	l.say(slog.LevelInfo, "summary", sentence, slog.Int64("checks", r.Checks), slog.Int64("failedChecks", r.FailedChecks), slog.Int("pods", r.Pods),
		slog.Float64("elapsedSeconds", seconds(r.Elapsed)), slog.Float64("longestGapSeconds", seconds(r.LongestGap)))
}

const noVerdict = "no verdict was reached: do not promote"

// advice says what to do, and which command shows more.
func (l *Log) advice(r Result) []string {
	kubectl := func(what, command string) string {
		return fmt.Sprintf("%s: kubectl -n %s %s", what, r.Namespace, command)
	}
	switch r.Verdict {
	case runner.Fail:
		return l.adviceOnCrashes(r, kubectl)
	case runner.NotReady:
		if len(r.Last.NotReady) > 0 {
			return []string{kubectl("details", "describe pod "+r.Last.NotReady[0])}
		}
	case runner.Interrupted:
		if r.Signal == syscall.SIGTERM {
			return []string{noVerdict + "; SIGTERM comes from a deleted Job, its deadline, or a drained node"}
		}
		return []string{noVerdict}
	case runner.Inconclusive:
		return []string{noVerdict, adviceOnInconclusive(r, kubectl)}
	}
	return nil
}

func adviceOnInconclusive(r Result, kubectl func(what, command string) string) string {
	t := r.Last
	switch r.Cause {
	case runner.NeverMatched, runner.Gone:
		return kubectl("pods and labels", "get pods --show-labels")
	case runner.NeverRan:
		switch {
		case cannotStart(t, t.NotRun) != "":
			return kubectl("details", "describe pod "+t.NotRun[0])
		case len(t.NotRun) > 0:
			return "the pods need more time to start: use a longer " + windowVariable(r.Outcome)
		}
		return kubectl("pods and labels", "get pods --show-labels")
	case runner.Unreported:
		return "details: kubectl describe node " + t.Unreported[0].Node
	}
	return kubectl("fix the reported problem; this command must succeed", "get pods")
}

// windowVariable names the variable that ended the window.
func windowVariable(o runner.Outcome) string {
	switch {
	case o.Plan.Count == 0:
		return "DURATION"
	case o.Checks < o.Plan.Count:
		return "MAX_DURATION"
	}
	return "run (COUNT)"
}

func (l *Log) adviceOnCrashes(r Result, kubectl func(what, command string) string) (advice []string) {
	if len(r.Containers) == 0 {
		return nil
	}
	sidecars := map[string]bool{}
	for _, c := range r.Containers {
		if c.Kind == checker.Sidecar {
			sidecars[c.Container] = true
		}
	}
	if !slices.ContainsFunc(r.Containers, func(c checker.ContainerCrashes) bool { return c.Kind != checker.Sidecar }) {
		advice = append(advice, "only sidecars crashed; to ignore them: IGNORE_CONTAINERS="+strings.Join(slices.Sorted(maps.Keys(sidecars)), ","))
	}
	switch c := r.Containers[0]; {
	case c.Kind == checker.Pod, c.Termination != nil && c.Termination.Reason == "OOMKilled": // the log does not say why
		advice = append(advice, kubectl("limits", "describe pod "+c.Pod))
	case !l.logLines:
		advice = append(advice, kubectl("logs", fmt.Sprintf("logs %s -c %s --previous", c.Pod, c.Container)))
	}
	return advice
}
