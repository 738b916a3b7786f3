package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"time"
)

// recordings is where the times of the crashes in recorded streams of pod
// statuses are. The tests of pkg/checker hold the product to them.
const recordings = "../../pkg/checker/testdata/traces/expected.json"

// Stream is when limits are reached in a recorded stream, in seconds since its
// start, from limit 1 on: by crashcheck's counting, and by restartCount.
type Stream struct {
	Name              string
	Ended             float64
	Crashes, Restarts []float64
}

const (
	// streamInterval is the INTERVAL of the gates that check the recorded pods.
	streamInterval = 5 * time.Second
	// mostLimit is the highest CRASH_LIMIT that is compared.
	mostLimit = 6
)

// readStreams returns the streams in which the highest limit is reached.
func readStreams(path string) ([]Stream, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var recorded map[string]struct {
		Seconds   float64   `json:"seconds"`
		CrashAt   []float64 `json:"crash_at"`
		RestartAt []float64 `json:"restart_at"`
	}
	if err := json.Unmarshal(data, &recorded); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	var all []Stream
	for _, name := range slices.Sorted(maps.Keys(recorded)) {
		if r := recorded[name]; len(r.CrashAt) >= mostLimit {
			all = append(all, Stream{name, r.Seconds, seenAt(r.CrashAt), seenAt(r.RestartAt)})
		}
	}
	return all, nil
}

// seenAt is when the first limits are reached: at the check that follows.
func seenAt(times []float64) []float64 {
	var seen []float64
	for _, at := range times[:min(mostLimit, len(times))] {
		seen = append(seen, math.Ceil(at/streamInterval.Seconds())*streamInterval.Seconds())
	}
	return seen
}
