package main

import (
	"context"
	"time"
)

const (
	// pause is the shortest INTERVAL that crashcheck accepts.
	pause = 10 * time.Millisecond
	// manyTake is how long a run of many checks should take, in seconds.
	manyTake                 = 1.5
	fewestChecks, mostChecks = 2, 150

	runInterval = 5 * time.Second
	runDuration = 300 * time.Second
	// runChecks is how many checks a whole run makes: one at the start, one at the end.
	runChecks = int(runDuration/runInterval) + 1
	// measuredChecks is how many of them are measured; the others cost the same.
	measuredChecks = 3
)

// checks measures one check more of a gate that already runs.
func (b *bench) checks(ctx context.Context) ([]Cost, error) {
	type size struct{ pods, rounds int }
	sizes := []size{{10, 5}, {1000, 5}, {5000, 3}}
	if b.quick {
		sizes = []size{{10, 2}, {100, 2}}
	}
	var costs []Cost
	for _, s := range sizes {
		measured, err := b.costs(ctx, s.pods, s.rounds, []rival{crashcheck, crashcheckJSON, kubectlJQ, typed}, b.check)
		if err != nil {
			return nil, err
		}
		costs = append(costs, measured...)
	}
	return costs, nil
}

func (b *bench) check(ctx context.Context, r rival, pods int) (usage, error) {
	g := gate{pods: pods, checks: 1, interval: pause, limit: noLimit}
	one, err := b.run(ctx, r, g, 1)
	if err != nil {
		return usage{}, err
	}
	g.checks = min(max(int(manyTake/one.elapsed), fewestChecks), mostChecks)
	many, err := b.run(ctx, r, g, 1)
	return further(one, many, g.checks), err
}

// runs measures a whole run: the start and all checks at runInterval. Many gates run at once, because one gate costs the
// API server less in that time than the server uses by itself.
func (b *bench) runs(ctx context.Context) ([]Cost, error) {
	pods, rounds := []int{10, 100}, 3
	if b.quick {
		pods, rounds = []int{10}, 2
	}
	var costs []Cost
	for _, n := range pods {
		measured, err := b.costs(ctx, n, rounds, []rival{crashcheck, kubectlJQ, typed}, b.wholeRun)
		if err != nil {
			return nil, err
		}
		costs = append(costs, measured...)
	}
	return costs, nil
}

func (b *bench) wholeRun(ctx context.Context, r rival, pods int) (usage, error) {
	gates := 60
	if r == kubectlJQ { // more would keep each other from the processors
		gates = 8
	}
	g := gate{pods: pods, checks: 1, interval: runInterval, limit: noLimit}
	if b.quick {
		gates, g.interval = 5, time.Second
	}
	one, err := b.run(ctx, r, g, gates)
	if err != nil {
		return usage{}, err
	}
	g.checks = measuredChecks
	many, err := b.run(ctx, r, g, gates)
	return sum(one, further(one, many, measuredChecks), float64(runChecks-1)), err
}

// costs lets rivals run in turn, round by round, and returns the cost of each without the servers' idle use.
func (b *bench) costs(ctx context.Context, pods, rounds int, rivals []rival, measure func(context.Context, rival, int) (usage, error)) ([]Cost, error) {
	if err := b.prepare(ctx, pods); err != nil {
		return nil, err
	}
	for _, r := range rivals { // fills kubectl's discovery cache, and the page cache
		if _, err := b.run(ctx, r, gate{pods: pods, checks: 1, interval: pause, limit: noLimit}, 1); err != nil {
			return nil, err
		}
	}
	used := make([][]usage, len(rivals))
	for range rounds {
		idle, err := b.idle(ctx)
		if err != nil {
			return nil, err
		}
		for i, r := range rivals {
			round, err := measure(ctx, r, pods)
			if err != nil {
				return nil, err
			}
			used[i] = append(used[i], withoutIdle(round, idle))
		}
	}
	var costs []Cost
	for i, r := range rivals {
		cost := newCost(used[i])
		cost.Rival, cost.Pods = r.name, pods
		costs = append(costs, cost)
		b.logf("%d pods, %s: CPU of the gate %s, of kube-apiserver %s", pods, r.name, cell(cost.Gate, seconds), cell(cost.API, seconds))
	}
	return costs, nil
}

// newCost makes a figure of each usage in the rounds.
func newCost(rounds []usage) Cost {
	figure := func(of func(usage) float64) Figure {
		var values []float64
		for _, round := range rounds {
			values = append(values, of(round))
		}
		return newFigure(values)
	}
	return Cost{
		Gate:  figure(func(u usage) float64 { return u.gate }),
		API:   figure(func(u usage) float64 { return u.api }),
		Etcd:  figure(func(u usage) float64 { return u.etcd }),
		Bytes: figure(func(u usage) float64 { return u.bytes }),
		Peak:  figure(func(u usage) float64 { return u.peak }),
	}
}

// sum is a + n × b; the peak is that of both.
func sum(a, b usage, n float64) usage {
	return usage{
		gate: a.gate + n*b.gate, api: a.api + n*b.api, etcd: a.etcd + n*b.etcd, elapsed: a.elapsed + n*b.elapsed,
		bytes: a.bytes + n*b.bytes, peak: max(a.peak, b.peak),
	}
}

// further is what each check after the first costs, from a run of one check and a run of n checks: the cost of the start
// is left out. Noise can make it negative.
func further(one, many usage, n int) usage {
	rest := sum(many, one, -1)
	return sum(usage{peak: rest.peak}, rest, 1/float64(n-1))
}

// withoutIdle takes out what the servers use without requests in the same time.
func withoutIdle(used, idle usage) usage {
	used.api -= idle.api / idle.elapsed * used.elapsed
	used.etcd -= idle.etcd / idle.elapsed * used.elapsed
	return used
}
