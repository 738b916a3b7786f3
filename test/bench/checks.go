package main

import (
	"context"
	"math"
	"time"

	"github.com/crashcheck/crashcheck/test/bench/child"
	"github.com/crashcheck/crashcheck/test/bench/stats"
	"github.com/crashcheck/crashcheck/test/bench/world"
)

// Check is what one check costs with one of the rivals.
type Check struct {
	Rival string
	Scenario
	// Gate, API and Etcd are processor time. The errors are standard errors of
	// the rounds' mean.
	Gate, API, Etcd     time.Duration
	APIError, EtcdError time.Duration
	Bytes               float64
	// Peak is the peak memory of the largest process.
	Peak int64
}

// scenarios are the columns of the tables. The last one is the usual case.
var scenarios = []Scenario{{10, 0}, {1000, 0}, {5000, 0}, {10, 5000}}

var quickScenarios = []Scenario{{10, 0}, {100, 0}, {10, 100}}

const (
	// manyTakes is how long a run of many checks should take, and mostChecks is
	// the most that it makes.
	manyTakes, mostChecks = 1500 * time.Millisecond, 150
	// restTime is how long the servers' idle use is measured before each round. Most
	// of their periodic work comes every 10 s or more often.
	restTime = 2 * time.Second
	// rounds is how often each run is repeated; at 5,000 pods runs take long.
	rounds, largeRounds = 5, 3
)

// jsonName is crashcheck, if the server answers in JSON.
const jsonName = "crashcheck, JSON answers"

// contestant is a rival and the way it takes.
type contestant struct {
	rival
	name   string
	access func(podSet) world.Access
}

func direct(set podSet) world.Access { return set.Direct }
func asJSON(set podSet) world.Access { return set.JSON }

func measureChecks(ctx context.Context, b *bench, results *Results) (err error) {
	results.Server = b.world.Version
	contestants := []contestant{{crashcheckRival, jsonName, asJSON}}
	for _, r := range rivals {
		contestants = append(contestants, contestant{r, r.name, direct})
	}
	results.Checks, err = b.checks(ctx, contestants)
	return err
}

// measureOldest measures against the oldest supported API server.
func measureOldest(ctx context.Context, b *bench, results *Results) (err error) {
	results.OldestServer = b.world.Version
	results.OldestChecks, err = b.checks(ctx, []contestant{{crashcheckRival, crashcheckName, direct}, {typedRival, typedName, direct}})
	return err
}

// checks lets the contestants run in turn in each scenario.
func (b *bench) checks(ctx context.Context, contestants []contestant) ([]Check, error) {
	all := scenarios
	if b.quick {
		all = quickScenarios
	}
	var checks []Check
	for _, s := range all {
		set, err := b.set(ctx, s)
		if err != nil {
			return nil, err
		}
		if err := b.settle(ctx); err != nil {
			return nil, err
		}
		n := rounds
		if b.quick {
			n = 2
		} else if s.Pods >= 5000 {
			n = largeRounds
		}
		taken := make([][]total, len(contestants))
		var rests []total
		for range n {
			rest, err := b.rest(ctx, restTime)
			if err != nil {
				return nil, err
			}
			rests = append(rests, rest)
			for i, c := range contestants {
				round, err := b.round(ctx, c, set)
				if err != nil {
					return nil, err
				}
				taken[i] = append(taken[i], round)
			}
		}
		idle := newIdle(rests)
		b.logf("idle: %.2f ± %.2f %% of a processor for kube-apiserver, %.2f ± %.2f %% for etcd", 100*idle.api, 100*idle.apiError, 100*idle.etcd, 100*idle.etcdError)
		for i, c := range contestants {
			check := medianCheck(taken[i], idle)
			check.Rival, check.Scenario = c.name, s
			if check.Bytes, err = b.bytesPerCheck(ctx, c, set); err != nil {
				return nil, err
			}
			checks = append(checks, check)
			b.logf("%s, %d pods and %d others, %s: CPU of the gate %s, of kube-apiserver %s ± %s, of etcd %s ± %s", b.world.Version, s.Pods, s.Others, c.name,
				rounded(check.Gate), rounded(check.API), rounded(check.APIError), rounded(check.Etcd), rounded(check.EtcdError))
		}
	}
	return checks, nil
}

func rounded(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }

// round makes a run of one check, and one of as many as fit into its time, and
// returns the cost of one check, with the servers' idle use in the time elapsed.
func (b *bench) round(ctx context.Context, c contestant, set podSet) (total, error) {
	run := func(checks int) (total, error) {
		command := c.command(b, set, c.access(set), gateSettings{checks, pause, noLimit})
		return b.run(ctx, []child.Command{command}, 0, func(stdout []byte) error { return c.checkReport(set.Pods, stdout) })
	}
	one, err := run(1)
	if err != nil {
		return total{}, err
	}
	many, n := one, min(max(int(manyTakes/one.wall), c.leastChecks()), mostChecks)
	if n > 1 {
		if many, err = run(n); err != nil {
			return total{}, err
		}
	}
	return each(many, one, n), nil
}

// each is what each further check costs; the peak is that of all.
func each(many, one total, n int) total {
	return total{
		gates: stats.Each(many.gates, one.gates, n), api: stats.Each(many.api, one.api, n), etcd: stats.Each(many.etcd, one.etcd, n),
		elapsed: stats.Each(many.elapsed, one.elapsed, n), peak: max(many.peak, one.peak),
	}
}

// leastChecks is how many checks a run of many has at least. One check says all
// of a program that starts for every check.
func (r rival) leastChecks() int {
	if r.resident {
		return 5
	}
	return 1
}

// medianCheck is the median of each figure, without the servers' idle use.
func medianCheck(rounds []total, idle idle) Check {
	beyond := func(used func(total) time.Duration, idle, idleError float64) (middle, within time.Duration) {
		var values, elapsed []float64
		for _, r := range rounds {
			values = append(values, float64(used(r))-idle*float64(r.elapsed))
			elapsed = append(elapsed, float64(r.elapsed))
		}
		return time.Duration(stats.Median(values)), time.Duration(math.Hypot(stats.Error(values), idleError*stats.Mean(elapsed)))
	}
	var check Check
	check.API, check.APIError = beyond(func(r total) time.Duration { return r.api }, idle.api, idle.apiError)
	check.Etcd, check.EtcdError = beyond(func(r total) time.Duration { return r.etcd }, idle.etcd, idle.etcdError)
	var gates []time.Duration
	var peaks []int64
	for _, r := range rounds {
		gates, peaks = append(gates, r.gates), append(peaks, r.peak)
	}
	check.Gate, check.Peak = stats.Median(gates), stats.Median(peaks)
	return check
}

// bytesPerCheck counts what one check more sends and receives.
func (b *bench) bytesPerCheck(ctx context.Context, c contestant, set podSet) (float64, error) {
	access := set.Relayed
	if c.name == jsonName {
		access = set.JSON
	}
	// The first run fills kubectl's discovery cache.
	counts := []int{1, c.leastChecks()}
	var counted [2]float64
	for i, n := range counts {
		before := set.Relay.Bytes()
		if _, _, err := c.command(b, set, access, gateSettings{n, pause, noLimit}).Run(ctx); err != nil {
			return 0, err
		}
		counted[i] = float64(set.Relay.Bytes() - before)
	}
	return stats.Each(counted[1], counted[0], counts[1]), nil
}
