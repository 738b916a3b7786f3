package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/pkg/runner"
)

// Reason returns the verdict's sentence, without the verdict itself. It may contain text from the cluster: use [Escape]
// before you print it.
func Reason(o runner.Outcome) string {
	switch o.Verdict {
	case runner.Pass:
		return sentence(crashes(o), caveats(o))
	case runner.Fail:
		return sentence(crashes(o), worst(o.Containers))
	case runner.NotReady:
		// Either a pod is not Ready, or no pod was left to judge.
		which := cmp.Or(notReady(o.Last, o.Last.NotReady), "no pod that could be Ready remained at the final check")
		return sentence(crashes(o), which, notStarted(o.Last))
	case runner.Inconclusive:
		if o.Crashes == 0 {
			return inconclusive(o)
		}
		return sentence(inconclusive(o), crashes(o))
	case runner.Interrupted:
		return interrupted(o)
	}
	if o.Err != nil {
		return o.Err.Error()
	}
	return noVerdict
}

const noVerdict = "no verdict about the release"

// inconclusive says what is missing for a verdict about the release, and why.
func inconclusive(o runner.Outcome) string {
	switch o.Cause {
	case runner.Rejected:
		return fmt.Sprintf("the API server rejects the request: %v", o.Err)
	case runner.Denied:
		return fmt.Sprintf("the API server denies access: %v", o.Err)
	case runner.Unobserved:
		return unobserved(o)
	case runner.Aborted:
		return o.Version.Aborted
	case runner.NoVersion:
		return "the version to check is not known: " + o.Version.Pending
	case runner.Superseded:
		return o.Last.Superseded
	case runner.NeverMatched:
		return noMatch(o)
	case runner.NeverRan:
		return sentence(neverRan(o), notStarted(o.Last), failed(o))
	case runner.Gone:
		return sentence(gone(o), notStarted(o.Last), failed(o))
	case runner.Unreported:
		return unreported(o.Last)
	case runner.NoBaseline:
		return "only the final check could list the pods; BASELINE=start needs an earlier check to compare it with"
	}
	return noVerdict
}

// caveats says what is wrong with the pods although the verdict is a pass.
func caveats(o runner.Outcome) string {
	t := o.Last
	switch {
	case o.MostPods == 0:
		return noMatch(o)
	case t.Present == 0 && t.Active == 0:
		return gone(o)
	}
	explained := sets.New(t.NotRun...)
	for _, u := range t.Unreported {
		explained.Insert(u.Pod)
	}
	others := slices.DeleteFunc(slices.Clone(t.NotReady), explained.Has)
	return sentence(notStarted(t), unreported(t), notReady(t, others))
}

func interrupted(o runner.Outcome) string {
	if o.Checks == 0 {
		return fmt.Sprintf("%v before the first successful check", o.Err)
	}
	return sentence(fmt.Sprintf("%v after %s, before a verdict about the release was reached", o.Err, duration(o.Elapsed)), crashes(o))
}

// sentence joins parts of a sentence. The functions below return such parts. A part that does not apply is empty.
func sentence(parts ...string) string { return joined("; ", parts...) }

// crashes says how many crashes were counted, in how many pods, and how many of them may have happened before the run.
func crashes(o runner.Outcome) string {
	text := count(o.Crashes, "crash")
	pods := sets.New[types.UID]()
	for _, c := range o.Containers {
		pods.Insert(c.UID)
	}
	if len(pods) > 0 {
		text += fmt.Sprintf(" in %d of %s", len(pods), count(o.Pods, "pod"))
	}
	if o.AtStart > 0 {
		text += fmt.Sprintf(" (%d %s)", o.AtStart, foundAtStart)
	}
	if o.Verdict == runner.Pass || o.Verdict == runner.NotReady { // until the end of the window
		text += " within " + duration(o.Elapsed)
	}
	return fmt.Sprintf("%s, limit %d", text, o.Plan.CrashLimit)
}

const foundAtStart = "found at the first check"

// worst returns the name of the container that crashed most.
func worst(crashed []checker.ContainerCrashes) string {
	if len(crashed) == 0 {
		return ""
	}
	c := crashed[0]
	return fmt.Sprintf("worst: %s (%s, %s)", name(c.Pod, c.Container, c.Kind), count(c.Crashes, "crash"), termination(c))
}

func unobserved(o runner.Outcome) string {
	when := "not observed in the last " + duration(o.Elapsed-o.LastSuccess)
	if o.Checks == 0 || o.Last.Version.Pending != "" {
		when = "never observed in " + duration(o.Elapsed)
	}
	return fmt.Sprintf("the pods were %s (%s, API_GRACE %s): %v", when, count(o.Failures, "failure"), duration(o.Plan.APIGrace), o.Err)
}

func noMatch(o runner.Outcome) string { return "no pod matched " + o.Selector }

func neverRan(o runner.Outcome) string {
	text := "no pod ran"
	if o.MostRan > 0 {
		text = fmt.Sprintf("at most %s ran at the same time", count(o.MostRan, "pod"))
	}
	if o.Plan.MinPods > 1 {
		text += fmt.Sprintf(", MIN_PODS is %d", o.Plan.MinPods)
	}
	return text
}

// gone says since when no pod remains that can still crash, and in which states the remaining pods are.
func gone(o runner.Outcome) string {
	t, since := o.Last, clock(o.Start.Add(o.GoneSince), o.Start.Add(o.Elapsed))
	if t.Pods == 0 {
		return fmt.Sprintf("no pods remained at the final check (none since %s)", since)
	}
	return fmt.Sprintf("no running pods remained at the final check (none since %s; %d being deleted, %d failed, %d not started)",
		since, t.Deleted, t.PodsFailed, len(t.NotRun))
}

// notStarted describes the first container that cannot start, or otherwise the pods that were still starting.
func notStarted(t checker.Tally) string {
	switch n := len(t.CannotStart); {
	case n == 1:
		return cannotStart(t.CannotStart[0])
	case n > 1:
		return fmt.Sprintf("%s (%d more cannot start)", cannotStart(t.CannotStart[0]), n-1)
	case len(t.NotRun) > 0:
		return fmt.Sprintf("%s %s still starting at the final check", names(t.NotRun), choose(len(t.NotRun), "was", "were"))
	}
	return ""
}

// cannotStart explains why a container, or a whole pod, cannot start.
func cannotStart(c checker.CannotStart) string {
	return stateOf(name(c.Pod, c.Container, "")+" cannot start", c.Reason, c.Message)
}

// failed describes the pod that failed last, if the final check listed a failed one.
func failed(o runner.Outcome) string {
	if o.Last.PodsFailed == 0 || o.LastFailure == nil {
		return ""
	}
	return podFailed(*o.LastFailure)
}

func podFailed(f checker.PodFailure) string {
	return stateOf("pod "+f.Pod+" failed", f.Reason, f.Message)
}

// stateOf adds to a state what the API server says about it.
func stateOf(state, reason, message string) string {
	return joined(": ", state, reason, strings.TrimRight(message, ". \n"))
}

// unreported names the nodes that have stopped reporting.
func unreported(t checker.Tally) string {
	nodes := sets.New[string]()
	for _, u := range t.Unreported {
		nodes.Insert(u.Node)
	}
	if len(nodes) == 0 {
		return ""
	}
	return fmt.Sprintf("the %s of %d of %s %s stopped reporting: %s", choose(len(nodes), "node", "nodes"),
		len(t.Unreported), count(t.Active, "pod"), choose(len(nodes), "has", "have"), names(sets.List(nodes)))
}

func notReady(t checker.Tally, pods []string) string {
	if len(pods) == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %s %s not Ready at the final check: %s", len(pods), count(t.Active, "pod"), choose(len(pods), "was", "were"), names(pods))
}
