package main

import (
	"context"
	"slices"
	"time"

	"github.com/crashcheck/crashcheck/test/bench/child"
	"github.com/crashcheck/crashcheck/test/bench/stats"
)

// Run is what a whole run with one of the rivals costs: the start and all checks
// of runDuration at runInterval.
type Run struct {
	Rival           string
	Pods            int
	Gate, API, Etcd time.Duration
	Bytes           float64
	// GateCheck and APICheck are the cost of one of its checks. The table of
	// checks has the same without pauses.
	GateCheck, APICheck time.Duration
}

const (
	runInterval = 5 * time.Second
	runDuration = 300 * time.Second
	// runChecks is how many checks that are: one at the start, one at the end.
	runChecks = int(runDuration/runInterval) + 1
	// measuredChecks is how many of them are measured; the others cost the same.
	measuredChecks = 7
)

// measureRuns runs many gates at once at the real interval: what one gate costs
// the API server in that time is less than what the server uses by itself.
func measureRuns(ctx context.Context, b *bench, results *Results) error {
	results.Runs = nil
	for _, c := range []struct {
		rival rival
		// gates is how many run at once, with 10 and with 100 pods. kubectl and jq
		// would keep each other from the processors.
		gates [2]int
	}{{crashcheckRival, [2]int{50, 50}}, {kubectlRival, [2]int{20, 8}}, {typedRival, [2]int{50, 50}}} {
		for i, pods := range []int{10, 100} {
			set, err := b.set(ctx, Scenario{Pods: pods})
			if err != nil {
				return err
			}
			if err := b.warm(ctx, c.rival, set); err != nil {
				return err
			}
			if err := b.settle(ctx); err != nil {
				return err
			}
			run, err := b.wholeRun(ctx, c.rival, set, c.gates[i])
			if err != nil {
				return err
			}
			results.Runs = append(results.Runs, run)
		}
	}
	return nil
}

func (b *bench) wholeRun(ctx context.Context, r rival, set podSet, gates int) (Run, error) {
	checks, interval, pause := measuredChecks, runInterval, runInterval
	if b.quick {
		gates, checks, interval, pause = 5, 3, time.Second, time.Second
	}
	var measured [2]total
	var bytes [2]float64
	var rests []total
	for i, n := range []int{1, checks} {
		rest, err := b.rest(ctx, pause)
		if err != nil {
			return Run{}, err
		}
		rests = append(rests, rest)
		commands := slices.Repeat([]child.Command{r.command(b, set, set.Direct, gateSettings{n, interval, noLimit})}, gates)
		commands[0] = r.command(b, set, set.Relayed, gateSettings{n, interval, noLimit}) // its bytes are counted
		counted := set.Relay.Bytes()
		measured[i], err = b.run(ctx, commands, interval, func(stdout []byte) error { return r.checkReport(set.Pods, stdout) })
		if err != nil {
			return Run{}, err
		}
		bytes[i] = float64(set.Relay.Bytes() - counted)
	}
	rest, err := b.rest(ctx, pause)
	if err != nil {
		return Run{}, err
	}
	idle := newIdle(append(rests, rest))
	run := scaleRun(measured[0].beyond(idle), measured[1].beyond(idle), gates, checks, bytes)
	run.Rival, run.Pods = r.name, set.Pods
	return run, nil
}

// beyond is the use without the servers' idle use.
func (t total) beyond(idle idle) total {
	t.api -= time.Duration(idle.api * float64(t.elapsed))
	t.etcd -= time.Duration(idle.etcd * float64(t.elapsed))
	return t
}

// scaleRun is the cost of runChecks checks of one gate: the first with the start,
// and the others as those that were measured.
func scaleRun(one, many total, gates, checks int, bytes [2]float64) Run {
	n := time.Duration(gates)
	whole := func(one, many time.Duration) (all, each time.Duration) {
		each = stats.Each(many, one, checks) / n
		return max(0, one/n+each*time.Duration(runChecks-1)), each
	}
	var run Run
	run.Gate, run.GateCheck = whole(one.gates, many.gates)
	run.API, run.APICheck = whole(one.api, many.api)
	run.Etcd, _ = whole(one.etcd, many.etcd)
	run.Bytes = bytes[0] + stats.Each(bytes[1], bytes[0], checks)*float64(runChecks-1)
	return run
}
