package runner

import "time"

// schedule decides when to check. All times are counted from the start of the run.
type schedule struct {
	interval time.Duration
	window   time.Duration // never: the window does not end by time
	grace    time.Duration
}

// isFinal reports whether a check that began at this time ends the window. One that began earlier never does, however late
// it ends.
func (s schedule) isFinal(began time.Duration) bool { return began >= s.window }

// next returns when the check after one that began and ended at these times is due: at the next tick of the fixed schedule
// that has not passed, or at the window's end if that comes first. If the window has ended meanwhile, it is due at once.
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
// While the server denies access, and has never granted it, that is 10 s (deniedFor) after its first denial, or the grace if
// that is shorter. Other errors in between do not change this: a denial that comes later is the last attempt.
func (s schedule) giveUp(f *streak, listed bool) time.Duration {
	at := min(f.since, s.window) + s.grace
	if f.isDenied && isDenial(f.last) && !listed {
		at = min(at, f.denied+min(deniedFor, s.grace))
	}
	return at
}

// deadline returns by when an attempt must have ended that belongs to a streak that began at this time, or would begin one
// by failing.
func (s schedule) deadline(since time.Duration) time.Duration {
	return min(since, s.window) + s.grace + endSlack - reportSlack
}
