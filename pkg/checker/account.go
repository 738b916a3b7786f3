package checker

// account is the part of a ledger that belongs to one container.
//
//	crashes = before + restarts - discounts + 1 while a crash is pending
//
// as a high-water mark: it never falls. If a discount comes late, the crashes that come next are not counted until the
// difference is used up.
type account struct {
	name     string
	kind     Kind
	restarts int64 // restartCount when it was last seen
	before   int64 // crashes counted when restartCount last went down; it counts from 0 since then
	crashes  int64 // the high-water mark
	base     int64 // crashes that a baseline has subtracted

	discounts    int64  // terminations in restarts that are known not to be crashes
	discountedID string // containerID of the latest of them

	pending        bool   // the latest termination is a crash that restarts does not include yet
	pendingIgnored bool   // the same of one whose exit code is ignored
	pendingID      string // containerID of the latest pending crash
	triggers       bool   // because of the pending termination, the kubelet restarts all containers of the pod
	ignoredID      string // containerID of the latest pending termination whose exit code is ignored
	resetID        string // a pending crash that was counted before restartCount went down, and that the status may show again

	termination *Termination // of the latest crash
}

// rise returns by how much restartCount has risen. A count that went down has risen from 0.
func (a *account) rise(seen containerSighting) int64 {
	if seen.restarts < a.restarts {
		return seen.restarts
	}
	return seen.restarts - a.restarts
}

// enter updates the account with what was seen of its container, and returns the number of new crashes. killed says that
// the kubelet has restarted the container together with all others of its pod, so that one termination is not a crash.
func (a *account) enter(seen containerSighting, killed bool) int64 {
	rise := a.rise(seen)
	if seen.restarts < a.restarts {
		// The crashes counted so far stay, and the new count is added whole, except for a termination that both include.
		a.before, a.resetID = a.crashes, a.pendingID
		a.discounts, a.discountedID, a.pendingIgnored = 0, "", false
	}
	if seen.includes(a.resetID) {
		a.before--
		a.resetID = ""
	}
	a.discount(seen, rise, killed)

	a.restarts = seen.restarts
	a.pending = seen.pending && !seen.pendingIgnored
	a.pendingIgnored = seen.pending && seen.pendingIgnored
	a.triggers = seen.triggers
	crashes := a.before + a.restarts - a.discounts
	if a.pending {
		crashes++
		a.pendingID = seen.pendingID
	}
	if a.pendingIgnored {
		a.ignoredID = seen.pendingID
	}
	n := max(crashes-a.crashes, 0)
	a.crashes += n
	if n > 0 || a.termination == nil { // otherwise it is that of a known crash, or not of a crash
		a.termination = seen.crash
	}
	return n
}

// discount finds the terminations that restartCount newly includes and that are known not to be crashes. There are
// never more of them than restartCount has.
func (a *account) discount(seen containerSighting, rise int64, killed bool) {
	left := rise // terminations that this rise may hold
	add := func(id string) {
		a.discounts++
		a.discountedID = id
		left--
	}
	if a.pendingIgnored && left > 0 {
		add(a.ignoredID) // what was pending is in restartCount now
	}
	if killed {
		add("")
	}
	if !seen.lastIgnored || a.discounts >= seen.restarts {
		return
	}
	if seen.lastID == "" && left > 0 || seen.lastID != "" && seen.lastID != a.discountedID {
		add(seen.lastID)
	}
}

// includes reports whether the termination with this containerID is part of what was seen: as the pending crash, or as the
// last one in restartCount.
func (c containerSighting) includes(containerID string) bool {
	if containerID == "" {
		return false
	}
	return c.pending && c.pendingID == containerID || c.restarts > 0 && c.lastID == containerID
}
