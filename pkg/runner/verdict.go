package runner

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/crashcheck/crashcheck/pkg/checker"
)

// evidence is what a verdict is reached on when the window has closed.
type evidence struct {
	closing  checker.Tally
	mostPods int // seen at once in some check
	selector string
	elapsed  time.Duration
	crashed  []checker.ContainerCrashes // worst first
	atStart  int64                      // crashes that the first check found
	firstAt  time.Duration              // when it had succeeded
	pods     int                        // distinct ones seen, by UID
}

// judge reaches the verdict of a window that has closed. The order of the cases is the order of precedence.
func judge(plan Plan, e evidence) (Verdict, string) {
	crashes := e.closing.Crashes
	switch {
	case crashes >= plan.CrashLimit:
		return Fail, fmt.Sprintf("%s, CRASH_LIMIT is %d%s", e.crashes(), plan.CrashLimit, worst(e.crashed))
	case int64(e.mostPods) < plan.MinPods && e.mostPods == 0:
		return Inconclusive, fmt.Sprintf("no pod ever matched %s: check HASH (or SELECTOR) and NAMESPACE", e.selector)
	case int64(e.mostPods) < plan.MinPods:
		return Inconclusive, fmt.Sprintf("never more than %s matched at once, MIN_PODS is %d", plural(int64(e.mostPods), "pod"), plan.MinPods)
	case plan.RequireReady && len(e.closing.NotReady) > 0:
		return NotReady, fmt.Sprintf("%s, below CRASH_LIMIT %d, but at the closing check %s",
			e.crashes(), plan.CrashLimit, e.notReady())
	case plan.RequireReady && plan.MinPods > 0 && e.closing.Judged == 0:
		return NotReady, fmt.Sprintf("%s, below CRASH_LIMIT %d, but at the closing check no pod was left that could be Ready",
			e.crashes(), plan.CrashLimit)
	}
	reason := fmt.Sprintf("%s, below CRASH_LIMIT %d", e.crashes(), plan.CrashLimit)
	switch {
	case e.mostPods == 0:
		reason += "; but no pod ever matched " + e.selector
	case e.closing.Judged == 0:
		reason += "; but at the closing check no pod was left"
	case len(e.closing.NotReady) > 0:
		reason += "; but at the closing check " + e.notReady() + " (REQUIRE_READY=on would not let this pass)"
	}
	return Pass, reason
}

// crashes counts them in words: where, and since when. What the first check finds has happened before.
func (e evidence) crashes() string {
	total := e.closing.Crashes
	text := plural(total, "crash")
	if pods := distinctPods(e.crashed); pods > 0 {
		text += fmt.Sprintf(" in %d of %s", pods, plural(int64(e.pods), "pod"))
	}
	switch {
	case e.atStart == 0:
		return text + " within " + short(e.elapsed)
	case e.atStart == total && total == 1:
		return text + " (" + e.found() + ")"
	case e.atStart == total:
		return text + " (all " + e.found() + ")"
	}
	return fmt.Sprintf("%s (%d of them %s)", text, e.atStart, e.found())
}

// found says of the first check's crashes when they happened, as far as it is known.
func (e evidence) found() string {
	if e.firstAt < soon {
		return "from before this run"
	}
	return "found by the first check that succeeded, after " + short(e.firstAt)
}

// soon after the start of a run is as good as its start.
const soon = time.Second

func distinctPods(crashed []checker.ContainerCrashes) int {
	pods := map[types.UID]bool{}
	for _, c := range crashed {
		pods[c.UID] = true
	}
	return len(pods)
}

// notReady counts the pods that are not Ready, and says what is known of the reason.
func (e evidence) notReady() string {
	text := fmt.Sprintf("%d of %s", len(e.closing.NotReady), plural(int64(e.closing.Judged), "pod"))
	if len(e.closing.NotReady) == 1 {
		text += " was"
	} else {
		text += " were"
	}
	text += " not Ready: " + some(e.closing.NotReady)
	for _, b := range e.closing.Blocked {
		if b.Pod == e.closing.NotReady[0] {
			b.Message = "" // it may be long, and the log has it
			return text + "; " + b.String()
		}
	}
	return text
}

// worst names the container that crashed most.
func worst(crashed []checker.ContainerCrashes) string {
	if len(crashed) == 0 {
		return ""
	}
	c := crashed[0]
	return fmt.Sprintf("; worst: %s/%s%s with %s, the last one with %s", c.Pod, c.Container, c.Kind.Suffix(), plural(c.Crashes, "crash"), c.End)
}

// some lists the first names and counts the rest.
func some(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// plural returns a count with its noun: "no crashes", "1 crash", "2 crashes".
func plural(n int64, noun string) string {
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

// short makes a time readable: tenths of a second below a minute, whole seconds above, and no zeros at its end.
func short(d time.Duration) string {
	precision := time.Second
	if d < time.Minute {
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
