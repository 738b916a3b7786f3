package runner_test

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

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

// For how long answers take from one time on; before, they take none.
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
		{"the first check comes at once, the closing one at the end of the window", world{}, plan(nil),
			"0s 5s 10s 15s 20s", runner.Pass, 20 * s, 5 * s},
		{"the closing check does not wait for a tick", world{}, plan(func(p *runner.Plan) { p.Duration = 12 * s }),
			"0s 5s 10s 12s", runner.Pass, 12 * s, 5 * s},
		{"an interval longer than the window leaves the first and the closing check", world{}, plan(func(p *runner.Plan) { p.Interval = 100 * s }),
			"0s 20s", runner.Pass, 20 * s, 20 * s},
		{"slow checks do not drift", world{takes: constantly(2 * s)}, plan(nil),
			"0s 5s 10s 15s 20s", runner.Pass, 22 * s, 5 * s},
		{"a late check skips the ticks that it missed", world{takes: constantly(7 * s)}, plan(func(p *runner.Plan) { p.Duration = 31 * s }),
			"0s 10s 20s 30s 37s", runner.Pass, 44 * s, 10 * s},
		{"a check that ends on a tick is followed at once", world{takes: constantly(5 * s)}, plan(nil),
			"0s 5s 10s 15s 20s", runner.Pass, 25 * s, 5 * s},
		{"a check begun before the window's end is not the closing one, which follows at once", world{takes: slowFrom(15*s, 8*s)}, plan(nil),
			"0s 5s 10s 15s 23s", runner.Pass, 31 * s, 13 * s},

		{"COUNT ends right after its last check", world{}, counted(3, 0), "0s 5s 10s", runner.Pass, 10 * s, 5 * s},
		{"a COUNT of 1 is one check", world{}, counted(1, 0), "0s", runner.Pass, 0, 0},
		{"COUNT ends before MAX_DURATION when its checks are made", world{}, counted(3, 60*s), "0s 5s 10s", runner.Pass, 10 * s, 5 * s},
		{"MAX_DURATION ends COUNT with a closing check", world{}, counted(100, 12*s), "0s 5s 10s 12s", runner.Pass, 12 * s, 5 * s},
		{"the last of COUNT may be at MAX_DURATION", world{}, counted(3, 10*s), "0s 5s 10s", runner.Pass, 10 * s, 5 * s},
		{"a check that failed is not one of the COUNT", world{fails: between(5*s, 6*s, status(500, "", 3))}, counted(3, 0),
			"0s 5s 8s 10s", runner.Pass, 10 * s, 8 * s},

		{"the limit ends the run at once", world{pods: crashingAt(1*s, 2*s, 9*s)}, plan(nil), "0s 5s 10s", runner.Fail, 10 * s, 5 * s},
		{"the limit at the first check ends the run", world{pods: pods(pod(3))}, plan(nil), "0s", runner.Fail, 0, 0},
		{"one below the limit passes", world{pods: pods(pod(2))}, plan(nil), "0s 5s 10s 15s 20s", runner.Pass, 20 * s, 5 * s},
		{"a crash in the last interval is seen by the closing check", world{pods: crashingAt(1*s, 2*s, 19*s)}, plan(nil),
			"0s 5s 10s 15s 20s", runner.Fail, 20 * s, 5 * s},
		{"a crash while the last check before the end is on its way is seen by the closing check",
			world{pods: func(at time.Duration) []*corev1.Pod { return crashingAt(19*s, 19*s, 24*s)(at) }, takes: slowFrom(15*s, 8*s)}, plan(nil),
			"0s 5s 10s 15s 23s", runner.Fail, 31 * s, 13 * s},

		{"no pod at all is inconclusive", world{pods: pods()}, plan(nil), "0s 5s 10s 15s 20s", runner.Inconclusive, 20 * s, 5 * s},
		{"pods that were there once are enough", world{pods: func(at time.Duration) []*corev1.Pod {
			if at == 10*s {
				return []*corev1.Pod{pod(0)}
			}
			return nil
		}}, plan(nil), "0s 5s 10s 15s 20s", runner.Pass, 20 * s, 5 * s},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			a := test.world.run(t, test.plan)
			if a.times() != test.requests {
				t.Errorf("requests:\n got %s\nwant %s", a.times(), test.requests)
			}
			if a.Verdict != test.verdict || a.Elapsed != test.elapsed || a.LongestGap != test.gap {
				t.Errorf("got %s after %s with a gap of %s, want %s after %s with a gap of %s (%s)",
					a.Verdict, a.Elapsed, a.LongestGap, test.verdict, test.elapsed, test.gap, a.Reason)
			}
			if window, ok := test.plan.Window(); a.Elapsed > test.plan.Latest() || ok && a.Verdict == runner.Pass && test.plan.Count == 0 && a.Elapsed < window {
				t.Errorf("took %s, where the window is %s and the bound %s", a.Elapsed, window, test.plan.Latest())
			}
		})
	}
}

func TestVerdicts(t *testing.T) {
	ready := func(p *runner.Plan) { p.RequireReady = true }
	tests := []struct {
		claim   string
		pods    []*corev1.Pod // all the time
		plan    runner.Plan
		verdict runner.Verdict
		reason  string
	}{
		{"no crash passes", []*corev1.Pod{pod(0)}, plan(nil), runner.Pass, "no crashes within 20s, below CRASH_LIMIT 3"},
		{"crashes below the limit pass", []*corev1.Pod{pod(2)}, plan(nil), runner.Pass, "2 crashes in 1 of 1 pod (all from before this run), below CRASH_LIMIT 3"},
		{"the limit fails", []*corev1.Pod{pod(1), pod(2, numbered(2))}, plan(nil), runner.Fail,
			"3 crashes in 2 of 2 pods (all from before this run), CRASH_LIMIT is 3; worst: web-2/app with 2 crashes, the last one with exit code unknown"},
		{"the limit fails although pods are too few and not ready", []*corev1.Pod{pod(4, unready)},
			plan(func(p *runner.Plan) { p.RequireReady, p.MinPods = true, 9 }), runner.Fail,
			"4 crashes in 1 of 1 pod (all from before this run), CRASH_LIMIT is 3; worst: web-1/app with 4 crashes, the last one with exit code unknown"},
		{"no pod is inconclusive", nil, plan(nil), runner.Inconclusive, "no pod ever matched hash=abc: check HASH (or SELECTOR) and NAMESPACE"},
		{"one pod less than MIN_PODS is inconclusive", []*corev1.Pod{pod(0), pod(0, numbered(2))}, plan(func(p *runner.Plan) { p.MinPods = 3 }),
			runner.Inconclusive, "never more than 2 pods matched at once, MIN_PODS is 3"},
		{"exactly MIN_PODS are enough", []*corev1.Pod{pod(0), pod(0, numbered(2))}, plan(func(p *runner.Plan) { p.MinPods = 2 }), runner.Pass,
			"no crashes within 20s, below CRASH_LIMIT 3"},
		{"MIN_PODS counts every listed pod", []*corev1.Pod{pod(0), pod(0, numbered(2), deleted)}, plan(func(p *runner.Plan) { p.MinPods = 2 }), runner.Pass,
			"no crashes within 20s, below CRASH_LIMIT 3"},
		{"MIN_PODS=0 lets an empty selection pass", nil, plan(func(p *runner.Plan) { p.MinPods = 0 }), runner.Pass,
			"no crashes within 20s, below CRASH_LIMIT 3; but no pod ever matched hash=abc"},
		{"too few pods come before readiness", []*corev1.Pod{pod(0, unready)}, plan(func(p *runner.Plan) { p.RequireReady, p.MinPods = true, 2 }),
			runner.Inconclusive, "never more than 1 pod matched at once, MIN_PODS is 2"},
		{"ready pods pass", []*corev1.Pod{pod(0)}, plan(ready), runner.Pass, "no crashes within 20s, below CRASH_LIMIT 3"},
		{"without REQUIRE_READY readiness does not matter, but is told", []*corev1.Pod{pod(0, unready)}, plan(nil), runner.Pass,
			"no crashes within 20s, below CRASH_LIMIT 3; but at the closing check 1 of 1 pod was not Ready: web-1 (REQUIRE_READY=on would not let this pass)"},
		{"a pod that is not ready", []*corev1.Pod{pod(1), pod(0, numbered(2), unready)}, plan(ready), runner.NotReady,
			"1 crash in 1 of 2 pods (from before this run), below CRASH_LIMIT 3, but at the closing check 1 of 2 pods was not Ready: web-2"},
		{"many pods that are not ready", []*corev1.Pod{pod(0, unready), pod(0, numbered(2), unready), pod(0, numbered(3), unready), pod(0, numbered(4), unready)}, plan(ready), runner.NotReady,
			"no crashes within 20s, below CRASH_LIMIT 3, but at the closing check 4 of 4 pods were not Ready: web-1, web-2, web-3 and 1 more"},
		{"a pod that cannot start is not ready, and why is told", []*corev1.Pod{pod(0, unready, func(p *corev1.Pod) {
			p.Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff"}}
		})}, plan(ready), runner.NotReady,
			"no crashes within 20s, below CRASH_LIMIT 3, but at the closing check 1 of 1 pod was not Ready: web-1; web-1/app cannot start: ImagePullBackOff"},
		{"pods that are being deleted need not be ready", []*corev1.Pod{pod(0), pod(0, numbered(2), unready, deleted)}, plan(ready), runner.Pass, "no crashes within 20s, below CRASH_LIMIT 3"},
		{"but one must be left", []*corev1.Pod{pod(0, unready, deleted)}, plan(ready), runner.NotReady,
			"no crashes within 20s, below CRASH_LIMIT 3, but at the closing check no pod was left that could be Ready"},
		{"unless MIN_PODS is 0", []*corev1.Pod{pod(0, unready, deleted)}, plan(func(p *runner.Plan) { p.RequireReady, p.MinPods = true, 0 }), runner.Pass,
			"no crashes within 20s, below CRASH_LIMIT 3; but at the closing check no pod was left"},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			a := world{pods: pods(test.pods...)}.run(t, test.plan)
			if a.Verdict != test.verdict || a.Reason != test.reason {
				t.Errorf("\n got %s: %s\nwant %s: %s", a.Verdict, a.Reason, test.verdict, test.reason)
			}
		})
	}
}

func TestFaults(t *testing.T) {
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
		reason  string
	}{
		{"an outage that ends within the grace passes", world{fails: between(2*s, 15*s, refused)}, quick(nil), runner.Pass, 20 * s,
			"no crashes within 20s, below CRASH_LIMIT 3"},
		{"an outage that lasts is inconclusive when the grace is used up", world{fails: between(2*s, always, refused)}, quick(func(p *runner.Plan) { p.APIGrace = 10 * s }),
			runner.Inconclusive, 12 * s, "the pods were not observed for the last 10.1s (101 failed attempts, API_GRACE is 10s; crashes until then: 0 of 3): list pods with hash=abc: connection refused"},
		{"an outage from the start is inconclusive", world{fails: between(0, always, refused)}, quick(func(p *runner.Plan) { p.APIGrace = 5 * s }),
			runner.Inconclusive, 5 * s, "the pods were never observed (51 failed attempts in 5s, API_GRACE is 5s): list pods with hash=abc: connection refused"},
		{"the last attempt, when the grace is used up, may save the run", world{fails: between(2*s, 12*s, refused)}, quick(func(p *runner.Plan) { p.APIGrace = 10 * s }),
			runner.Pass, 20 * s, "no crashes within 20s, below CRASH_LIMIT 3"},
		{"the closing check goes on past the window's end", world{fails: between(19*s, 40*s, refused)}, quick(nil), runner.Pass, 40 * s,
			"no crashes within 40s, below CRASH_LIMIT 3"},
		{"the closing check goes on until the streak's grace is used up, not longer", world{fails: between(15*s, always, refused)}, quick(func(p *runner.Plan) { p.APIGrace = 10 * s }),
			runner.Inconclusive, 25 * s, "the pods were not observed for the last 10.1s (101 failed attempts, API_GRACE is 10s; crashes until then: 0 of 3): list pods with hash=abc: connection refused"},
		{"without grace, one failure ends the run", world{fails: between(2*s, always, refused)}, quick(func(p *runner.Plan) { p.APIGrace = 0 }), runner.Inconclusive, 2 * s,
			"the pods were not observed for the last 100ms (1 failed attempt, API_GRACE is 0s; crashes until then: 0 of 3): list pods with hash=abc: connection refused"},
		{"a failure after the limit was reached changes nothing", world{pods: crashingAt(0, 0, 1*s), fails: between(2*s, always, refused)}, quick(nil), runner.Fail, 1 * s,
			"3 crashes in 1 of 1 pod (2 of them from before this run), CRASH_LIMIT is 3; worst: web-1/app with 3 crashes, the last one with exit code unknown"},
		{"400 is inconclusive at once", world{fails: between(2*s, always, status(400, "BadRequest", 0))}, quick(nil), runner.Inconclusive, 2 * s,
			"the API server does not accept the request: list pods with hash=abc: answer 400"},
		{"406 is inconclusive at once", world{fails: between(0, always, status(406, "", 0))}, quick(nil), runner.Inconclusive, 0,
			"the API server does not accept the request: list pods with hash=abc: answer 406"},
		{"415 is inconclusive at once", world{fails: between(0, always, status(415, "", 0))}, quick(nil), runner.Inconclusive, 0,
			"the API server does not accept the request: list pods with hash=abc: answer 415"},
		{"422 is inconclusive at once", world{fails: between(0, always, status(422, "", 0))}, quick(nil), runner.Inconclusive, 0,
			"the API server does not accept the request: list pods with hash=abc: answer 422"},
		{"404 is a fault like any other", world{fails: between(0, 3*s, status(404, "", 0))}, quick(nil), runner.Pass, 20 * s, "no crashes within 20s, below CRASH_LIMIT 3"},
		{"403 from the start is inconclusive after 10 s", world{fails: between(0, always, status(403, "Forbidden", 0))}, quick(nil), runner.Inconclusive, 10 * s,
			"the API server denies access: list pods with hash=abc: answer 403"},
		{"403 from the start is given 10 s however short the window", world{fails: between(0, always, status(403, "Forbidden", 0))}, quick(func(p *runner.Plan) { p.Duration = s }),
			runner.Inconclusive, 10 * s, "the API server denies access: list pods with hash=abc: answer 403"},
		{"401 from the start is given no longer than the grace", world{fails: between(0, always, status(401, "Unauthorized", 0))}, quick(func(p *runner.Plan) { p.APIGrace = 4 * s }),
			runner.Inconclusive, 4 * s, "the API server denies access: list pods with hash=abc: answer 401"},
		{"the 10 s begin with the first denial", world{fails: func(at time.Duration, _ int) error {
			if at < 5*s {
				return refused
			}
			return status(403, "Forbidden", 0)
		}}, quick(nil), runner.Inconclusive, 15 * s, "the API server denies access: list pods with hash=abc: answer 403"},
		{"403 for a moment at the start does no harm", world{fails: between(0, 9*s, status(403, "Forbidden", 0))}, quick(nil), runner.Pass, 20 * s,
			"no crashes within 20s, below CRASH_LIMIT 3"},
		{"403 after a success is a fault like any other", world{fails: between(2*s, 18*s, status(403, "Forbidden", 0))}, quick(nil), runner.Pass, 20 * s,
			"no crashes within 20s, below CRASH_LIMIT 3"},
		{"crashes that a late first check finds may be older than the run, or not", world{fails: between(0, 5*s, refused), pods: func(time.Duration) []*corev1.Pod { return []*corev1.Pod{pod(1)} }},
			quick(nil), runner.Pass, 20 * s, "1 crash in 1 of 1 pod (found by the first check that succeeded, after 5s), below CRASH_LIMIT 3"},
		{"requests that are never answered use up the grace", world{takes: constantly(always / 4)}, plan(nil), runner.Inconclusive, 69 * s, ""},
		{"an answer that takes longer than the grace leaves no time for another", world{takes: constantly(always / 4)}, plan(func(p *runner.Plan) { p.APIGrace = 0 }),
			runner.Inconclusive, 9 * s, ""},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			a := test.world.run(t, test.plan)
			if a.Verdict != test.verdict || a.Elapsed != test.elapsed {
				t.Errorf("got %s after %s, want %s after %s (%s)", a.Verdict, a.Elapsed, test.verdict, test.elapsed, a.Reason)
			}
			if test.reason != "" && a.Reason != test.reason {
				t.Errorf("\n got %s\nwant %s", a.Reason, test.reason)
			}
			if int(a.Checks+a.FailedChecks) != len(a.requests) {
				t.Errorf("%d checks and %d failed ones, but %d requests", a.Checks, a.FailedChecks, len(a.requests))
			}
			if a.Elapsed > test.plan.Latest() {
				t.Errorf("took %s, above the bound %s", a.Elapsed, test.plan.Latest())
			}
		})
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
		{"no attempt comes before it, not even at a tick", 7, time.Minute, "0s 7s 10s 15s 20s", runner.Pass},
		{"it is cut at the instant of giving up", 3600, 12 * s, "0s 12s 15s 20s", runner.Pass},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			a := world{fails: between(0, 1*s, status(429, "TooManyRequests", test.seconds))}.run(t, plan(func(p *runner.Plan) { p.APIGrace = test.grace }))
			if a.times() != test.requests || a.Verdict != test.verdict {
				t.Errorf("got %s with requests at %s, want %s at %s", a.Verdict, a.times(), test.verdict, test.requests)
			}
		})
	}
	t.Run("it is cut at the end of the closing check's grace", func(t *testing.T) {
		a := world{fails: between(0, always, status(429, "TooManyRequests", 2147483647))}.run(t, plan(func(p *runner.Plan) { p.APIGrace = 30 * s }))
		if a.times() != "0s 30s" || a.Verdict != runner.Inconclusive {
			t.Errorf("got %s with requests at %s", a.Verdict, a.times())
		}
	})
}

// The closing check has read its whole list when the signal comes: only the limit outranks the signal.
func TestASignalDuringTheClosingCheckIsNeverAPass(t *testing.T) {
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
		{"in mid-request", world{ctx: signal(6 * s), takes: slowFrom(5*s, 9*s)}, plan(nil), runner.Interrupted, 6 * s},
		{"in back-off", world{ctx: signal(6 * s), fails: between(5*s, always, status(429, "TooManyRequests", 30))}, plan(nil), runner.Interrupted, 6 * s},
		{"in the closing check", world{ctx: signal(21 * s), takes: slowFrom(20*s, 9*s)}, plan(nil), runner.Interrupted, 21 * s},
		{"after the window, while the closing check is retried", world{ctx: signal(30 * s), fails: between(19*s, always, errors.New("refused"))}, plan(nil), runner.Interrupted, 30 * s},
		{"once the verdict is reached it changes nothing", world{ctx: signal(21 * s)}, plan(nil), runner.Pass, 20 * s},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			a := test.world.run(t, test.plan)
			if a.Verdict != test.verdict || a.Elapsed < test.elapsed || a.Elapsed > test.elapsed+time.Second {
				t.Errorf("got %s after %s, want %s after %s", a.Verdict, a.Elapsed, test.verdict, test.elapsed)
			}
			if interrupted := a.Verdict == runner.Interrupted; interrupted != (a.Signal == syscall.SIGTERM) || interrupted != strings.HasPrefix(a.Reason, "ended by SIGTERM after ") {
				t.Errorf("got signal %v, reason %q", a.Signal, a.Reason)
			}
		})
	}
}
