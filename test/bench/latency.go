package main

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/crashcheck/crashcheck/test/bench/child"
	"github.com/crashcheck/crashcheck/test/bench/stats"
)

// Latency is how long after the limit-th crash was in the API a gate had
// ended, at an interval of one second.
type Latency struct {
	Rival          string
	Pods, Runs     int
	Median, Latest time.Duration
}

// latencyInterval is the INTERVAL of the gates that wait for a crash.
const latencyInterval = time.Second

// measureLatency lets gates wait for a crash, each at another phase of its
// interval, and looks when they have ended.
func measureLatency(ctx context.Context, b *bench, results *Results) error {
	results.Latency = nil
	for _, c := range []struct {
		rival rival
		pods  int
		// atOnce is how many wait for one crash: they must not keep each other
		// from a processor.
		atOnce, rounds int
	}{
		{rivals[0], 100, 10, 3},
		{rivals[0], 1000, 3, 4},
		{rivals[1], 100, 1, 8},
		{rivals[1], 1000, 1, 4},
		{rivals[2], 100, 5, 4},
		{rivals[2], 1000, 2, 4},
	} {
		if b.quick {
			if c.rounds = 1; c.pods > 100 {
				continue
			}
		}
		set, err := b.set(ctx, c.pods)
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

// latencies starts some gates at random within an interval, and crashes a pod
// once all have made a check.
func (b *bench) latencies(ctx context.Context, r rival, set measuredSet, gates int) ([]time.Duration, error) {
	const limit = 3
	if err := b.world.Crash(ctx, set.ReplicaSet, 0, limit-1, false); err != nil {
		return nil, err
	}
	var running []*child.Running
	for range gates {
		command := r.command(b, set, false, gateSettings{checks: 1000, interval: latencyInterval, limit: limit})
		command.Codes = []int{1}
		gate, err := command.Start(ctx)
		if err != nil {
			return nil, err
		}
		running = append(running, gate)
		wait(ctx, rand.N(latencyInterval/time.Duration(gates)))
	}
	// Even the slowest has finished its first check by then.
	wait(ctx, 2*time.Second+rand.N(latencyInterval))
	if err := b.world.Crash(ctx, set.ReplicaSet, 0, limit, false); err != nil {
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
	return seen, b.world.Crash(ctx, set.ReplicaSet, 0, 0, false)
}

// wait waits, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
