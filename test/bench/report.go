package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/crashcheck/crashcheck/pkg/checker"
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
	fmt.Fprintf(&page, "# Results\n\nWritten by the suite; [README.md](README.md) says how each figure is taken.\n"+
		"Machine: %d × %s, Linux %s, %s. The whole run took %s.\n\n",
		r.Machine.Processors, r.Machine.Processor, r.Machine.Kernel, r.Machine.Go, r.Took)
	if r.Quick {
		page.WriteString("**This was a quick run, to try the suite out: fewer pods and runs.**\n\n")
	}
	for _, section := range []string{r.rivalSection(), r.latencySection(), r.sizeSection(), r.fleetSection(), r.streamSection(), r.pageSection()} {
		page.WriteString(section)
	}
	return os.WriteFile(filepath.Join(folder, "RESULTS.md"), []byte(strings.TrimSpace(page.String())+"\n"), 0o644)
}

// rivalSection compares every figure at every number of pods.
func (r Results) rivalSection() string {
	if len(r.Rivals) == 0 {
		return ""
	}
	var out strings.Builder
	for _, part := range []struct {
		title, note string
		value       func(RivalCost) float64
		format      func(float64) string
	}{
		{"CPU of the gate for each check", "![CPU for a check, by pods](" + cpuChart + ")\n\n", func(c RivalCost) float64 { return float64(c.CPU) }, duration},
		{"Peak memory", "![Peak memory, by pods](" + memoryChart + ")\n\nOf `kubectl | jq`, it is that of the larger process; the other one runs beside it.\n\n",
			func(c RivalCost) float64 { return float64(c.Peak) }, memory},
		{"CPU of the API server for each check", "", func(c RivalCost) float64 { return float64(c.API) }, duration},
		{"Bytes on the wire for each check", "kubectl and the typed clientset let the server compress; crashcheck does not.\n\n",
			func(c RivalCost) float64 { return c.Bytes }, markdown.Bytes},
		{"CPU of a whole run of one check", "", func(c RivalCost) float64 { return float64(c.RunCPU) }, duration},
		{"From process start to the end of a run of one check", "", func(c RivalCost) float64 { return float64(c.RunWall) }, duration},
	} {
		fmt.Fprintf(&out, "## %s\n\n%s", part.title, part.note)
		table := markdown.NewTable("pods", "against "+kubectlName, crashcheckName, kubectlName, typedName, floorName)
		for _, pods := range r.podCounts() {
			r.rivalRow(table, markdown.Figure(float64(pods)), pods, part.value, part.format)
		}
		out.WriteString(table.String())
	}
	out.WriteString(r.compressionTable())
	return out.String()
}

// compressionTable says what it would cost whom to let the server compress.
func (r Results) compressionTable() string {
	table := markdown.NewTable("pods", "CPU of the program", "with gzip", "CPU of the API server", "with gzip", "bytes", "with gzip")
	any := false
	for _, pods := range r.podCounts() {
		plain, _ := r.rivalAt(floorName, pods)
		packed, ok := r.rivalAt(compressed.name, pods)
		if !ok {
			continue
		}
		any = true
		table.Row(markdown.Figure(float64(pods)), markdown.Duration(plain.CPU), markdown.Duration(packed.CPU),
			markdown.Duration(plain.API), markdown.Duration(packed.API), markdown.Bytes(plain.Bytes), markdown.Bytes(packed.Bytes))
	}
	if !any {
		return ""
	}
	return "## What compression would change\n\nThe bare HTTP client, for each check. API servers compress answers of more than 128 kB, for who asks.\n\n" + table.String()
}

func (r Results) latencySection() string {
	if len(r.Latency) == 0 {
		return ""
	}
	table := markdown.NewTable("", "pods", "median", "latest", "runs")
	for _, l := range r.Latency {
		table.Row(l.Rival, markdown.Figure(float64(l.Pods)), markdown.Duration(l.Median), markdown.Duration(l.Latest), fmt.Sprint(l.Runs))
	}
	return "## From the limit-th crash in the API to the gate's exit, INTERVAL 1 s\n\n" + table.String()
}

func (r Results) sizeSection() string {
	if len(r.Sizes) == 0 {
		return ""
	}
	table := markdown.NewTable("", "binary", "image")
	for _, s := range r.Sizes {
		image := ""
		if s.Image > 0 {
			image = fmt.Sprintf("%s (+%.2f %%)", markdown.Bytes(float64(s.Image)), 100*float64(s.Image-s.Binary)/float64(s.Binary))
		}
		table.Row(s.Rival, markdown.Bytes(float64(s.Binary)), image)
	}
	return "## Size\n\nOf `kubectl | jq`: kubectl, jq and bash with their libraries.\n\n" + table.String()
}

func (r Results) streamSection() string {
	looping := r.loopingStreams()
	if len(looping) == 0 {
		return ""
	}
	columns := []string{"recorded pods"}
	for limit := 1; limit <= mostLimit; limit++ {
		columns = append(columns, fmt.Sprint("limit ", limit))
	}
	table := markdown.NewTable(columns...)
	for _, s := range looping {
		cells := []string{s.Stream}
		for i, at := range s.Crashes {
			if i < len(s.Restarts) {
				cells = append(cells, fmt.Sprintf("%.0f / %.0f s", at, s.Restarts[i]))
			} else {
				cells = append(cells, fmt.Sprintf("%.0f s / not within %.0f s", at, s.Ended))
			}
		}
		table.Row(cells...)
	}
	return "## When limits are seen: crashcheck / counting restartCount\n\n![When limits are seen](" + limitsChart + ")\n\n" +
		"Seconds since the recording of the pods began, at INTERVAL " + streamsInterval.String() + ".\n\n" + table.String()
}

func (r Results) pageSection() string {
	if len(r.Pages) == 0 {
		return ""
	}
	var out strings.Builder
	fmt.Fprintf(&out, "## Page size (crashcheck's is %d)\n\n", checker.PageSize)
	table := markdown.NewTable("pods", "page", "requests", "CPU of the gate", "CPU of the API server", "CPU of etcd", "time", "bytes", "peak memory")
	for _, p := range r.Pages {
		limit := "all"
		if p.Limit > 0 {
			limit = fmt.Sprint(p.Limit)
		}
		table.Row(markdown.Figure(float64(p.Pods)), limit, markdown.Figure(p.Requests), markdown.Duration(p.CPU), markdown.Duration(p.API),
			markdown.Duration(p.Store), markdown.Duration(p.Wall.Round(time.Microsecond)), markdown.Bytes(p.Bytes), markdown.Memory(p.Peak))
	}
	out.WriteString(table.String())
	return out.String()
}
