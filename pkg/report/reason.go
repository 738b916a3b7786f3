package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/pkg/runner"
)

// Reason returns the verdict's sentence, without the verdict itself. It may contain text from the cluster: use [Escape]
// before you print it.
func Reason(o runner.Outcome) string {
	switch o.Verdict {
	case runner.Pass:
		return strings.Join(append([]string{belowLimit(o)}, caveats(o)...), "; ")
	case runner.Fail:
		return fmt.Sprintf("%s, limit %d%s", crashes(o), o.Plan.CrashLimit, worst(o.Containers))
	case runner.NotReady:
		if o.Cause == runner.NoneToJudge {
			return belowLimit(o) + "; no pod that could be Ready remained at the final check"
		}
		return belowLimit(o) + "; " + notReady(o.Last, o.Last.NotReady)
	case runner.Inconclusive:
		return inconclusive(o)
	case runner.Interrupted:
		return interrupted(o)
	}
	if o.Err != nil {
		return o.Err.Error()
	}
	return "no verdict was reached"
}

// crashes counts the crashes, and says in how many pods, and which of them happened before the run.
func crashes(o runner.Outcome) string {
	text := count(o.Crashes, "crash")
	pods := map[types.UID]bool{}
	for _, c := range o.Containers {
		pods[c.UID] = true
	}
	if len(pods) > 0 {
		text += fmt.Sprintf(" in %d of %s", len(pods), count(o.Pods, "pod"))
	}
	found := "before this run"
	if o.FirstCheck >= time.Second { // some of them may have happened since the start
		found = "found by the first successful check, after " + duration(o.FirstCheck)
	}
	switch {
	case o.AtStart == 0:
		return text
	case o.AtStart == o.Crashes && o.Crashes > 1:
		return text + " (all " + found + ")"
	case o.AtStart == o.Crashes:
		return text + " (" + found + ")"
	}
	return fmt.Sprintf("%s (%d %s)", text, o.AtStart, found)
}

func belowLimit(o runner.Outcome) string {
	text := crashes(o)
	if o.AtStart == 0 {
		text += " within " + duration(o.Elapsed)
	}
	return fmt.Sprintf("%s, limit %d", text, o.Plan.CrashLimit)
}

// worst names the container that crashed most.
func worst(crashed []checker.ContainerCrashes) string {
	if len(crashed) == 0 {
		return ""
	}
	c := crashed[0]
	return fmt.Sprintf("; worst: %s (%s, %s)", name(c.Pod, c.Container, c.Kind), count(c.Crashes, "crash"), termination(c.Kind, c.Termination))
}

// inconclusive says what is missing for another verdict, and why.
func inconclusive(o runner.Outcome) string {
	var text string
	switch o.Cause {
	case runner.Rejected:
		return fmt.Sprintf("the API server rejects the request: %v", o.Err)
	case runner.Denied:
		return fmt.Sprintf("the API server denies access: %v", o.Err)
	case runner.Unobserved:
		return unobserved(o)
	case runner.NeverMatched:
		return fmt.Sprintf("no pod matched %s: check HASH (or SELECTOR) and NAMESPACE", o.Selector)
	case runner.NeverRan:
		text = neverRan(o)
	case runner.Gone:
		text = gone(o)
	case runner.Unreported:
		text = unreported(o.Last)
	default:
		text = "no verdict was reached"
	}
	if o.Crashes > 0 {
		text += fmt.Sprintf("; %s, limit %d", crashes(o), o.Plan.CrashLimit)
	}
	return text
}

func unobserved(o runner.Outcome) string {
	failures, grace := count(o.Failures, "failure"), duration(o.Plan.APIGrace)
	if o.Checks == 0 {
		return fmt.Sprintf("the pods were never observed (%s in %s, API_GRACE %s): %v", failures, duration(o.Elapsed), grace, o.Err)
	}
	return fmt.Sprintf("the pods were not observed in the last %s (%s, API_GRACE %s; until then %s, limit %d): %v",
		duration(o.Elapsed-o.LastSuccess), failures, grace, crashes(o), o.Plan.CrashLimit, o.Err)
}

func interrupted(o runner.Outcome) string {
	by := "ended"
	switch {
	case o.Signal != nil:
		by = runner.SignalError{Signal: o.Signal}.Error()
	case o.Err != nil:
		by = "ended: " + o.Err.Error()
	}
	if o.Checks == 0 {
		return by + " before the first successful check"
	}
	return fmt.Sprintf("%s after %s, before a verdict was reached; %s, limit %d", by, duration(o.Elapsed), crashes(o), o.Plan.CrashLimit)
}

func neverRan(o runner.Outcome) string {
	text := "no pod ran"
	if o.MostRan > 0 {
		text = fmt.Sprintf("at most %s ran at the same time", count(o.MostRan, "pod"))
	}
	if o.Plan.MinPods > 1 {
		text += fmt.Sprintf(", MIN_PODS is %d", o.Plan.MinPods)
	}
	parts := []string{text}
	if blocked := cannotStart(o.Last, o.Last.NotRun); blocked != "" {
		parts = append(parts, blocked)
	} else if waiting := o.Last.NotRun; len(waiting) > 0 {
		parts = append(parts, fmt.Sprintf("%s %s still starting at the final check", names(waiting), choose(len(waiting), "was", "were")))
	}
	return strings.Join(append(parts, failed(o)...), "; ")
}

// gone says since when no pod is left that has run and could still crash, and what became of the others.
func gone(o runner.Outcome) string {
	since := clock(o.Start.Add(o.GoneSince), o.Start.Add(o.Elapsed))
	if o.Last.Pods == 0 {
		return "no pods remained at the final check, since " + since
	}
	var others []string
	for _, other := range []struct {
		pods  int
		state string
	}{{o.Last.Deleted, "being deleted"}, {o.Last.PodsFailed, "failed"}, {len(o.Last.NotRun), "not started"}} {
		if other.pods > 0 {
			others = append(others, fmt.Sprintf("%d %s", other.pods, other.state))
		}
	}
	text := fmt.Sprintf("no running pods remained at the final check, since %s (%s)", since, strings.Join(others, ", "))
	parts := append([]string{text}, failed(o)...)
	if blocked := cannotStart(o.Last, o.Last.NotRun); blocked != "" {
		parts = append(parts, blocked)
	}
	return strings.Join(parts, "; ")
}

// failed describes the pod that failed last, if a failed one was listed at the end.
func failed(o runner.Outcome) []string {
	if o.Last.PodsFailed == 0 || o.LastFailure == nil {
		return nil
	}
	return []string{podFailed(*o.LastFailure)}
}

// podFailed says which pod failed and why.
func podFailed(f checker.PodFailure) string {
	return fmt.Sprintf("pod %s failed%s", f.Pod, reasonAndMessage(f.Reason, f.Message))
}

// caveats says what a pass does not cover.
func caveats(o runner.Outcome) []string {
	t := o.Last
	switch {
	case o.MostPods == 0:
		return []string{"no pod matched " + o.Selector}
	case t.Present == 0 && t.Active == 0:
		return []string{gone(o)}
	}
	var all []string
	known := slices.Clone(t.NotRun)
	if len(t.NotRun) > 0 {
		text := fmt.Sprintf("%d of %s %s not run: %s", len(t.NotRun), count(t.Active, "pod"), choose(len(t.NotRun), "has", "have"), names(t.NotRun))
		if blocked := cannotStart(t, t.NotRun); blocked != "" {
			text += "; " + blocked
		}
		all = append(all, text)
	}
	if len(t.Unreported) > 0 {
		all = append(all, unreported(t))
		for _, u := range t.Unreported {
			known = append(known, u.Pod)
		}
	}
	others := slices.DeleteFunc(slices.Clone(t.NotReady), func(pod string) bool { return slices.Contains(known, pod) })
	if len(others) > 0 {
		all = append(all, notReady(t, others)+" (REQUIRE_READY=on would not pass)")
	}
	return all
}

// unreported names the nodes that have stopped reporting.
func unreported(t checker.Tally) string {
	var nodes []string
	for _, u := range t.Unreported {
		if !slices.Contains(nodes, u.Node) {
			nodes = append(nodes, u.Node)
		}
	}
	return fmt.Sprintf("the %s of %d of %s %s stopped reporting: %s", choose(len(nodes), "node", "nodes"),
		len(t.Unreported), count(t.Active, "pod"), choose(len(nodes), "has", "have"), names(nodes))
}

func notReady(t checker.Tally, pods []string) string {
	text := fmt.Sprintf("%d of %s %s not Ready at the final check: %s", len(pods), count(t.Active, "pod"), choose(len(pods), "was", "were"), names(pods))
	if blocked := cannotStart(t, pods); blocked != "" {
		text += "; " + blocked
	}
	return text
}

// cannotStart describes the first of the containers of these pods that cannot start, and counts the others. It is empty if
// there are none.
func cannotStart(t checker.Tally, pods []string) string {
	text, more := "", 0
	for _, c := range t.CannotStart {
		switch {
		case !slices.Contains(pods, c.Pod):
		case text == "":
			text = containerCannotStart(c)
		default:
			more++
		}
	}
	if more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return text
}

func containerCannotStart(c checker.CannotStart) string {
	return name(c.Pod, c.Container, "") + " cannot start" + reasonAndMessage(c.Reason, c.Message)
}

// reasonAndMessage returns the kubelet's explanation, behind a colon.
func reasonAndMessage(reason, message string) (text string) {
	if reason != "" {
		text += ": " + reason
	}
	if message = strings.TrimSpace(message); message != "" {
		text += ": " + message
	}
	return text
}
