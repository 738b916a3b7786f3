package main

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/crashcheck/crashcheck/test/bench/chart"
	"github.com/crashcheck/crashcheck/test/bench/markdown"
)

const limitsChart = "limits.svg"

// checkCharts are the charts of a check's costs by the number of pods.
var checkCharts = []struct {
	file, title string
	figure      figure
}{
	{"cpu.svg", "CPU time of the gate for a check", gateCPU},
	{"api.svg", "CPU time of kube-apiserver for a check", apiCPU},
	{"memory.svg", "Peak memory of the gate", peakMemory},
}

var rivalStyles = map[string]chart.Style{
	crashcheckName: chart.Ours, kubectlName: chart.Theirs, typedName: chart.Third, floorName: chart.Least,
}

// writeCharts draws what has been measured.
func (r Results) writeCharts(folder string) error {
	svgs := map[string][]byte{}
	if len(r.Checks) > 0 {
		for _, c := range checkCharts {
			svgs[c.file] = chart.LogLog(c.title, "pods", markdown.Figure, c.figure.write, r.series(c.figure))
		}
	}
	if looping := r.loopingStreams(); len(looping) > 0 {
		var tiles []chart.Tile
		for _, s := range looping {
			tiles = append(tiles, chart.Tile{Title: s.Name, Ours: s.Crashes, Theirs: s.Restarts, Ended: s.Ended})
		}
		svgs[limitsChart] = chart.Steps("When a gate that checks every 5 s sees the limits 1 to 6, on recorded pods", "crashcheck", "counting restartCount", mostLimit, tiles)
	}
	for name, svg := range svgs {
		if err := os.WriteFile(filepath.Join(folder, name), svg, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// series are the lines of a chart: the scenarios without other pods. A logarithmic
// axis has no place for what noise has made zero or less.
func (r Results) series(f figure) []chart.Series {
	var all []chart.Series
	for _, rival := range rivals {
		s := chart.Series{Name: rival.name, Style: rivalStyles[rival.name]}
		for _, c := range r.Checks {
			if c.Rival == rival.name && c.Others == 0 && f.value(c) > 0 {
				s.Points = append(s.Points, chart.Point{X: float64(c.Pods), Y: f.value(c)})
			}
		}
		all = append(all, s)
	}
	return all
}

// loopingStreams are those in which the highest limit is reached, so that all
// limits can be compared.
func (r Results) loopingStreams() []Stream {
	return slices.DeleteFunc(slices.Clone(r.Streams), func(s Stream) bool { return len(s.Crashes) < mostLimit })
}
