package runner

import "time"

// schedule tells when to check. All times are counted from the start of the run.
type schedule struct {
	interval time.Duration
	window   time.Duration // forever: the window does not end by time
	grace    time.Duration
}

// isClosing tells whether a check begun at this time is the closing one. One begun earlier never is, however late it
// ends.
func (s schedule) isClosing(began time.Duration) bool { return began >= s.window }

// next returns when the check after one that began and ended at these times is due: at the next tick of the fixed
// schedule that it has not missed, or at the window's end if that comes first. A window's end that has been missed is
// made up for at once.
func (s schedule) next(began, ended time.Duration) time.Duration {
	tick := add(began-began%s.interval, s.interval)
	if tick < ended {
		tick = ended
		if late := ended % s.interval; late > 0 {
			tick = add(ended-late, s.interval)
		}
	}
	if began < s.window {
		return max(min(tick, s.window), ended)
	}
	return tick
}

// giveUp returns when a streak of failures has used up its grace. The attempt begun then, or later, is the last.
//
// While the server denies access, and has never granted it, that is 10 s (deniedFor) after its first denial, or the grace
// if that is shorter. Other faults in between change nothing of this: a denial that comes later than that is the last.
func (s schedule) giveUp(f *streak, everSucceeded bool) time.Duration {
	at := min(add(f.since, s.grace), add(s.window, s.grace))
	if f.isDenied && isDenial(f.last) && !everSucceeded {
		at = min(at, add(f.denied, min(deniedFor, s.grace)))
	}
	return at
}

// deadline returns by when an attempt must have ended that belongs to a streak that began at this time, or would
// begin one by failing.
func (s schedule) deadline(since time.Duration) time.Duration {
	return add(min(add(since, s.grace), add(s.window, s.grace)), endSlack-reportSlack)
}
