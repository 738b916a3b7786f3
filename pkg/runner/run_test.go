package runner_test

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/pkg/runner"
)

// plan returns a plan of a check every 5 s for 20 s, with limit 3 and a grace of 60 s, changed by this.
func plan(change func(*runner.Plan)) runner.Plan {
	p := runner.Plan{Interval: 5 * time.Second, Duration: 20 * time.Second, CrashLimit: 3, MinPods: 1, APIGrace: time.Minute}
	if change != nil {
		change(&p)
	}
	return p
}

func counted(count int64, max time.Duration) runner.Plan {
	return plan(func(p *runner.Plan) { p.Count, p.MaxDuration, p.Duration = count, max, 0 })
}

func constantly(d time.Duration) func(time.Duration) time.Duration {
	return func(time.Duration) time.Duration { return d }
}

// slowFrom makes responses take this long from a time on.
func slowFrom(from, d time.Duration) func(time.Duration) time.Duration {
	return func(at time.Duration) time.Duration {
		if at >= from {
			return d
		}
		return 0
	}
}

func TestSchedule(t *testing.T) {
	const s = time.Second
	tests := []struct {
		claim    string
		world    world
		plan     runner.Plan
		requests string // when each is made
		verdict  runner.Verdict
		elapsed  time.Duration
		gap      time.Duration // the longest
	}{
		{"the first check is made at once, the final one at the end of the window", world{}, plan(nil),
			"0s 5s 10s 15s 20s", runner.Pass, 20 * s, 5 * s},
		{"the final check does not wait for a tick", world{}, plan(func(p *runner.Plan) { p.Duration = 12 * s }),
			"0s 5s 10s 12s", runner.Pass, 12 * s, 5 * s},
		{"an interval longer than the window leaves the first and the final check", world{}, plan(func(p *runner.Plan) { p.Interval = 100 * s }),
			"0s 20s", runner.Pass, 20 * s, 20 * s},
		{"slow checks do not drift", world{takes: constantly(2 * s)}, plan(nil),
			"0s 5s 10s 15s 20s", runner.Pass, 22 * s, 5 * s},
		{"a late check skips the ticks that it missed", world{takes: constantly(7 * s)}, plan(func(p *runner.Plan) { p.Duration = 31 * s }),
			"0s 10s 20s 30s 37s", runner.Pass, 44 * s, 10 * s},
		{"a check that ends on a tick is followed at once", world{takes: constantly(5 * s)}, plan(nil),
			"0s 5s 10s 15s 20s", runner.Pass, 25 * s, 5 * s},
		{"a check that begins before the window's end is not the final one, which follows at once", world{takes: slowFrom(15*s, 8*s)}, plan(nil),
			"0s 5s 10s 15s 23s", runner.Pass, 31 * s, 13 * s},

		{"COUNT ends right after its last check", world{}, counted(3, 0), "0s 5s 10s", runner.Pass, 10 * s, 5 * s},
		{"a COUNT of 1 is one check", world{}, counted(1, 0), "0s", runner.Pass, 0, 0},
		{"COUNT ends before MAX_DURATION when its checks are made", world{}, counted(3, 60*s), "0s 5s 10s", runner.Pass, 10 * s, 5 * s},
		{"MAX_DURATION ends COUNT with a final check", world{}, counted(100, 12*s), "0s 5s 10s 12s", runner.Pass, 12 * s, 5 * s},
		{"the last of COUNT may be at MAX_DURATION", world{}, counted(3, 10*s), "0s 5s 10s", runner.Pass, 10 * s, 5 * s},
		{"a check that failed is not one of the COUNT", world{fails: between(5*s, 6*s, status(500, "", 3))}, counted(3, 0),
			"0s 5s 8s 10s", runner.Pass, 10 * s, 8 * s},

		{"the limit ends the run at once", world{pods: crashingAt(1*s, 2*s, 9*s)}, plan(nil), "0s 5s 10s", runner.Fail, 10 * s, 5 * s},
		{"the limit at the first check ends the run", world{pods: pods(pod(3))}, plan(nil), "0s", runner.Fail, 0, 0},
		{"one below the limit passes", world{pods: pods(pod(2))}, plan(nil), "0s 5s 10s 15s 20s", runner.Pass, 20 * s, 5 * s},
		{"a crash in the last interval is seen by the final check", world{pods: crashingAt(1*s, 2*s, 19*s)}, plan(nil),
			"0s 5s 10s 15s 20s", runner.Fail, 20 * s, 5 * s},
		{"a crash during the last check before the end is seen by the final check",
			world{pods: func(at time.Duration) []*corev1.Pod { return crashingAt(19*s, 19*s, 24*s)(at) }, takes: slowFrom(15*s, 8*s)}, plan(nil),
			"0s 5s 10s 15s 23s", runner.Fail, 31 * s, 13 * s},

		{"a window without pods runs to its end", world{pods: pods()}, plan(nil), "0s 5s 10s 15s 20s", runner.Inconclusive, 20 * s, 5 * s},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			a := test.world.run(t, test.plan)
			if a.times() != test.requests {
				t.Errorf("requests:\n got %s\nwant %s", a.times(), test.requests)
			}
			if a.Verdict != test.verdict || a.Elapsed != test.elapsed || a.LongestGap != test.gap {
				t.Errorf("got %s after %s with a gap of %s, want %s after %s with a gap of %s (%s)",
					a.Verdict, a.Elapsed, a.LongestGap, test.verdict, test.elapsed, test.gap, a.Cause)
			}
			if window, ok := test.plan.Window(); a.Elapsed > test.plan.Latest() || ok && a.Verdict == runner.Pass && test.plan.Count == 0 && a.Elapsed < window {
				t.Errorf("took %s, where the window is %s and the bound %s", a.Elapsed, window, test.plan.Latest())
			}
		})
	}
}

// A baseline that the final check sets hides every crash of the window.
func TestABaselineNeedsACheckBeforeTheFinalOne(t *testing.T) {
	const s = time.Second
	until := func(at time.Duration) func(time.Duration, int) error {
		return between(0, at, errors.New("connection refused"))
	}
	for claim, test := range map[string]struct {
		world   world
		plan    runner.Plan
		verdict runner.Verdict
		cause   runner.Cause
	}{
		"the first check":                       {world{}, plan(nil), runner.Pass, ""},
		"the last one before the final one":     {world{fails: until(15 * s)}, plan(nil), runner.Pass, ""},
		"only the final one":                    {world{fails: until(20 * s)}, plan(nil), runner.Inconclusive, runner.NoBaseline},
		"only the final one, although no pods":  {world{fails: until(20 * s), pods: pods()}, plan(func(p *runner.Plan) { p.MinPods = 0 }), runner.Inconclusive, runner.NoBaseline},
		"it comes before readiness":             {world{fails: until(20 * s), pods: pods(pod(0, unready))}, plan(func(p *runner.Plan) { p.RequireReady = true }), runner.Inconclusive, runner.NoBaseline},
		"a pod that never ran comes before it":  {world{fails: until(20 * s), pods: pods(pod(0, stuck))}, plan(nil), runner.Inconclusive, runner.NeverRan},
		"a COUNT of 1 has only one check":       {world{}, counted(1, 0), runner.Inconclusive, runner.NoBaseline},
		"a COUNT of 2 has one before the final": {world{}, counted(2, 0), runner.Pass, ""},
	} {
		t.Run(claim, func(t *testing.T) {
			test.world.baseline = true
			if test.world.pods == nil {
				test.world.pods = pods(pod(9))
			}
			if a := test.world.run(t, test.plan); a.Verdict != test.verdict || a.Cause != test.cause {
				t.Errorf("got %s (%s), want %s (%s)", a.Verdict, a.Cause, test.verdict, test.cause)
			}
		})
	}
}

func TestVerdicts(t *testing.T) {
	const s = time.Second
	with := func(change func(*runner.Plan)) runner.Plan { return plan(change) }
	minPods := func(n int64) runner.Plan { return with(func(p *runner.Plan) { p.MinPods = n }) }
	ready := with(func(p *runner.Plan) { p.RequireReady = true })
	// until returns these pods before a time, and others from then on.
	until := func(at time.Duration, before, after []*corev1.Pod) func(time.Duration) []*corev1.Pod {
		return func(now time.Duration) []*corev1.Pod {
			if now < at {
				return before
			}
			return after
		}
	}
	one, two := []*corev1.Pod{pod(0)}, []*corev1.Pod{pod(0), pod(0, numbered(2))}
	tests := []struct {
		claim   string
		pods    func(time.Duration) []*corev1.Pod
		plan    runner.Plan
		verdict runner.Verdict
		cause   runner.Cause
	}{
		{"no crash passes", pods(pod(0)), plan(nil), runner.Pass, ""},
		{"crashes below the limit pass", pods(pod(2)), plan(nil), runner.Pass, ""},
		{"the limit fails", pods(pod(1), pod(2, numbered(2))), plan(nil), runner.Fail, ""},
		{"the limit comes before all else", pods(pod(4, unready)), with(func(p *runner.Plan) { p.RequireReady, p.MinPods = true, 9 }), runner.Fail, ""},

		{"no pod is inconclusive", pods(), plan(nil), runner.Inconclusive, runner.NeverMatched},
		{"with MIN_PODS=0, no pod passes", pods(), minPods(0), runner.Pass, ""},
		{"one pod less than MIN_PODS is inconclusive", pods(two...), minPods(3), runner.Inconclusive, runner.NeverRan},
		{"exactly MIN_PODS are enough", pods(two...), minPods(2), runner.Pass, ""},
		{"MIN_PODS counts pods that are being deleted", pods(pod(0), pod(0, numbered(2), deleted)), minPods(2), runner.Pass, ""},
		{"MIN_PODS does not count Failed pods", pods(pod(0), pod(0, numbered(2), failed)), minPods(2), runner.Inconclusive, runner.NeverRan},
		{"MIN_PODS wants them at the same time", until(10*s, pods(pod(0))(0), pods(pod(0, numbered(2)))(0)), minPods(2), runner.Inconclusive, runner.NeverRan},
		{"MIN_PODS at any check is enough", until(10*s, two, one), minPods(2), runner.Pass, ""},
		{"too few pods come before readiness", pods(pod(0, unready)), with(func(p *runner.Plan) { p.RequireReady, p.MinPods = true, 2 }), runner.Inconclusive, runner.NeverRan},

		{"a pod that never ran is inconclusive", pods(pod(0, stuck)), plan(nil), runner.Inconclusive, runner.NeverRan},
		{"with MIN_PODS=0, it passes", pods(pod(0, stuck)), minPods(0), runner.Pass, ""},
		{"beside a good one, it passes", pods(pod(0), pod(0, numbered(2), stuck)), plan(nil), runner.Pass, ""},
		{"pods that run only at the final check pass", until(20*s, pods(pod(0, stuck))(0), one), plan(nil), runner.Pass, ""},

		{"pods that are gone at the final check are inconclusive", until(10*s, one, nil), plan(nil), runner.Inconclusive, runner.Gone},
		{"with MIN_PODS=0, they pass", until(10*s, one, nil), minPods(0), runner.Pass, ""},
		{"pods that are gone for a moment pass", until(10*s, nil, one), plan(nil), runner.Pass, ""},
		{"pods that are being deleted are gone", until(10*s, one, pods(pod(0, deleted))(0)), plan(nil), runner.Inconclusive, runner.Gone},
		{"pods that have failed are gone", until(10*s, one, pods(pod(0, failed))(0)), plan(nil), runner.Inconclusive, runner.Gone},
		{"pods that have been replaced by ones that cannot start are gone", until(10*s, one, pods(pod(0, numbered(2), stuck))(0)), plan(nil), runner.Inconclusive, runner.Gone},
		{"one that is left is enough", until(10*s, two, one), plan(nil), runner.Pass, ""},
		{"one that has succeeded is enough", until(10*s, one, pods(pod(0, succeeded))(0)), plan(nil), runner.Pass, ""},
		{"the limit that was reached before they were gone fails", until(10*s, pods(pod(3))(0), nil), plan(nil), runner.Fail, ""},

		{"pods of nodes that do not report are inconclusive", until(10*s, one, pods(pod(0, unreported))(0)), plan(nil), runner.Inconclusive, runner.Unreported},
		{"with MIN_PODS=0, they pass", until(10*s, one, pods(pod(0, unreported))(0)), minPods(0), runner.Pass, ""},
		{"beside one whose node reports, they pass", pods(pod(0), pod(0, numbered(2), unreported)), plan(nil), runner.Pass, ""},
		{"beside one that is being deleted, they do not", pods(pod(0, deleted), pod(0, numbered(2), unreported)), plan(nil), runner.Inconclusive, runner.Unreported},

		{"ready pods pass", pods(pod(0)), ready, runner.Pass, ""},
		{"without REQUIRE_READY, readiness does not matter", pods(pod(0, unready)), plan(nil), runner.Pass, ""},
		{"a pod that is not ready", pods(pod(1), pod(0, numbered(2), unready)), ready, runner.NotReady, runner.PodsNotReady},
		{"a pod beside it that cannot start is not ready", pods(pod(0), pod(0, numbered(2), unready, stuck)), ready, runner.NotReady, runner.PodsNotReady},
		{"pods that are being deleted need not be ready", pods(pod(0), pod(0, numbered(2), unready, deleted)), ready, runner.Pass, ""},
		{"a pod that has succeeded cannot be ready", pods(pod(0, unready, succeeded)), ready, runner.NotReady, runner.NoneToJudge},
		{"unless MIN_PODS is 0", pods(pod(0, unready, succeeded)), with(func(p *runner.Plan) { p.RequireReady, p.MinPods = true, 0 }), runner.Pass, ""},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			for mode, plan := range map[string]runner.Plan{"DURATION": test.plan, "COUNT": inChecks(test.plan)} {
				a := world{pods: test.pods}.run(t, plan)
				if a.Verdict != test.verdict || a.Cause != test.cause {
					t.Errorf("%s: got %s %s, want %s %s", mode, a.Verdict, a.Cause, test.verdict, test.cause)
				}
			}
		})
	}
}

// inChecks returns a plan of as many checks as this plan's window has.
func inChecks(p runner.Plan) runner.Plan {
	p.Count, p.Duration = int64(p.Duration/p.Interval)+1, 0
	return p
}

// workload is a workload whose responses do not change.
type workload struct {
	version    checker.Version
	superseded string
}

func (workload) String() string { return "deployment/shop" }

func (w workload) Resolve(context.Context) (checker.Version, error) { return w.version, nil }

func (w workload) Superseded(context.Context) (string, error) { return w.superseded, nil }

func TestVerdictsOnAWorkload(t *testing.T) {
	const s = time.Second
	version := checker.Version{Name: "abc", Selector: labels.Set{"hash": "abc"}.AsSelector()}
	none := func(p *runner.Plan) { p.MinPods = 0 }
	tests := []struct {
		claim    string
		workload workload
		pods     func(time.Duration) []*corev1.Pod
		plan     runner.Plan
		verdict  runner.Verdict
		cause    runner.Cause
		elapsed  time.Duration
	}{
		{"its version is still the one that was checked", workload{version: version}, pods(pod(2)), plan(nil), runner.Pass, "", 20 * s},
		{"its version crashes", workload{version: version}, pods(pod(3)), plan(nil), runner.Fail, "", 0},
		{"its version is not known at the end", workload{version: checker.Version{Pending: "paused"}}, pods(pod(9)), plan(nil), runner.Inconclusive, runner.NoVersion, 20 * s},
		{"nor with MIN_PODS=0", workload{version: checker.Version{Pending: "paused"}}, pods(pod(9)), plan(none), runner.Inconclusive, runner.NoVersion, 20 * s},
		{"nor after COUNT checks, which count", workload{version: checker.Version{Pending: "paused"}}, pods(pod(9)), counted(3, 0), runner.Inconclusive, runner.NoVersion, 10 * s},
		{"it has aborted its release", workload{version: checker.Version{Aborted: "aborted"}}, pods(pod(9)), plan(nil), runner.Inconclusive, runner.Aborted, 0},
		{"it is superseded at the final check", workload{version, "superseded by def"}, pods(pod(2)), plan(nil), runner.Inconclusive, runner.Superseded, 20 * s},
		{"it is superseded when the pods disappear", workload{version, "superseded by def"}, untilGone(7 * s), plan(nil), runner.Inconclusive, runner.Superseded, 10 * s},
		{"it is superseded, also with MIN_PODS=0", workload{version, "scaled to 0"}, untilGone(7 * s), plan(none), runner.Inconclusive, runner.Superseded, 10 * s},
		{"its pods have disappeared, and it is not superseded", workload{version: version}, untilGone(7 * s), plan(nil), runner.Inconclusive, runner.Gone, 20 * s},
		{"the limit comes first", workload{version, "superseded by def"}, crashingAt(0, 0, 20*s), plan(nil), runner.Fail, "", 20 * s},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			a := world{pods: test.pods, workload: test.workload}.run(t, test.plan)
			if a.Verdict != test.verdict || a.Cause != test.cause || a.Elapsed != test.elapsed {
				t.Errorf("got %s %s after %s, want %s %s after %s", a.Verdict, a.Cause, a.Elapsed, test.verdict, test.cause, test.elapsed)
			}
			if a.Version.Name != test.workload.version.Name || a.Version.Pending != test.workload.version.Pending {
				t.Errorf("got the version %+v", a.Version)
			}
		})
	}
}

// observedLate is a workload whose version is not known at its first check.
type observedLate struct {
	workload
	resolved bool
}

func (w *observedLate) Resolve(context.Context) (checker.Version, error) {
	if !w.resolved {
		w.resolved = true
		return checker.Version{Pending: "not observed"}, nil
	}
	return w.version, nil
}

func TestADenialIsOneFromTheStartUntilPodsHaveBeenListed(t *testing.T) {
	version := checker.Version{Name: "abc", Selector: labels.Set{"hash": "abc"}.AsSelector()}
	denied := between(0, always, status(403, "Forbidden", 0))
	a := world{workload: &observedLate{workload: workload{version: version}}, fails: denied}.run(t, plan(nil))
	if a.Verdict != runner.Inconclusive || a.Cause != runner.Denied || a.Elapsed != 15*time.Second { // 10 s after the second check
		t.Errorf("got %s %s after %s", a.Verdict, a.Cause, a.Elapsed)
	}
}

// untilGone returns a pod until a time.
func untilGone(at time.Duration) func(time.Duration) []*corev1.Pod {
	return func(now time.Duration) []*corev1.Pod {
		if now < at {
			return []*corev1.Pod{pod(0)}
		}
		return nil
	}
}

func TestTheOutcomeSaysSinceWhenThePodsAreGone(t *testing.T) {
	const s = time.Second
	there := map[time.Duration]bool{0: true, 10 * s: true} // not at 5 s, and not from 15 s on
	a := world{pods: func(at time.Duration) []*corev1.Pod {
		if there[at] {
			return []*corev1.Pod{pod(0)}
		}
		return nil
	}}.run(t, plan(nil))
	if a.Cause != runner.Gone || a.GoneSince != 15*s || a.MostPods != 1 || a.MostRan != 1 {
		t.Errorf("got %s since %s, at most %d pods, %d ran", a.Cause, a.GoneSince, a.MostPods, a.MostRan)
	}
}

func TestTheOutcomeCountsWhatTheFirstCheckFound(t *testing.T) {
	refused := between(0, 5*time.Second, errors.New("connection refused"))
	a := world{pods: crashingAt(0, 12*time.Second), fails: refused}.run(t, plan(nil))
	if a.Crashes != 2 || a.AtStart != 1 || a.Checks == 0 || a.FailedChecks == 0 || a.Pods != 1 || len(a.Containers) != 1 {
		t.Errorf("got %+v", a.Outcome)
	}
}

func TestFailedChecks(t *testing.T) {
	const s = time.Second
	refused := errors.New("connection refused")
	// A tick every 100 ms comes before any back-off, so that the times of the attempts are exact.
	quick := func(change func(*runner.Plan)) runner.Plan {
		return plan(func(p *runner.Plan) {
			p.Interval = 100 * time.Millisecond
			if change != nil {
				change(p)
			}
		})
	}
	tests := []struct {
		claim   string
		world   world
		plan    runner.Plan
		verdict runner.Verdict
		elapsed time.Duration
		cause   runner.Cause
	}{
		{"an outage that ends within the grace passes", world{fails: between(2*s, 15*s, refused)}, quick(nil), runner.Pass, 20 * s,
			""},
		{"an outage that lasts is inconclusive once the grace has passed", world{fails: between(2*s, always, refused)}, quick(func(p *runner.Plan) { p.APIGrace = 10 * s }),
			runner.Inconclusive, 12 * s, runner.Unobserved},
		{"an outage from the start is inconclusive", world{fails: between(0, always, refused)}, quick(func(p *runner.Plan) { p.APIGrace = 5 * s }),
			runner.Inconclusive, 5 * s, runner.Unobserved},
		{"the last attempt, after the grace has passed, may succeed", world{fails: between(2*s, 12*s, refused)}, quick(func(p *runner.Plan) { p.APIGrace = 10 * s }),
			runner.Pass, 20 * s, ""},
		{"the final check goes on past the window's end", world{fails: between(19*s, 40*s, refused)}, quick(nil), runner.Pass, 40 * s,
			""},
		{"the final check goes on until the streak's grace has passed, not longer", world{fails: between(15*s, always, refused)}, quick(func(p *runner.Plan) { p.APIGrace = 10 * s }),
			runner.Inconclusive, 25 * s, runner.Unobserved},
		{"an attempt that outlasts the grace is followed by the last one", world{takes: constantly(4 * s), fails: between(0, always, refused)},
			quick(func(p *runner.Plan) { p.APIGrace = 6 * s }), runner.Inconclusive, 12 * s, runner.Unobserved},
		{"without grace, one failure ends the run", world{fails: between(2*s, always, refused)}, quick(func(p *runner.Plan) { p.APIGrace = 0 }), runner.Inconclusive, 2 * s,
			runner.Unobserved},
		{"a failure after the limit was reached changes nothing", world{pods: crashingAt(0, 0, 1*s), fails: between(2*s, always, refused)}, quick(nil), runner.Fail, 1 * s,
			""},
		{"400 is inconclusive at once", world{fails: between(2*s, always, status(400, "BadRequest", 0))}, quick(nil), runner.Inconclusive, 2 * s,
			runner.Rejected},
		{"406 is inconclusive at once", world{fails: between(0, always, status(406, "", 0))}, quick(nil), runner.Inconclusive, 0,
			runner.Rejected},
		{"415 is inconclusive at once", world{fails: between(0, always, status(415, "", 0))}, quick(nil), runner.Inconclusive, 0,
			runner.Rejected},
		{"422 is inconclusive at once", world{fails: between(0, always, status(422, "", 0))}, quick(nil), runner.Inconclusive, 0,
			runner.Rejected},
		{"404 is an error like any other", world{fails: between(0, 3*s, status(404, "", 0))}, quick(nil), runner.Pass, 20 * s, ""},
		{"403 from the start is inconclusive after 10 s", world{fails: between(0, always, status(403, "Forbidden", 0))}, quick(nil), runner.Inconclusive, 10 * s,
			runner.Denied},
		{"403 from the start is retried for 10 s however short the window", world{fails: between(0, always, status(403, "Forbidden", 0))}, quick(func(p *runner.Plan) { p.Duration = s }),
			runner.Inconclusive, 10 * s, runner.Denied},
		{"401 from the start is retried no longer than the grace", world{fails: between(0, always, status(401, "Unauthorized", 0))}, quick(func(p *runner.Plan) { p.APIGrace = 4 * s }),
			runner.Inconclusive, 4 * s, runner.Denied},
		{"the 10 s begin with the first denial", world{fails: func(at time.Duration, _ int) error {
			if at < 5*s {
				return refused
			}
			return status(403, "Forbidden", 0)
		}}, quick(nil), runner.Inconclusive, 15 * s, runner.Denied},
		{"after a denial, other errors have the whole grace", world{fails: func(at time.Duration, _ int) error {
			switch {
			case at < 2*s:
				return status(403, "Forbidden", 0)
			case at < 15*s:
				return refused
			}
			return nil
		}}, quick(nil), runner.Pass, 20 * s, ""},
		{"403 for a moment at the start passes", world{fails: between(0, 9*s, status(403, "Forbidden", 0))}, quick(nil), runner.Pass, 20 * s,
			""},
		{"403 after a success is an error like any other", world{fails: between(2*s, 18*s, status(403, "Forbidden", 0))}, quick(nil), runner.Pass, 20 * s,
			""},
		{"requests without a response use up the grace", world{takes: constantly(always / 4)}, plan(nil), runner.Inconclusive, 69 * s, runner.Unobserved},
		{"a response that takes longer than the grace leaves no time for another", world{takes: constantly(always / 4)}, plan(func(p *runner.Plan) { p.APIGrace = 0 }),
			runner.Inconclusive, 9 * s, runner.Unobserved},
		{"an attempt that has used up the time for the last one is the last one", world{takes: constantly(always / 4)}, plan(func(p *runner.Plan) { p.APIGrace = s }),
			runner.Inconclusive, 10 * s, runner.Unobserved},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			a := test.world.run(t, test.plan)
			if a.Verdict != test.verdict || a.Elapsed != test.elapsed {
				t.Errorf("got %s after %s, want %s after %s (%s: %v)", a.Verdict, a.Elapsed, test.verdict, test.elapsed, a.Cause, a.Err)
			}
			if a.Cause != test.cause || (a.Err != nil) != (test.cause != "") {
				t.Errorf("got the cause %q with error %v, want %q", a.Cause, a.Err, test.cause)
			}
			if int(a.Checks+a.FailedChecks) != len(a.requests) {
				t.Errorf("%d checks and %d failed ones, but %d requests", a.Checks, a.FailedChecks, len(a.requests))
			}
			if a.Elapsed > test.plan.Latest() {
				t.Errorf("took %s, above the bound %s", a.Elapsed, test.plan.Latest())
			}
			for _, event := range a.events {
				failed, ok := event.(runner.CheckFailed)
				if ok && (failed.GiveUpIn < 0 || strings.Contains(failed.Err.Error(), "within 0s")) {
					t.Errorf("an attempt in the past: %+v", failed)
				}
			}
			if gap := a.Elapsed - a.LastSuccess; a.LongestGap < gap {
				t.Errorf("the longest gap is %s, but no check has succeeded in the last %s", a.LongestGap, gap)
			}
		})
	}
}

// Each response takes 1 s, and the third attempt fails. The deadline of an attempt counts from its own start, unless it
// continues a streak of failures: the run is longer than one such deadline.
func TestEventsHaveTheTimesOfTheirAttempts(t *testing.T) {
	const s = time.Second
	w := world{takes: constantly(s), fails: between(10*s, 11*s, errors.New("connection refused"))}
	a := w.run(t, plan(func(p *runner.Plan) { p.Duration, p.APIGrace = 30*s, 10*s }))
	if a.Verdict != runner.Pass || a.FailedChecks != 1 {
		t.Errorf("got %s with %d failed checks: %v", a.Verdict, a.FailedChecks, a.Err)
	}
	lastSuccess, failures := time.Duration(0), int64(0)
	for _, event := range a.events {
		switch e := event.(type) {
		case runner.CheckFailed:
			failures++
			if e.Elapsed != 11*s || e.GiveUpIn != 9*s {
				t.Errorf("failed after %s, gives up in %s", e.Elapsed, e.GiveUpIn)
			}
		case runner.Checked:
			var unobserved time.Duration
			if failures > 0 {
				unobserved = e.Elapsed - lastSuccess
			}
			if e.Took != s || e.Failures != failures || e.Unobserved != unobserved {
				t.Errorf("check %d took %s, after %d failures, not observed for %s; want %d failures, %s", e.Number, e.Took, e.Failures, e.Unobserved, failures, unobserved)
			}
			lastSuccess, failures = e.Elapsed, 0
		}
	}
}

func TestBackOffIsJitteredAndGrowsFrom500msTo5s(t *testing.T) {
	a := world{fails: between(0, always, errors.New("refused"))}.run(t, plan(func(p *runner.Plan) { p.Interval, p.Duration = time.Hour, time.Hour }))
	if len(a.requests) < 12 {
		t.Fatalf("only %d attempts in a minute: %s", len(a.requests), a.times())
	}
	for i, least := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 4 * time.Second, 4 * time.Second} {
		pause := a.requests[i+1] - a.requests[i]
		if most := least + least/4; pause < least || pause > most {
			t.Errorf("pause %d is %s, want %s to %s", i+1, pause, least, most)
		}
	}
}

func TestANewStreakBeginsWithShortPauses(t *testing.T) {
	a := world{fails: func(at time.Duration, _ int) error {
		if at < 20*time.Second || at >= 90*time.Second {
			return errors.New("refused")
		}
		return nil
	}}.run(t, plan(func(p *runner.Plan) { p.Interval, p.Duration = 100*time.Second, 100*time.Second }))
	for i, at := range a.requests {
		if at >= 90*time.Second {
			if pause := a.requests[i+1] - at; pause > time.Second {
				t.Errorf("the first pause of the second streak is %s", pause)
			}
			return
		}
	}
	t.Fatalf("no second streak: %s", a.times())
}

func TestRetryAfter(t *testing.T) {
	const s = time.Second
	tests := []struct {
		claim    string
		seconds  int32
		grace    time.Duration
		requests string
		verdict  runner.Verdict
	}{
		{"no attempt is made before it, not even at a tick", 7, time.Minute, "0s 7s 10s 15s 20s", runner.Pass},
		{"it is cut to the time at which the run gives up", 3600, 12 * s, "0s 12s 15s 20s", runner.Pass},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			a := world{fails: between(0, 1*s, status(429, "TooManyRequests", test.seconds))}.run(t, plan(func(p *runner.Plan) { p.APIGrace = test.grace }))
			if a.times() != test.requests || a.Verdict != test.verdict {
				t.Errorf("got %s with requests at %s, want %s at %s", a.Verdict, a.times(), test.verdict, test.requests)
			}
		})
	}
	t.Run("it is cut to the end of the final check's grace", func(t *testing.T) {
		a := world{fails: between(0, always, status(429, "TooManyRequests", 2147483647))}.run(t, plan(func(p *runner.Plan) { p.APIGrace = 30 * s }))
		if a.times() != "0s 30s" || a.Verdict != runner.Inconclusive {
			t.Errorf("got %s with requests at %s", a.Verdict, a.times())
		}
	})
}

// The final check has read the whole list when the signal arrives: only a reached limit takes precedence over the signal.
func TestASignalDuringTheFinalCheckIsNeverAPass(t *testing.T) {
	for _, test := range []struct {
		crashes int32
		want    runner.Verdict
	}{{3, runner.Fail}, {2, runner.Interrupted}} {
		var cancel context.CancelCauseFunc
		w := world{
			ctx: func(ctx context.Context) context.Context {
				ctx, cancel = context.WithCancelCause(ctx)
				return ctx
			},
			pods: func(time.Duration) []*corev1.Pod {
				cancel(runner.SignalError{Signal: syscall.SIGTERM})
				return []*corev1.Pod{pod(test.crashes)}
			},
		}
		if a := w.run(t, counted(1, 0)); a.Verdict != test.want || (a.Signal != nil) != (test.want == runner.Interrupted) {
			t.Errorf("with %d crashes: got %s, signal %v, want %s", test.crashes, a.Verdict, a.Signal, test.want)
		}
	}
}

func TestSignals(t *testing.T) {
	const s = time.Second
	signal := func(at time.Duration) func(context.Context) context.Context {
		return func(ctx context.Context) context.Context {
			ctx, cancel := context.WithCancelCause(ctx)
			if at == 0 {
				cancel(runner.SignalError{Signal: syscall.SIGTERM})
			}
			time.AfterFunc(at, func() { cancel(runner.SignalError{Signal: syscall.SIGTERM}) })
			return ctx
		}
	}
	tests := []struct {
		claim   string
		world   world
		plan    runner.Plan
		verdict runner.Verdict
		elapsed time.Duration
	}{
		{"before the first check", world{ctx: signal(0)}, plan(nil), runner.Interrupted, 0},
		{"between checks", world{ctx: signal(7 * s)}, plan(nil), runner.Interrupted, 7 * s},
		{"during a request", world{ctx: signal(6 * s), takes: slowFrom(5*s, 9*s)}, plan(nil), runner.Interrupted, 6 * s},
		{"in back-off", world{ctx: signal(6 * s), fails: between(5*s, always, status(429, "TooManyRequests", 30))}, plan(nil), runner.Interrupted, 6 * s},
		{"in the final check", world{ctx: signal(21 * s), takes: slowFrom(20*s, 9*s)}, plan(nil), runner.Interrupted, 21 * s},
		{"after the window, while the final check is retried", world{ctx: signal(30 * s), fails: between(19*s, always, errors.New("refused"))}, plan(nil), runner.Interrupted, 30 * s},
		{"once the verdict is reached, it changes nothing", world{ctx: signal(21 * s)}, plan(nil), runner.Pass, 20 * s},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			a := test.world.run(t, test.plan)
			if a.Verdict != test.verdict || a.Elapsed < test.elapsed || a.Elapsed > test.elapsed+time.Second {
				t.Errorf("got %s after %s, want %s after %s", a.Verdict, a.Elapsed, test.verdict, test.elapsed)
			}
			if interrupted := a.Verdict == runner.Interrupted; interrupted != (a.Signal == syscall.SIGTERM) || interrupted != (a.Err == error(runner.SignalError{Signal: syscall.SIGTERM})) {
				t.Errorf("got signal %v, error %v", a.Signal, a.Err)
			}
		})
	}
}
