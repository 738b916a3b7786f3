package main

import (
	"context"
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
	manyTakes, mostChecks = 2 * time.Second, 150
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
		for _, c := range contestants {
			if err := b.warm(ctx, c.rival, set); err != nil {
				return nil, err
			}
		}
		taken := make([][]Check, len(contestants))
		for range n {
			for i, c := range contestants {
				round, err := b.round(ctx, c, set)
				if err != nil {
					return nil, err
				}
				taken[i] = append(taken[i], round)
			}
		}
		for i, c := range contestants {
			check := medianCheck(taken[i])
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

// warm makes a check in both ways, so that no later run fills kubectl's discovery
// cache.
func (b *bench) warm(ctx context.Context, r rival, set podSet) error {
	for _, access := range []world.Access{set.Direct, set.Relayed} {
		if _, _, err := r.command(b, set, access, gateSettings{1, pause, noLimit}).Run(ctx); err != nil {
			return err
		}
	}
	return nil
}

// round makes a run of one check, and one of as many as fit into its time.
func (b *bench) round(ctx context.Context, c contestant, set podSet) (Check, error) {
	run := func(checks int) (total, error) {
		command := c.command(b, set, c.access(set), gateSettings{checks, pause, noLimit})
		return b.run(ctx, []child.Command{command}, 0, func(stdout []byte) error { return c.checkReport(set.Pods, stdout) })
	}
	one, err := run(1)
	if err != nil {
		return Check{}, err
	}
	many, n := one, min(max(int(manyTakes/one.wall), c.leastChecks()), mostChecks)
	if n > 1 {
		if many, err = run(n); err != nil {
			return Check{}, err
		}
	}
	return Check{
		Gate: stats.Each(many.gates, one.gates, n),
		API:  stats.Each(many.api, one.api, n),
		Etcd: stats.Each(many.etcd, one.etcd, n),
		Peak: max(one.peak, many.peak),
	}, nil
}

// leastChecks is how many checks a run of many has at least. One check says all
// of a program that starts for every check.
func (r rival) leastChecks() int {
	if r.resident {
		return 5
	}
	return 1
}

// medianCheck is the median of each figure.
func medianCheck(rounds []Check) Check {
	return Check{
		Gate:      median(rounds, func(c Check) time.Duration { return c.Gate }),
		API:       median(rounds, func(c Check) time.Duration { return c.API }),
		Etcd:      median(rounds, func(c Check) time.Duration { return c.Etcd }),
		APIError:  stats.Error(figures(rounds, func(c Check) time.Duration { return c.API })),
		EtcdError: stats.Error(figures(rounds, func(c Check) time.Duration { return c.Etcd })),
		Peak:      median(rounds, func(c Check) int64 { return c.Peak }),
	}
}

func median[R any, N stats.Number](rounds []R, figure func(R) N) N {
	return stats.Median(figures(rounds, figure))
}

func figures[R any, N stats.Number](rounds []R, figure func(R) N) []N {
	var all []N
	for _, r := range rounds {
		all = append(all, figure(r))
	}
	return all
}

// bytesPerCheck counts what one check more sends and receives.
func (b *bench) bytesPerCheck(ctx context.Context, c contestant, set podSet) (float64, error) {
	access := set.Relayed
	if c.name == jsonName {
		access = set.JSON
	}
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
