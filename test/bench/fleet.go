package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/crashcheck/crashcheck/test/bench/metrics"
	"github.com/crashcheck/crashcheck/test/bench/proc"
	"github.com/crashcheck/crashcheck/test/bench/world"
)

// Fleet is what many gates at once cost.
type Fleet struct {
	// Gates is how many there are; Wanted is more if memory did not suffice.
	Gates, Wanted int
	// ReplicaSets of Pods each are shared by the gates.
	ReplicaSets, Pods int
	Costs             []FleetCost
	// ChangeAPI is what one change by itself costs the API server, without any
	// gate. It is left out of the costs.
	ChangeAPI time.Duration
	Watch     WatchFindings
}

// FleetCost is what one way of gating costs, over a window of time.
type FleetCost struct {
	Way      string
	Interval time.Duration // 0: a watch
	Window   time.Duration
	// Changes is how many pods' statuses have changed in a second.
	Changes float64
	// Requests and Bytes are per second, all gates together.
	Requests, Bytes float64
	// API, Store and GateCPU are in processors (1: one is busy all the time),
	// all gates together.
	API, Store, GateCPU float64
	// APIMemory is what the API server holds.
	APIMemory int64
	// Errors are answers of the API server that are no success.
	Errors float64
	// Memory is one gate's; only where each is a process.
	Memory proc.Memory
	// FailedChecks and LongestGap are from the gates' own reports, of their whole run.
	FailedChecks int64
	LongestGap   time.Duration
	// GaveUp is how many gates have ended by themselves: inconclusive. Silent
	// is how many have ended without a report.
	GaveUp, Silent int
}

// fleet is the gates' world: who they are and what they look at.
type fleet struct {
	sets  []world.ReplicaSet
	gates []fleetGate
	relay *world.Relay
}

// fleetGate is one gate's ReplicaSet and way to it.
type fleetGate struct {
	set    world.ReplicaSet
	access world.Access
}

const (
	// relayedOne in so many gates goes through the relay, whose bytes stand
	// for all. All of them would take the relay a processor of its own.
	relayedOne = 20
	// setsPerNamespace is how many releases one namespace holds: the API
	// server looks at all pods of the namespace for each list.
	setsPerNamespace = 10
	fleetPods        = 100
	// fastest is the shortest INTERVAL of a fleet.
	fastest = 5 * time.Second
)

// measureFleet measures many gates that poll, and as many that watch.
func measureFleet(ctx context.Context, b *bench, results *Results) error {
	wanted, sets, window := 1000, 50, 30*time.Second
	if b.quick {
		wanted, sets, window = 40, 4, 10*time.Second
	}
	f, err := b.newFleet(ctx, sets)
	if err != nil {
		return err
	}
	defer f.relay.Close()
	if err := b.settle(ctx); err != nil {
		return err
	}
	gates, err := b.affordable(ctx, wanted)
	if err != nil {
		return err
	}
	if err := b.addGates(ctx, f, gates); err != nil {
		return err
	}
	b.logf("%d gates of %d", gates, wanted)
	result := Fleet{Gates: gates, Wanted: wanted, ReplicaSets: sets, Pods: fleetPods}
	if result.ChangeAPI, err = b.changesAlone(ctx, f, window/2); err != nil {
		return err
	}
	for _, poll := range []struct {
		interval time.Duration
		changing bool
	}{{fastest, true}, {30 * time.Second, false}} {
		costs, err := b.poll(ctx, f, poll.interval, max(window, poll.interval), poll.changing, result.ChangeAPI)
		if err != nil {
			return fmt.Errorf("poll every %s: %w", poll.interval, err)
		}
		result.Costs = append(result.Costs, costs...)
	}
	costs, findings, err := b.watch(ctx, f, window, result.ChangeAPI)
	if err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	result.Costs, result.Watch = append(result.Costs, costs...), findings
	results.Fleet = result
	return nil
}

// busiest is the part of the processors that gates and API server may take up
// together. Beyond, checks wait for each other, and the figures are those of a
// machine that is overloaded.
const busiest = 0.5

// affordable is how many gates the machine can hold that check every five
// seconds: in memory, 12 MiB for each and 4 GiB for all else, and in processor
// time, by what a check costs the gate and the API server.
func (b *bench) affordable(ctx context.Context, wanted int) (int, error) {
	free, err := proc.Available()
	if err != nil {
		return 0, err
	}
	set, err := b.set(ctx, fleetPods)
	if err != nil {
		return 0, err
	}
	const checks = 200
	used, err := b.run(ctx, crashcheckCommand(b, set, false, gateSettings{checks, pause, noLimit}))
	if err != nil {
		return 0, err
	}
	check := (used.CPU + used.api + used.store) / checks
	inMemory := int((free - 4<<30) / (12 << 20))
	inTime := int(busiest * float64(runtime.NumCPU()) * fastest.Seconds() / check.Seconds())
	room := min(inMemory, inTime) / 50 * 50
	return min(wanted, max(room, 50)), nil
}

// newFleet makes the ReplicaSets that the gates look at.
func (b *bench) newFleet(ctx context.Context, sets int) (*fleet, error) {
	f := &fleet{}
	for i := range sets {
		namespace := fmt.Sprintf("fleet-%d", i/setsPerNamespace)
		if i%setsPerNamespace == 0 {
			if err := b.world.CreateNamespace(ctx, namespace); err != nil {
				return nil, err
			}
		}
		f.sets = append(f.sets, world.ReplicaSet{Namespace: namespace, Hash: fmt.Sprintf("5d8c7b%04d", i), Pods: fleetPods})
	}
	begun := time.Now()
	if err := b.world.CreatePods(ctx, f.sets...); err != nil {
		return nil, err
	}
	b.logf("created %d pods in %d ReplicaSets in %s", sets*fleetPods, sets, time.Since(begun).Round(time.Second))
	var err error
	f.relay, err = b.world.NewRelay()
	return f, err
}

// addGates makes credentials for each gate.
func (b *bench) addGates(ctx context.Context, f *fleet, gates int) error {
	for i := range gates {
		set, server := f.sets[i%len(f.sets)], ""
		if i%relayedOne == 0 {
			server = f.relay.Address
		}
		access, err := b.world.NewAccess(ctx, set.Namespace, fmt.Sprint("gate-", i), server)
		if err != nil {
			return err
		}
		f.gates = append(f.gates, fleetGate{set, access})
	}
	return nil
}

// relayedShare is by how much to multiply what went through the relay.
func (f *fleet) relayedShare() float64 {
	relayed := (len(f.gates) + relayedOne - 1) / relayedOne
	return float64(len(f.gates)) / float64(relayed)
}

// leaveOut takes the changes themselves out of what they cost together with the
// gates.
func (c *FleetCost) leaveOut(change time.Duration) {
	c.API = max(0, c.API-c.Changes*change.Seconds())
}

// observe measures a window of time.
func (b *bench) observe(ctx context.Context, f *fleet, window time.Duration, gateCPU func() (time.Duration, error)) (FleetCost, error) {
	cost := FleetCost{Window: window}
	counted, err := b.requests(ctx)
	if err != nil {
		return cost, err
	}
	gatesBefore, err := gateCPU()
	if err != nil {
		return cost, err
	}
	bytes := f.relay.Bytes()
	before, err := b.server()
	if err != nil {
		return cost, err
	}
	wait(ctx, window)
	api, store, err := b.since(before)
	if err != nil {
		return cost, err
	}
	seconds := time.Since(before.at).Seconds()
	cost.Bytes = float64(f.relay.Bytes()-bytes) * f.relayedShare() / seconds
	cost.API, cost.Store = api.Seconds()/seconds, store.Seconds()/seconds
	gatesAfter, err := gateCPU()
	if err != nil {
		return cost, err
	}
	cost.GateCPU = (gatesAfter - gatesBefore).Seconds() / seconds
	counts, err := b.requests(ctx)
	if err != nil {
		return cost, err
	}
	cost.Requests, cost.Errors = (counts.all-counted.all)/seconds, counts.failed-counted.failed
	memory, err := proc.MemoryOf(b.world.APIServer.PID())
	cost.APIMemory = memory.RSS
	return cost, err
}

// requestCounts are requests for pods since the API server's start.
type requestCounts struct{ all, failed float64 }

func (b *bench) requests(ctx context.Context) (requestCounts, error) {
	text, err := b.metrics(ctx)
	if err != nil {
		return requestCounts{}, err
	}
	var all, good float64
	for _, verb := range []string{"LIST", "WATCH"} {
		labels := []string{`resource="pods"`, `verb="` + verb + `"`}
		n, err := metrics.Sum(text, "apiserver_request_total", labels...)
		if err != nil {
			return requestCounts{}, err
		}
		all += n
		if n, err = metrics.Sum(text, "apiserver_request_total", append(labels, `code="200"`)...); err != nil {
			return requestCounts{}, err
		}
		good += n
	}
	return requestCounts{all, all - good}, nil
}

func (b *bench) metrics(ctx context.Context) ([]byte, error) {
	text, err := b.world.Client.Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the API server's metrics: %w", err)
	}
	return text, nil
}

// medianMemory is each figure's median.
func medianMemory(gates []proc.Memory) proc.Memory {
	return proc.Memory{
		RSS:     medianOf(gates, func(m proc.Memory) int64 { return m.RSS }),
		PSS:     medianOf(gates, func(m proc.Memory) int64 { return m.PSS }),
		Private: medianOf(gates, func(m proc.Memory) int64 { return m.Private }),
	}
}
