package runner

import "time"

// Plan is the plan of a run. Times are at most a few years.
type Plan struct {
	Interval    time.Duration // between checks, greater than 0
	Count       int64         // successful checks to make; 0: the window is Duration
	MaxDuration time.Duration // upper bound on a run of Count checks; 0: none
	Duration    time.Duration // the window when Count is 0

	CrashLimit   int64         // fail at this many crashes
	MinPods      int64         // matching pods that must have run, all found by the same check; 0: no minimum
	RequireReady bool          // pass only if every pod is Ready at the final check
	APIGrace     time.Duration // how long checks may fail in a row
}

const (
	// endSlack is how much longer than its grace a run may take to end: for the last attempt, and the report.
	endSlack = 10 * time.Second
	// reportSlack is the part of it that is left for the report.
	reportSlack = time.Second
	// never stands for a time that no run reaches. Adding other times to it does not overflow.
	never = 100 * 365 * 24 * time.Hour
)

// Window returns the time at which the window ends, counted from the start. ok is false if only Count ends it.
func (p Plan) Window() (window time.Duration, ok bool) {
	switch {
	case p.Count == 0:
		return p.Duration, true
	case p.MaxDuration > 0:
		return p.MaxDuration, true
	}
	return never, false
}

// Latest returns the time, counted from the start, by which the run has ended in every case.
func (p Plan) Latest() time.Duration {
	if window, ok := p.Window(); ok {
		return window + p.APIGrace + endSlack
	}
	return times(p.Count, p.Interval+p.APIGrace+endSlack)
}

// TimeToReport returns how long the report may continue after this time, counted from the start.
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

// times multiplies a time, up to never.
func times(n int64, d time.Duration) time.Duration {
	if d > 0 && n > int64(never/d) {
		return never
	}
	return time.Duration(n) * d
}

// CrashLoop returns how often a container that terminates immediately crashes before the run is expected to end, under the
// kubelet's default back-off: at about 0, 0, 10, 30, 70, 150 and 310 s, then every 5 minutes. A CrashLimit above that cannot
// be reached by one such container, unless nodes are configured with a shorter back-off (maxContainerRestartPeriod).
func (p Plan) CrashLoop() int64 {
	const maxBackOff = 300 * time.Second // MaxContainerBackOff in pkg/kubelet
	window, crashes := p.Expected(), int64(2)
	at := time.Duration(0)
	for backOff := 10 * time.Second; backOff < maxBackOff; backOff *= 2 {
		if at += backOff; at > window {
			return crashes
		}
		crashes++
	}
	return crashes + int64((window-at)/maxBackOff)
}
