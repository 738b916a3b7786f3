package runner

import (
	"fmt"
	"math"
	"time"
)

// Plan is what a run is to do.
type Plan struct {
	Interval    time.Duration // between checks, greater than 0
	Count       int64         // successful checks to make; 0: the window is Duration
	MaxDuration time.Duration // cap on a run of Count checks; 0: none
	Duration    time.Duration // the window when Count is 0

	CrashLimit   int64         // fail at this many crashes
	MinPods      int64         // matching pods that must have been seen at once in some check
	RequireReady bool          // pass only if every pod is Ready at the closing check
	APIGrace     time.Duration // how long checks may keep failing in a row
}

const (
	// endSlack is what the end of a run may take beyond its grace: the last attempt, and the report.
	endSlack = 10 * time.Second
	// reportSlack is the part of it that is left for the report.
	reportSlack = time.Second
)

// forever stands for an instant that never comes.
const forever = time.Duration(math.MaxInt64)

// Window returns the time at which the window ends, counted from the start; ok is false if only Count ends it.
func (p Plan) Window() (window time.Duration, ok bool) {
	switch {
	case p.Count == 0:
		return p.Duration, true
	case p.MaxDuration > 0:
		return p.MaxDuration, true
	}
	return forever, false
}

// Latest returns the time, counted from the start, by which the run has ended whatever happens.
func (p Plan) Latest() time.Duration {
	if window, ok := p.Window(); ok {
		return add(window, add(p.APIGrace, endSlack))
	}
	return times(p.Count, add(p.Interval, add(p.APIGrace, endSlack)))
}

// TimeToReport returns how long a run that ended after this time may go on to report.
func (p Plan) TimeToReport(elapsed time.Duration) time.Duration {
	return max(p.Latest()-elapsed-reportSlack, 0)
}

// Expected returns the time, counted from the start, at which the run ends if nothing fails and no check is slow.
func (p Plan) Expected() time.Duration {
	window, _ := p.Window()
	if p.Count == 0 {
		return window
	}
	return min(window, times(p.Count-1, p.Interval))
}

// UnreachableLimit warns, in a sentence, when one crash-looping pod cannot reach the limit within the window under the
// kubelet's default back-off; otherwise it is empty.
func (p Plan) UnreachableLimit() string {
	window := p.Expected()
	crashes := crashesWithin(window)
	if p.CrashLimit <= crashes {
		return ""
	}
	return fmt.Sprintf("CRASH_LIMIT %d cannot be reached within %s by one crash-looping pod alone: under the kubelet's back-off, "+
		"a container that dies at once crashes about %s in that time; lower the limit or check for longer", p.CrashLimit, short(window), plural(crashes, "time"))
}

// crashesWithin returns how often a container that dies at once crashes in this time, under the kubelet's default
// back-off: at about 0, 0, 10, 30, 70, 150 and 310 s, then every 5 minutes.
func crashesWithin(window time.Duration) int64 {
	const maxBackOff = 300 * time.Second // MaxContainerBackOff in pkg/kubelet
	crashes := int64(2)
	at, backOff := time.Duration(0), 10*time.Second
	for backOff < maxBackOff {
		if at = add(at, backOff); at > window {
			return crashes
		}
		crashes++
		backOff *= 2
	}
	return crashes + int64((window-at)/maxBackOff)
}

// add adds times, and stops at the largest.
func add(a, b time.Duration) time.Duration {
	if sum := a + b; sum >= a || b < 0 {
		return sum
	}
	return forever
}

// times multiplies a time, and stops at the largest.
func times(n int64, d time.Duration) time.Duration {
	if d > 0 && n > int64(forever/d) {
		return forever
	}
	return time.Duration(n) * d
}
