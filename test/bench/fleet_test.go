package main

import (
	"math"
	"testing"
	"time"
)

func TestWhatWentThroughTheRelayStandsForAll(t *testing.T) {
	for _, test := range []struct {
		gates int
		want  float64
	}{{20, 20}, {21, 10.5}, {600, 20}, {1, 1}} {
		f := &fleet{gates: make([]fleetGate, test.gates)}
		if got := f.relayedShare(); math.Abs(got-test.want) > 1e-9 {
			t.Errorf("of %d gates, what was relayed is multiplied by %v, want %v", test.gates, got, test.want)
		}
	}
}

func TestChangesAreLeftOutOfWhatGatesCost(t *testing.T) {
	for _, test := range []struct {
		api, changes, want float64
	}{{0.5, 20, 0.4}, {0.05, 20, 0}, {0.5, 0, 0.5}} {
		cost := FleetCost{API: test.api, Changes: test.changes}
		cost.leaveOut(5 * time.Millisecond)
		if math.Abs(cost.API-test.want) > 1e-9 {
			t.Errorf("%v with %v changes a second is %v, want %v", test.api, test.changes, cost.API, test.want)
		}
	}
}
