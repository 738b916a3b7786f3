package runner

import (
	"fmt"
	"strings"
	"time"

	"github.com/crashcheck/crashcheck/pkg/checker"
)

// evidence is what a verdict is reached on when the window has closed.
type evidence struct {
	closing  checker.Tally
	mostPods int // seen at once in some check
	selector string
	elapsed  time.Duration
	crashed  []checker.ContainerCrashes // worst first
}

// judge reaches the verdict of a window that has closed. The order of the cases is the order of precedence.
func judge(plan Plan, e evidence) (Verdict, string) {
	crashes := e.closing.Crashes
	switch {
	case crashes >= plan.CrashLimit:
		return Fail, fmt.Sprintf("%s seen within %s, CRASH_LIMIT is %d%s", plural(crashes, "crash"), round(e.elapsed), plan.CrashLimit, worst(e.crashed))
	case int64(e.mostPods) < plan.MinPods && e.mostPods == 0:
		return Inconclusive, fmt.Sprintf("no pod ever matched %s: check HASH (or SELECTOR) and NAMESPACE", e.selector)
	case int64(e.mostPods) < plan.MinPods:
		return Inconclusive, fmt.Sprintf("never more than %s matched at once, MIN_PODS is %d", plural(int64(e.mostPods), "pod"), plan.MinPods)
	case plan.RequireReady && len(e.closing.NotReady) > 0:
		return NotReady, fmt.Sprintf("%s, below CRASH_LIMIT %d, but at the closing check %d of %s not Ready: %s%s",
			plural(crashes, "crash"), plan.CrashLimit, len(e.closing.NotReady), plural(int64(e.closing.Judged), "pod")+were(e.closing.Judged), some(e.closing.NotReady), whyBlocked(e.closing.Blocked))
	case plan.RequireReady && plan.MinPods > 0 && e.closing.Judged == 0:
		return NotReady, fmt.Sprintf("%s, below CRASH_LIMIT %d, but at the closing check no pod was left that could be Ready",
			plural(crashes, "crash"), plan.CrashLimit)
	}
	return Pass, fmt.Sprintf("%s within %s, below CRASH_LIMIT %d", plural(crashes, "crash"), round(e.elapsed), plan.CrashLimit)
}

// worst names the container that crashed most.
func worst(crashed []checker.ContainerCrashes) string {
	if len(crashed) == 0 {
		return ""
	}
	c := crashed[0]
	return fmt.Sprintf("; worst: %s/%s with %s, at last %s", c.Pod, c.Container, plural(c.Crashes, "crash"), c.End)
}

// whyBlocked says why the first of the pods that cannot start does not.
func whyBlocked(blocked []checker.Blocked) string {
	if len(blocked) == 0 {
		return ""
	}
	return "; " + blocked[0].String()
}

func were(n int) string {
	if n == 1 {
		return " was"
	}
	return " were"
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

// round makes a time readable: tenths of a second below a minute, whole seconds above.
func round(d time.Duration) time.Duration {
	if d < time.Minute {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Second)
}
