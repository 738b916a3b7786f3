package runner

import "time"

// schedule decides when to check. All times are counted from the start of the run.
type schedule struct {
	interval time.Duration
	window   time.Duration // never: the window does not end by time
	grace    time.Duration
}

// isFinal reports whether a check that began at this time ends the window. A check that began before the window's end does
// not, even if it ends later.
func (s schedule) isFinal(began time.Duration) bool { return began >= s.window }

// next returns when the next check is due, if the previous one began and ended at these times: at the next tick of the fixed
// schedule, or at the window's end if that comes first. If the window has ended during the previous check, the next one is
// due immediately.
func (s schedule) next(began, ended time.Duration) time.Duration {
	tick := began - began%s.interval + s.interval
	if tick < ended {
		tick = ended
		if late := ended % s.interval; late > 0 {
			tick = ended - late + s.interval
		}
	}
	if began < s.window {
		return max(min(tick, s.window), ended)
	}
	return tick
}

// giveUp returns when a streak of failures has used up its grace. The attempt that begins then, or later, is the last.
//
// While the server denies access, and has never granted it, this is 10 s (deniedFor), or the grace if that is shorter, after
// the first denial. Other errors in between do not change this: the first denial after that time is the last attempt.
func (s schedule) giveUp(f *streak, listed bool) time.Duration {
	at := min(f.since, s.window) + s.grace
	if f.isDenied && isDenial(f.last) && !listed {
		at = min(at, f.denied+min(deniedFor, s.grace))
	}
	return at
}

// deadline returns the time by which an attempt must have ended, if its streak of failures began at this time.
func (s schedule) deadline(since time.Duration) time.Duration {
	return min(since, s.window) + s.grace + endSlack - reportSlack
}
