package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/crashcheck/crashcheck/test/bench/streams"
)

// Results is all that has been measured; results.json keeps it, so that the
// tables and charts can be made anew.
type Results struct {
	Machine Machine
	Quick   bool
	Took    time.Duration
	Rivals  []RivalCost
	Latency []Latency
	Pages   []PageCost
	Fleet   Fleet
	Streams []streams.Seen
	Sizes   []Size
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
