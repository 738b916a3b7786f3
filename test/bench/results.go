package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Results is all that has been measured. results.json keeps it, so that the
// tables can be written again.
type Results struct {
	Machine string
	// Server is the version of the API server.
	Server string
	// Checks is the cost of one check, Runs that of a whole run.
	Checks, Runs []Cost
	Latency      []Latency
	Streams      []Stream
}

// Cost is what one check, or a whole run, costs with one of the rivals. Gate, API
// and Etcd are processor time in seconds. Peak is the peak memory of the largest
// process in bytes.
type Cost struct {
	Rival                        string
	Pods                         int
	Gate, API, Etcd, Bytes, Peak Figure
}

// Figure is the median of the rounds, and the standard error of their mean.
type Figure struct{ Median, Error float64 }

func newFigure(rounds []float64) Figure {
	n, sum, squares := float64(len(rounds)), 0.0, 0.0
	for _, value := range rounds {
		sum += value
	}
	for _, value := range rounds {
		squares += (value - sum/n) * (value - sum/n)
	}
	return Figure{median(rounds), math.Sqrt(squares / max(1, (n-1)*n))}
}

// median is the value in the middle, the higher one of two.
func median[N float64 | time.Duration](values []N) N {
	return slices.Sorted(slices.Values(values))[len(values)/2]
}

const resultsFile = "results.json"

func readResults(folder string) (results Results, err error) {
	data, err := os.ReadFile(filepath.Join(folder, resultsFile))
	if err != nil {
		return results, err
	}
	if err := json.Unmarshal(data, &results); err != nil {
		return results, fmt.Errorf("read %s: %w", resultsFile, err)
	}
	return results, nil
}

func (r Results) write(folder string) error {
	data, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, resultsFile), append(data, '\n'), 0o644)
}

var processorName = regexp.MustCompile(`model name\s*: (.*)`)

// describeMachine names what the figures depend on.
func describeMachine() string {
	processor := "unknown processor"
	cpuinfo, _ := os.ReadFile("/proc/cpuinfo")
	if match := processorName.FindSubmatch(cpuinfo); match != nil {
		processor = string(match[1])
	}
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	kernel, _, _ := strings.Cut(strings.TrimSpace(string(release)), "-") // what follows is the builder's
	return fmt.Sprintf("%d × %s, Linux %s, %s", runtime.NumCPU(), processor, kernel, runtime.Version())
}
