package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/crashcheck/crashcheck/test/bench/markdown"
)

// writeReport writes RESULTS.md, SUMMARY.md and the charts.
func (r Results) writeReport(folder string) error {
	if err := r.writeCharts(folder); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "SUMMARY.md"), []byte(r.summary()), 0o644); err != nil {
		return err
	}
	var page strings.Builder
	fmt.Fprintf(&page, "# Results\n\nWritten by the suite. [README.md](README.md) says how each figure is measured.\n"+
		"Machine: %s. The last complete run took %s.\n\n", r.Machine, r.Took)
	if r.Quick {
		page.WriteString("**This was a quick run, to try the suite: fewer pods and runs.**\n\n")
	}
	for _, section := range []struct {
		rows        int
		title, text string
	}{
		{len(r.Checks), "A check: Kubernetes " + r.Server, chartLinks() + r.checkTable(true) + legend},
		{len(r.OldestChecks), "A check: Kubernetes " + r.OldestServer, r.oldestTable()},
		{len(r.Runs), "A release: " + runTitle, r.runTable() + r.intervalTable()},
		{len(r.Latency), "From the limit-th crash in the API to the end of the gate, INTERVAL " + latencyInterval.String(), r.latencyTable()},
		{len(r.Compression), "How well lists of pods compress", r.compressionTable()},
		{len(r.loopingStreams()), "When limits are seen: crashcheck / counting restartCount", r.streamTable()},
	} {
		if section.rows > 0 {
			fmt.Fprintf(&page, "## %s\n\n%s", section.title, section.text)
		}
	}
	return os.WriteFile(filepath.Join(folder, "RESULTS.md"), []byte(strings.TrimSpace(page.String())+"\n"), 0o644)
}

// summary is the part that the project's README shows.
func (r Results) summary() string {
	text := r.checkTable(false)
	if len(r.Runs) > 0 {
		text += "A release: " + runTitle + ".\n\n" + r.runTable()
	}
	return text + fmt.Sprintf("<sub>Medians, Kubernetes %s; pods of 8 kB in JSON; %s. How each figure is measured, and the oldest supported Kubernetes: "+
		"[test/bench](test/bench/README.md).</sub>\n", r.Server, r.Machine)
}

func chartLinks() string {
	text := ""
	for _, c := range checkCharts {
		text += "![" + c.title + "](" + c.file + ")\n\n"
	}
	return text
}

const legend = "*level*: the difference from a rival is within the error of the measurement.\n\n"

func (s Scenario) String() string {
	pods := markdown.Figure(float64(s.Pods))
	if s.Others > 0 {
		return fmt.Sprintf("%s among %s", pods, markdown.Figure(float64(s.Pods+s.Others)))
	}
	return pods
}

// cell writes a figure: with its error, if it has one and that is asked for, and
// as an upper bound if it is less than its error.
func (f figure) cell(c Check, spread bool) string {
	if c.Rival == "" {
		return ""
	}
	value := f.value(c)
	if f.spread == nil {
		return f.write(value)
	}
	switch within := f.spread(c); {
	case value <= within || value <= 0:
		return "< " + f.write(max(within, float64(10*time.Microsecond)))
	case spread:
		return f.write(value) + " ± " + f.write(within)
	}
	return f.write(value)
}

// isMeasured reports whether a value is not less than its error.
func (f figure) isMeasured(c Check) bool { return f.spread == nil || f.value(c) >= f.spread(c) }

// checkTable has all costs of a check in all scenarios, and crashcheck's aims.
func (r Results) checkTable(spread bool) string {
	columns := []string{"per check", "pods", "against kubectl | jq"}
	for _, rival := range rivals {
		columns = append(columns, rival.name)
	}
	table := markdown.NewTable(append(columns, "aim", "reached")...)
	row := func(f figure, s Scenario, ourName string) {
		ours, kubectl, typed := check(r.Checks, ourName, s), check(r.Checks, kubectlName, s), check(r.Checks, typedName, s)
		ratio := "–" // if a figure is less than its error
		if f.isMeasured(ours) && f.isMeasured(kubectl) {
			ratio = "**" + markdown.Ratio(f.value(ours), f.value(kubectl)) + "**"
		}
		cells := []string{f.title, s.String(), ratio, f.cell(ours, spread)}
		for _, rival := range rivals[1:] {
			cells = append(cells, f.cell(check(r.Checks, rival.name, s), spread))
		}
		target := f.aim(s)
		table.Row(append(cells, target.text, target.reached(ours, kubectl, typed).String())...)
	}
	for _, f := range checkFigures {
		for _, s := range measuredScenarios(r.Checks) {
			row(f, s, crashcheckName)
		}
	}
	for _, s := range measuredScenarios(r.Checks) {
		if spread {
			for _, f := range []figure{gateCPU, apiCPU, wireBytes} {
				ours := check(r.Checks, jsonName, s)
				table.Row(f.title+", JSON answers", s.String(), "", f.cell(ours, spread))
			}
		}
	}
	for _, s := range measuredScenarios(r.Checks) {
		row(jsonPeak, s, jsonName)
	}
	r.latencyRow(table)
	return table.String()
}

// latencyRow compares how soon the gates end after the limit-th crash.
func (r Results) latencyRow(table *markdown.Table) {
	const pods = 100
	const most = latencyInterval + 100*time.Millisecond
	cells := []string{"limit-th crash to exit, INTERVAL " + latencyInterval.String() + ", latest", fmt.Sprint(pods), ""}
	reached := no
	for _, rival := range rivals {
		cell := ""
		for _, l := range r.Latency {
			if l.Pods == pods && l.Rival == rival.name {
				cell = markdown.Duration(l.Latest)
				if rival.name == crashcheckName {
					reached = wanted(l.Latest <= most)
				}
			}
		}
		cells = append(cells, cell)
	}
	if len(r.Latency) > 0 {
		table.Row(append(cells, "≤ INTERVAL + 0.1 s", reached.String())...)
	}
}

// oldestTable has the same columns on the oldest supported API server.
func (r Results) oldestTable() string {
	table := markdown.NewTable("per check", "pods", "against typed clientset", crashcheckName, typedName)
	for _, f := range checkFigures {
		for _, s := range measuredScenarios(r.OldestChecks) {
			ours, typed := check(r.OldestChecks, crashcheckName, s), check(r.OldestChecks, typedName, s)
			table.Row(f.title, s.String(), "**"+markdown.Ratio(f.value(ours), f.value(typed))+"**", f.cell(ours, true), f.cell(typed, true))
		}
	}
	return "Before 1.31, the API server reads every consistent list from etcd.\n\n" + table.String()
}

const runTitle = "a run of 300 s at INTERVAL 5 s"

// runTable is what a whole run costs.
func (r Results) runTable() string {
	names := []string{crashcheckName, kubectlName, typedName}
	table := markdown.NewTable(append([]string{"per run", "pods", "against kubectl | jq"}, names...)...)
	var runs []Check
	for _, run := range r.Runs {
		runs = append(runs, run.Check)
	}
	for _, f := range []figure{gateCPU, apiCPU, etcdCPU, wireBytes} {
		for _, s := range measuredScenarios(runs) {
			cells := []string{f.title, s.String(), "**" + markdown.Ratio(f.value(check(runs, crashcheckName, s)), f.value(check(runs, kubectlName, s))) + "**"}
			for _, name := range names {
				cells = append(cells, f.cell(check(runs, name, s), true))
			}
			table.Row(cells...)
		}
	}
	return table.String()
}

// intervalTable shows what the pauses between checks change.
func (r Results) intervalTable() string {
	table := markdown.NewTable("per check", "CPU of the gate: every 5 s", "without pauses", "CPU of kube-apiserver: every 5 s", "without pauses")
	for _, run := range r.Runs {
		if packed := check(r.Checks, run.Rival, run.Scenario); packed.Rival != "" {
			table.Row(fmt.Sprintf("%s, %d pods", run.Rival, run.Pods), markdown.Duration(run.GateCheck), markdown.Duration(packed.Gate), markdown.Duration(run.APICheck), markdown.Duration(packed.API))
		}
	}
	return "What the time between checks changes:\n\n" + table.String()
}

func (r Results) latencyTable() string {
	table := markdown.NewTable("", "pods", "median", "latest", "runs")
	for _, l := range r.Latency {
		table.Row(l.Rival, markdown.Figure(float64(l.Pods)), markdown.Duration(l.Median), markdown.Duration(l.Latest), fmt.Sprint(l.Runs))
	}
	return table.String()
}

func (r Results) compressionTable() string {
	table := markdown.NewTable("lists in protobuf", "pods", "bytes of one more pod", "with gzip", "ratio")
	for _, c := range r.Compression {
		table.Row(c.Lists, markdown.Figure(float64(c.Pods)), markdown.Figure(c.Plain), markdown.Figure(c.Gzip), markdown.Ratio(c.Gzip, c.Plain))
	}
	return table.String()
}

func (r Results) streamTable() string {
	columns := []string{"recorded pods"}
	for limit := 1; limit <= mostLimit; limit++ {
		columns = append(columns, fmt.Sprint("limit ", limit))
	}
	table := markdown.NewTable(columns...)
	for _, s := range r.loopingStreams() {
		cells := []string{s.Name}
		for i, at := range s.Crashes {
			if i < len(s.Restarts) {
				cells = append(cells, fmt.Sprintf("%.0f / %.0f s", at, s.Restarts[i]))
			} else {
				cells = append(cells, fmt.Sprintf("%.0f s / not within %.0f s", at, s.Ended))
			}
		}
		table.Row(cells...)
	}
	return "![When limits are seen](" + limitsChart + ")\n\nSeconds since the start of the recording, at INTERVAL " + streamInterval.String() + ".\n\n" + table.String()
}
