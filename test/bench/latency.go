package main

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"
)

// Latency is the time from the limit-th crash in the API to the end of the gate.
type Latency struct {
	Rival          string
	Median, Latest time.Duration
}

const (
	// latencyInterval is the INTERVAL of the gates that wait for a crash, latencyPods the number of their pods.
	latencyInterval = time.Second
	latencyPods     = 100
)

// latencies lets gates wait for a crash, each at another phase of its interval, and measures when they end.
func (b *bench) latencies(ctx context.Context) ([]Latency, error) {
	if err := b.prepare(ctx, latencyPods); err != nil {
		return nil, err
	}
	var all []Latency
	for _, c := range []struct {
		rival rival
		// gates is how many wait for one crash: few enough that they do not compete for the processors.
		gates, rounds int
	}{{crashcheck, 10, 3}, {kubectlJQ, 1, 4}, {typed, 5, 3}} {
		if b.quick {
			c.rounds = 1
		}
		var seen []time.Duration
		for range c.rounds {
			round, err := b.latency(ctx, c.rival, c.gates)
			if err != nil {
				return nil, err
			}
			seen = append(seen, round...)
		}
		all = append(all, Latency{c.rival.name, median(seen), slices.Max(seen)})
	}
	return all, nil
}

func (b *bench) latency(ctx context.Context, r rival, gates int) ([]time.Duration, error) {
	const limit = 3
	if err := b.world.Crash(ctx, namespace(latencyPods), limit-1); err != nil {
		return nil, err
	}
	running, err := b.startGates(ctx, r, gate{pods: latencyPods, checks: 1000, interval: latencyInterval, limit: limit}, gates)
	if err != nil {
		return nil, err
	}
	// By then even the slowest has finished its first check.
	wait(ctx, 2*time.Second+rand.N(latencyInterval))
	if err := b.world.Crash(ctx, namespace(latencyPods), limit); err != nil {
		return nil, err
	}
	crashed := time.Now()
	var seen []time.Duration
	for _, gate := range running {
		used, _, err := gate.Wait(1)
		if err != nil {
			return nil, err
		}
		seen = append(seen, used.Ended.Sub(crashed))
	}
	return seen, nil
}
