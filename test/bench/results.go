package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Results is all that has been measured. results.json keeps it, so that the
// tables and charts can be made again.
type Results struct {
	Machine Machine
	Quick   bool
	Took    time.Duration
	// Server and OldestServer are the versions of the API servers.
	Server, OldestServer string
	Checks, OldestChecks []Check
	Runs                 []Run
	Latency              []Latency
	Compression          []Compression
	Streams              []Stream
}

const resultsFile = "results.json"

func readResults(folder string) (Results, error) {
	var results Results
	data, err := os.ReadFile(filepath.Join(folder, resultsFile))
	if os.IsNotExist(err) {
		return results, nil
	}
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

// check finds what one check costs; it is the zero Check if that was not measured.
func check(checks []Check, rival string, s Scenario) Check {
	for _, c := range checks {
		if c.Rival == rival && c.Scenario == s {
			return c
		}
	}
	return Check{}
}

// measuredScenarios are those of crashcheck.
func measuredScenarios(checks []Check) []Scenario {
	var all []Scenario
	for _, c := range checks {
		if c.Rival == crashcheckName {
			all = append(all, c.Scenario)
		}
	}
	return all
}
