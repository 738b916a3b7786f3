package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/crashcheck/crashcheck/pkg/checker"
)

// Run makes checks as planned until a verdict is reached. It calls observe, unless nil, with each event, in order and
// from its own goroutine.
//
// It ends at once when ctx does: with the verdict [Interrupted], and with [Outcome.Signal] if the context's cause is a
// [SignalError].
func Run(ctx context.Context, plan Plan, check *checker.Checker, observe func(Event)) Outcome {
	if observe == nil {
		observe = func(Event) {}
	}
	window, _ := plan.Window()
	r := &run{
		plan: plan, check: check, observe: observe, start: time.Now(),
		schedule: schedule{interval: plan.Interval, window: window, grace: plan.APIGrace},
	}
	verdict, reason := r.untilVerdict(ctx)
	return r.outcome(ctx, verdict, reason)
}

// run is the state of one run. Times are counted from its start.
type run struct {
	plan     Plan
	schedule schedule
	check    *checker.Checker
	observe  func(Event)
	start    time.Time

	checks, failed int64
	mostPods       int
	atStart        int64         // crashes that the first check found
	firstAt        time.Duration // when the first check had succeeded
	lastTally      checker.Tally
	lastSuccess    time.Duration // the start of the run, until a check succeeds
	longestGap     time.Duration
	streak         streak
}

// now returns the time since the start, by the monotonic clock.
func (r *run) now() time.Duration { return time.Since(r.start) }

func (r *run) untilVerdict(ctx context.Context) (Verdict, string) {
	var due time.Duration // the first check comes at once
	for {
		if err := r.sleepUntil(ctx, due); err != nil {
			return r.interrupted(ctx)
		}
		began := r.now()
		tally, err := r.attempt(ctx, began)
		ended := r.now()
		switch {
		case err == nil && ctx.Err() != nil && tally.Crashes < r.plan.CrashLimit:
			// Only a limit that was reached outranks what ended the run: a pass must not come after it.
			return r.interrupted(ctx)
		case err == nil:
			closing := r.schedule.isClosing(began) || r.checks+1 == r.plan.Count
			r.succeed(tally, began, ended, closing)
			if closing || tally.Crashes >= r.plan.CrashLimit {
				return judge(r.plan, evidence{closing: tally, selector: r.check.Selector(), elapsed: ended,
					crashed: r.check.Ledger().Containers(), atStart: r.atStart, firstAt: r.firstAt, mostPods: r.mostPods, pods: r.check.Ledger().Pods()})
			}
			due = r.schedule.next(began, ended)
		case ctx.Err() != nil:
			return r.interrupted(ctx)
		default:
			var final bool
			if due, final = r.fail(err, began, ended); final {
				return r.gaveUp(ended)
			}
		}
	}
}

// sleepUntil waits until a time, or until ctx ends.
func (r *run) sleepUntil(ctx context.Context, at time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	timer := time.NewTimer(at - r.now())
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// attempt makes one check. A streak that is under way bounds it, or the one that it would begin by failing.
func (r *run) attempt(ctx context.Context, began time.Duration) (checker.Tally, error) {
	since := began
	if r.streak.failures > 0 {
		since = r.streak.since
	}
	left := r.schedule.deadline(since) - began
	ctx, cancel := context.WithTimeoutCause(ctx, left, fmt.Errorf("no answer within %s", short(left)))
	defer cancel()
	return r.check.Check(ctx)
}

// succeed enters a check that succeeded.
func (r *run) succeed(tally checker.Tally, began, ended time.Duration, closing bool) {
	if r.checks++; r.checks == 1 {
		r.atStart, r.firstAt = tally.Crashes, ended
	}
	unobserved := ended - r.lastSuccess
	r.mostPods = max(r.mostPods, tally.Pods)
	r.lastTally = tally
	r.longestGap = max(r.longestGap, unobserved)
	r.lastSuccess = ended
	event := Checked{Number: r.checks, Tally: tally, Elapsed: ended, Took: ended - began, Closing: closing}
	if r.streak.failures > 0 {
		event.Failures, event.Unobserved = r.streak.failures, unobserved
		r.streak = streak{}
	}
	r.observe(event)
}

// fail enters an attempt that failed, and returns when the next one is due, unless this was the last.
func (r *run) fail(err error, began, ended time.Duration) (due time.Duration, final bool) {
	r.failed++
	r.streak.fail(err, began, ended)
	giveUp := r.schedule.giveUp(&r.streak, r.checks > 0)

	due = min(add(ended, r.streak.backoff.Step()), r.schedule.next(began, ended))
	due = max(due, add(ended, retryAfter(err)))
	due = max(min(due, giveUp), ended)

	final = isHopeless(err) || began >= giveUp || ended >= r.schedule.deadline(r.streak.since)
	event := CheckFailed{Err: err, Failures: r.streak.failures, Elapsed: ended, Final: final}
	if !final {
		event.RetryIn, event.GiveUpIn = due-ended, max(giveUp-ended, 0)
	}
	r.observe(event)
	return due, final
}

// gaveUp is the verdict of a run whose last attempt has failed.
func (r *run) gaveUp(ended time.Duration) (Verdict, string) {
	err := r.streak.last
	switch {
	case isHopeless(err):
		return Inconclusive, fmt.Sprintf("the API server does not accept the request: %v", err)
	case isDenial(err) && r.checks == 0:
		return Inconclusive, fmt.Sprintf("the API server denies access: %v", err)
	case r.checks == 0:
		return Inconclusive, fmt.Sprintf("the pods were never observed (%s in %s, API_GRACE is %s): %v",
			plural(r.streak.failures, "failed attempt"), short(ended-r.streak.since), short(r.plan.APIGrace), err)
	}
	return Inconclusive, fmt.Sprintf("the pods were not observed for the last %s (%s, API_GRACE is %s; %s): %v",
		short(ended-r.lastSuccess), plural(r.streak.failures, "failed attempt"), short(r.plan.APIGrace), r.untilThen(), err)
}

// untilThen counts the crashes of a run that ends without a verdict on them.
func (r *run) untilThen() string {
	if r.checks == 0 {
		return "the pods were never observed"
	}
	return fmt.Sprintf("crashes until then: %d of %d", r.check.Ledger().Total(), r.plan.CrashLimit)
}

func (r *run) interrupted(ctx context.Context) (Verdict, string) {
	return Interrupted, fmt.Sprintf("%v after %s, before there was a verdict (%s)", context.Cause(ctx), short(r.now()), r.untilThen())
}

func (r *run) outcome(ctx context.Context, verdict Verdict, reason string) Outcome {
	elapsed := r.now()
	ledger := r.check.Ledger()
	o := Outcome{
		Verdict: verdict, Reason: reason,
		Crashes: ledger.Total(), Checks: r.checks, FailedChecks: r.failed, Pods: ledger.Pods(), Selector: r.check.Selector(),
		Elapsed: elapsed, LongestGap: max(r.longestGap, elapsed-r.lastSuccess),
		Containers: ledger.Containers(), Blocked: r.lastTally.Blocked,
	}
	var signal SignalError
	if verdict == Interrupted && errors.As(context.Cause(ctx), &signal) {
		o.Signal = signal.Signal
	}
	return o
}
