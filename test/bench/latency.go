package main

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/crashcheck/crashcheck/test/bench/child"
	"github.com/crashcheck/crashcheck/test/bench/stats"
)

// Latency is the time from the limit-th crash in the API to the end of the gate.
type Latency struct {
	Rival          string
	Pods, Runs     int
	Median, Latest time.Duration
}

// latencyInterval is the INTERVAL of the gates that wait for a crash.
const latencyInterval = time.Second

// measureLatency lets gates wait for a crash, each at another phase of its
// interval, and measures when they end.
func measureLatency(ctx context.Context, b *bench, results *Results) error {
	results.Latency = nil
	for _, c := range []struct {
		rival rival
		pods  int
		// atOnce is how many gates wait for one crash: few enough that they do not compete for the processors.
		atOnce, rounds int
	}{
		{crashcheckRival, 10, 10, 3},
		{crashcheckRival, 100, 10, 3},
		{crashcheckRival, 1000, 3, 3},
		{kubectlRival, 100, 1, 4},
		{typedRival, 100, 5, 3},
	} {
		if b.quick {
			if c.rounds = 1; c.pods > 100 {
				continue
			}
		}
		set, err := b.set(ctx, Scenario{Pods: c.pods})
		if err != nil {
			return err
		}
		var seen []time.Duration
		for range c.rounds {
			round, err := b.latencies(ctx, c.rival, set, c.atOnce)
			if err != nil {
				return err
			}
			seen = append(seen, round...)
		}
		results.Latency = append(results.Latency, Latency{
			Rival: c.rival.name, Pods: c.pods, Runs: len(seen), Median: stats.Median(seen), Latest: slices.Max(seen),
		})
	}
	return nil
}

// latencies starts gates at random times within an interval, and crashes a pod
// after all of them have made a check.
func (b *bench) latencies(ctx context.Context, r rival, set podSet, gates int) ([]time.Duration, error) {
	const limit = 3
	if err := b.world.Crash(ctx, set.ReplicaSet, 0, limit-1); err != nil {
		return nil, err
	}
	var running []*child.Running
	for range gates {
		command := r.command(b, set, set.Direct, gateSettings{checks: 1000, interval: latencyInterval, limit: limit})
		command.Codes = []int{1}
		gate, err := command.Start(ctx)
		if err != nil {
			return nil, err
		}
		running = append(running, gate)
		wait(ctx, rand.N(latencyInterval/time.Duration(gates)))
	}
	// By then even the slowest has finished its first check.
	wait(ctx, 2*time.Second+rand.N(latencyInterval))
	if err := b.world.Crash(ctx, set.ReplicaSet, 0, limit); err != nil {
		return nil, err
	}
	patched := time.Now()
	var seen []time.Duration
	for _, gate := range running {
		usage, _, err := gate.Wait()
		if err != nil {
			return nil, err
		}
		seen = append(seen, time.Unix(0, usage.Ended).Sub(patched))
	}
	return seen, b.world.Crash(ctx, set.ReplicaSet, 0, 0)
}
