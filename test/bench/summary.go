package main

import (
	"fmt"
	"time"

	"github.com/crashcheck/crashcheck/test/bench/markdown"
)

// rivalAt finds a figure; ok is false where it has not been measured.
func (r Results) rivalAt(name string, pods int) (cost RivalCost, ok bool) {
	for _, c := range r.Rivals {
		if c.Rival == name && c.Pods == pods {
			return c, true
		}
	}
	return RivalCost{}, false
}

// summary is the short table that the project's README shows: ratios first.
func (r Results) summary() string {
	table := markdown.NewTable("", "against "+kubectlName, crashcheckName, kubectlName, typedName, floorName)
	for _, pods := range r.podCounts() {
		if pods == 100 {
			continue // its row is in the long table
		}
		r.rivalRow(table, fmt.Sprintf("CPU for a check of %s pods", markdown.Figure(float64(pods))), pods,
			func(c RivalCost) float64 { return float64(c.CPU) }, duration)
	}
	if counts := r.podCounts(); len(counts) > 0 {
		most := counts[len(counts)-1]
		r.rivalRow(table, fmt.Sprintf("peak memory at %s pods", markdown.Figure(float64(most))), most,
			func(c RivalCost) float64 { return float64(c.Peak) }, memory)
		r.rivalRow(table, fmt.Sprintf("the API server's CPU for a check of %s pods", markdown.Figure(float64(most))), most,
			func(c RivalCost) float64 { return float64(c.API) }, duration)
		r.rivalRow(table, fmt.Sprintf("from start to the end of one check of %s pods", markdown.Figure(float64(counts[0]))), counts[0],
			func(c RivalCost) float64 { return float64(c.RunWall) }, duration)
	}
	r.latencyRow(table, 100)
	r.sizeRow(table)
	return table.String() + fmt.Sprintf("<sub>Medians on a real kube-apiserver with pods of 8 kB in JSON; %d × %s, Linux %s, %s. How each figure is taken, and many more: "+
		"[test/bench](test/bench/README.md).</sub>\n", r.Machine.Processors, r.Machine.Processor, r.Machine.Kernel, r.Machine.Go)
}

func (r Results) podCounts() []int {
	var counts []int
	for _, c := range r.Rivals {
		if c.Rival == crashcheckName {
			counts = append(counts, c.Pods)
		}
	}
	return counts
}

func duration(ns float64) string  { return markdown.Duration(time.Duration(ns)) }
func memory(bytes float64) string { return markdown.Memory(int64(bytes)) }

// rivalRow compares one figure of all rivals.
func (r Results) rivalRow(table *markdown.Table, title string, pods int, value func(RivalCost) float64, format func(float64) string) {
	ours, _ := r.rivalAt(crashcheckName, pods)
	theirs, _ := r.rivalAt(kubectlName, pods)
	cells := []string{title, "**" + markdown.Ratio(value(ours), value(theirs)) + "**"}
	for _, rival := range rivals {
		c, _ := r.rivalAt(rival.name, pods)
		cells = append(cells, format(value(c)))
	}
	table.Row(cells...)
}

// latencyRow compares how soon the gates end after the limit-th crash.
func (r Results) latencyRow(table *markdown.Table, pods int) {
	found := map[string]Latency{}
	for _, l := range r.Latency {
		if l.Pods == pods {
			found[l.Rival] = l
		}
	}
	if len(found) == 0 {
		return
	}
	cells := []string{"verdict after the limit-th crash, at the latest (INTERVAL 1 s)",
		"**" + markdown.Ratio(float64(found[crashcheckName].Latest), float64(found[kubectlName].Latest)) + "**"}
	for _, rival := range rivals {
		cell := ""
		if l, ok := found[rival.name]; ok {
			cell = markdown.Duration(l.Latest)
		}
		cells = append(cells, cell)
	}
	table.Row(cells...)
}

func (r Results) sizeRow(table *markdown.Table) {
	found := map[string]Size{}
	for _, s := range r.Sizes {
		found[s.Rival] = s
	}
	if len(found) == 0 {
		return
	}
	cells := []string{"size on disk", "**" + markdown.Ratio(float64(found[crashcheckName].Binary), float64(found[kubectlName].Binary)) + "**"}
	for _, rival := range rivals {
		cells = append(cells, markdown.Bytes(float64(found[rival.name].Binary)))
	}
	table.Row(cells...)
}
