package main

import (
	"path/filepath"
	"slices"
	"time"

	"github.com/crashcheck/crashcheck/test/bench/chart"
	"github.com/crashcheck/crashcheck/test/bench/markdown"
	"github.com/crashcheck/crashcheck/test/bench/streams"
)

// The charts' files.
const (
	cpuChart    = "cpu.svg"
	memoryChart = "memory.svg"
	limitsChart = "limits.svg"
)

var rivalStyles = map[string]chart.Style{
	crashcheckName: chart.Ours, kubectlName: chart.Theirs, typedName: chart.Third, floorName: chart.Least,
}

// writeCharts draws what has been measured.
func (r Results) writeCharts(folder string) error {
	if len(r.Rivals) > 0 {
		pods := chart.Axis{Label: "pods", Format: markdown.Figure}
		cpu := chart.Axis{Label: "CPU time for a check (user + system)", Format: func(ms float64) string {
			return markdown.Duration(time.Duration(ms * float64(time.Millisecond)))
		}}
		err := chart.LogLog(filepath.Join(folder, cpuChart), "What a check costs the gate", pods, cpu,
			r.rivalSeries(func(c RivalCost) float64 { return float64(c.CPU) / float64(time.Millisecond) }))
		if err != nil {
			return err
		}
		memory := chart.Axis{Label: "peak memory of the largest process", Format: func(mib float64) string { return markdown.Memory(int64(mib * (1 << 20))) }}
		err = chart.LogLog(filepath.Join(folder, memoryChart), "How much memory the gate takes", pods, memory,
			r.rivalSeries(func(c RivalCost) float64 { return float64(c.Peak) / (1 << 20) }))
		if err != nil {
			return err
		}
	}
	var tiles []chart.Tile
	for _, s := range r.loopingStreams() {
		tiles = append(tiles, chart.Tile{Title: s.Stream, Ours: s.Crashes, Theirs: s.Restarts, Ended: s.Ended})
	}
	if len(tiles) == 0 {
		return nil
	}
	return chart.Steps(filepath.Join(folder, limitsChart), "When a gate that checks every 5 s sees the limits 1 to 6, on recorded pods",
		"crashcheck", "counting restartCount", mostLimit, 4, tiles)
}

func (r Results) rivalSeries(value func(RivalCost) float64) []chart.Series {
	var all []chart.Series
	for _, rival := range rivals {
		s := chart.Series{Name: rival.name, Style: rivalStyles[rival.name]}
		for _, c := range r.Rivals {
			if c.Rival == rival.name {
				s.Points = append(s.Points, chart.Point{X: float64(c.Pods), Y: value(c)})
			}
		}
		all = append(all, s)
	}
	return all
}

// loopingStreams are those in which the highest limit was reached, so that all
// limits can be compared.
func (r Results) loopingStreams() []streams.Seen {
	return slices.DeleteFunc(slices.Clone(r.Streams), func(s streams.Seen) bool { return len(s.Crashes) < mostLimit })
}
