package main

import (
	"context"
	"slices"
	"time"

	"github.com/crashcheck/crashcheck/test/bench/child"
	"github.com/crashcheck/crashcheck/test/bench/stats"
	"github.com/crashcheck/crashcheck/test/bench/world"
)

// Run is what a whole run with one of the rivals costs: the start and all checks
// of runDuration at runInterval.
type Run struct {
	Check
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
	measuredChecks = 5
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
	}{{crashcheckRival, [2]int{60, 60}}, {kubectlRival, [2]int{20, 8}}, {typedRival, [2]int{60, 60}}} {
		for i, pods := range []int{10, 100} {
			set, err := b.set(ctx, Scenario{Pods: pods})
			if err != nil {
				return err
			}
			// No run that is measured should fill kubectl's discovery cache.
			for _, access := range []world.Access{set.Direct, set.Relayed} {
				if _, _, err := c.rival.command(b, set, access, gateSettings{1, pause, noLimit}).Run(ctx); err != nil {
					return err
				}
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
	checks, interval, resting := measuredChecks, runInterval, 2*restTime
	if b.quick {
		gates, checks, interval, resting = 5, 3, time.Second, time.Second
	}
	var measured [2]total
	var bytes [2]float64
	var rests []total
	for i, n := range []int{1, checks} {
		rest, err := b.rest(ctx, resting)
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
	rest, err := b.rest(ctx, resting)
	if err != nil {
		return Run{}, err
	}
	run := scaleRun(measured[0], measured[1], gates, checks, newIdle(append(rests, rest)))
	run.Rival, run.Scenario = r.name, Scenario{Pods: set.Pods}
	run.Bytes = bytes[0] + stats.Each(bytes[1], bytes[0], checks)*float64(runChecks-1)
	return run, nil
}

// scaleRun is the cost of runChecks checks of one gate, without the servers' idle
// use: the first check with the start, and the others as those that were measured.
func scaleRun(one, many total, gates, checks int, idle idle) Run {
	n, more := time.Duration(gates), time.Duration(runChecks-1)
	further := each(many, one, checks)
	var run Run
	run.GateCheck = further.gates / n
	run.Gate = one.gates/n + more*run.GateCheck
	idleAPI := func(t total) time.Duration { return time.Duration(idle.api * float64(t.elapsed)) }
	idleEtcd := func(t total) time.Duration { return time.Duration(idle.etcd * float64(t.elapsed)) }
	run.APICheck = (further.api - idleAPI(further)) / n
	run.API = (one.api-idleAPI(one))/n + more*run.APICheck
	run.Etcd = (one.etcd-idleEtcd(one))/n + more*(further.etcd-idleEtcd(further))/n
	elapsed := float64(one.elapsed+more*further.elapsed) / float64(gates)
	run.APIError, run.EtcdError = time.Duration(idle.apiError*elapsed), time.Duration(idle.etcdError*elapsed)
	return run
}
