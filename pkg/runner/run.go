package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/crashcheck/crashcheck/pkg/checker"
)

// Run makes checks as planned until it reaches a verdict. It calls observe, unless that is nil, with each event, in order
// and in the goroutine of its caller.
//
// When ctx ends, Run ends immediately with the verdict [Interrupted]. [Outcome.Signal] is set if the context's cause is a
// [SignalError].
func Run(ctx context.Context, plan Plan, check *checker.Checker, observe func(Event)) Outcome {
	if observe == nil {
		observe = func(Event) {}
	}
	window, _ := plan.Window()
	r := &run{
		check: check, observe: observe,
		schedule: schedule{interval: plan.Interval, window: window, grace: plan.APIGrace},
		outcome:  Outcome{Plan: plan, Start: time.Now()},
	}
	r.untilVerdict(ctx)
	r.complete(ctx)
	return r.outcome
}

// run is the state of one run. Times are counted from its start.
type run struct {
	schedule schedule
	check    *checker.Checker
	observe  func(Event)
	streak   streak
	outcome  Outcome
}

// now returns the time since the start, by the monotonic clock.
func (r *run) now() time.Duration { return time.Since(r.outcome.Start) }

// untilVerdict makes checks until there is a verdict.
func (r *run) untilVerdict(ctx context.Context) {
	o := &r.outcome
	var due time.Duration // the first check is due at once
	for {
		if sleep(ctx, due-r.now()) != nil {
			o.Verdict = Interrupted
			return
		}
		began := r.now()
		final := r.schedule.isFinal(began) || o.Checks+1 == o.Plan.Count
		tally, err := r.attempt(ctx, began, final)
		ended := r.now()
		switch {
		case ctx.Err() != nil && (err != nil || tally.Crashes < o.Plan.CrashLimit):
			// After ctx has ended, the run must not pass. Only a crash limit that this check reached takes precedence.
			o.Verdict = Interrupted
			return
		case err == nil:
			r.succeed(tally, began, ended)
			if final || tally.Crashes >= o.Plan.CrashLimit || tally.Superseded != "" || tally.Version.Aborted != "" {
				o.Verdict, o.Cause = judge(o.Plan, tally, o.MostPods, o.MostRan)
				return
			}
			due = r.schedule.next(began, ended)
		default:
			var gaveUp bool
			if due, gaveUp = r.fail(err, began, ended); gaveUp {
				o.Verdict, o.Cause, o.Err = Inconclusive, r.causeOf(err), err
				return
			}
		}
	}
}

// sleep waits for this long, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// attempt makes one check. Its deadline is that of the current streak of failures. If there is none, it is that of the
// streak that begins if this check fails.
func (r *run) attempt(ctx context.Context, began time.Duration, final bool) (checker.Tally, error) {
	since := began
	if r.streak.failures > 0 {
		since = r.streak.since
	}
	left := r.schedule.deadline(since) - began
	ctx, cancel := context.WithTimeoutCause(ctx, left, fmt.Errorf("no response within %s", left.Round(100*time.Millisecond)))
	defer cancel()
	return r.check.Check(ctx, final)
}

// succeed records a check that succeeded.
func (r *run) succeed(tally checker.Tally, began, ended time.Duration) {
	o := &r.outcome
	if o.Checks++; o.Checks == 1 {
		o.AtStart = tally.Crashes
	}
	if tally.Present > 0 {
		o.GoneSince = 0
	} else if o.GoneSince == 0 {
		o.GoneSince = ended
	}
	o.MostPods, o.MostRan = max(o.MostPods, tally.Pods), max(o.MostRan, tally.Ran)
	o.Last = tally
	if n := len(tally.Failed); n > 0 {
		o.LastFailure = &tally.Failed[n-1]
	}
	unobserved := ended - o.LastSuccess
	o.LongestGap = max(o.LongestGap, unobserved)
	o.LastSuccess = ended
	event := Checked{Number: o.Checks, Tally: tally, Elapsed: ended, Took: ended - began}
	if r.streak.failures > 0 {
		event.Failures, event.Unobserved = r.streak.failures, unobserved
		r.streak = streak{}
	}
	r.observe(event)
}

// fail records an attempt that failed, and returns when the next one is due, unless the run gives up.
func (r *run) fail(err error, began, ended time.Duration) (due time.Duration, gaveUp bool) {
	r.outcome.FailedChecks++
	r.streak.fail(err, began, ended)
	giveUp := r.schedule.giveUp(&r.streak, r.listed())

	due = min(ended+r.streak.backoff.Step(), r.schedule.next(began, ended))
	due = max(due, ended+retryAfter(err))
	due = max(min(due, giveUp), ended)

	gaveUp = isRejection(err) || began >= giveUp || ended >= r.schedule.deadline(r.streak.since)
	event := CheckFailed{Err: err, Elapsed: ended, GaveUp: gaveUp}
	if !gaveUp {
		event.GiveUpIn = max(giveUp-ended, 0)
	}
	r.observe(event)
	return due, gaveUp
}

// listed reports whether a list of pods has succeeded. While the version of a workload is not known, checks do not list
// pods.
func (r *run) listed() bool { return r.outcome.Checks > 0 && r.outcome.Last.Version.Pending == "" }

// causeOf says why the run gives up.
func (r *run) causeOf(err error) Cause {
	switch {
	case isRejection(err):
		return Rejected
	case isDenial(err) && !r.listed():
		return Denied
	}
	return Unobserved
}

// complete adds what is known only at the end.
func (r *run) complete(ctx context.Context) {
	o, ledger := &r.outcome, r.check.Ledger()
	o.Elapsed = r.now()
	o.LongestGap = max(o.LongestGap, o.Elapsed-o.LastSuccess)
	o.Failures = r.streak.failures
	o.Selector, o.Version, o.Pods = r.check.Selector(), r.check.Version(), ledger.Pods()
	o.Crashes, o.Containers = ledger.Total(), ledger.Containers()
	if o.Verdict == Interrupted {
		o.Err = context.Cause(ctx)
		if signal := (SignalError{}); errors.As(o.Err, &signal) {
			o.Signal = signal.Signal
		}
	}
}
