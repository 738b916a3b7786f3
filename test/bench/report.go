package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// writeReport writes the pages with the tables.
func (r Results) writeReport(folder string) error {
	return errors.Join(
		os.WriteFile(filepath.Join(folder, "SUMMARY.md"), []byte(r.summary()), 0o644),
		os.WriteFile(filepath.Join(folder, "STREAMS.md"), []byte(r.streamPage()), 0o644),
	)
}

// summary is the part that the project's README shows.
func (r Results) summary() string {
	return costTable("one check", r.Checks, quantities) + "\n" +
		costTable("a run of 300 s, INTERVAL 5 s", r.Runs, quantities[:4]) + "\n" +
		r.latencyTable() + "\n" +
		fmt.Sprintf("<sub>Medians; a standard error is shown if it is 5 %% or more; &lt;: upper bound; –: the difference is within the errors. JSON: through a proxy without protobuf. "+
			"Typed clientset: the same gate with all of client-go. Kubernetes %s; pods of 8 kB in JSON; "+
			"%s. How each figure is measured, and the oldest supported Kubernetes: [test/bench](test/bench/README.md).</sub>\n", r.Server, r.Machine)
}

// quantity is one thing that a check or a run costs.
type quantity struct {
	title string
	of    func(Cost) Figure
	write func(float64) string
}

var quantities = []quantity{
	{"CPU of the gate", func(c Cost) Figure { return c.Gate }, seconds},
	{"CPU of kube-apiserver", func(c Cost) Figure { return c.API }, seconds},
	{"CPU of etcd", func(c Cost) Figure { return c.Etcd }, seconds},
	{"bytes on the wire", func(c Cost) Figure { return c.Bytes }, size},
	{"peak memory", func(c Cost) Figure { return c.Peak }, memory},
}

// costTable has a row for each quantity and number of pods, and a column for each rival. The costs are those of all
// rivals with one number of pods, then with the next.
func costTable(title string, costs []Cost, quantities []quantity) string {
	header := []string{title, "pods", "against kubectl | jq"}
	rivals := 0
	for ; rivals < len(costs) && costs[rivals].Pods == costs[0].Pods; rivals++ {
		header = append(header, costs[rivals].Rival)
	}
	var rows [][]string
	for _, q := range quantities {
		for group := range slices.Chunk(costs, rivals) {
			row := []string{q.title, number(group[0].Pods), ratio(q.of(costOf(crashcheck, group)), q.of(costOf(kubectlJQ, group)))}
			for _, cost := range group {
				row = append(row, cell(q.of(cost), q.write))
			}
			rows = append(rows, row)
		}
	}
	return table(header, rows)
}

func costOf(r rival, costs []Cost) Cost {
	return costs[slices.IndexFunc(costs, func(c Cost) bool { return c.Rival == r.name })]
}

// cell writes a figure: as an upper bound if it is not more than its error, and with the error if that is large.
func cell(f Figure, write func(float64) string) string {
	const large = 0.05
	switch {
	case f.Median <= f.Error:
		return "< " + write(max(f.Median, 0)+f.Error)
	case f.Error >= large*f.Median:
		return write(f.Median) + " ± " + write(f.Error)
	}
	return write(f.Median)
}

// ratio compares ours with theirs: 1/95, or 2.1×. Nothing is compared with a figure that is not more than its error, and
// a difference within the errors is none.
func ratio(ours, theirs Figure) string {
	if ours.Median <= ours.Error || theirs.Median <= theirs.Error || math.Abs(ours.Median-theirs.Median) < ours.Error+theirs.Error {
		return "–"
	}
	write := func(quotient float64) string {
		if quotient < 9.95 {
			return strconv.FormatFloat(quotient, 'f', 1, 64)
		}
		return strconv.FormatFloat(quotient, 'f', 0, 64)
	}
	if theirs.Median > ours.Median {
		return "1/" + write(theirs.Median/ours.Median)
	}
	return write(ours.Median/theirs.Median) + "×"
}

func (r Results) latencyTable() string {
	header := []string{fmt.Sprintf("from the crash that reaches the limit to the exit, INTERVAL 1 s, %d pods", latencyPods)}
	middle, latest := []string{"median"}, []string{"maximum"}
	for _, l := range r.Latency {
		header = append(header, l.Rival)
		middle = append(middle, seconds(l.Median.Seconds()))
		latest = append(latest, seconds(l.Latest.Seconds()))
	}
	return table(header, [][]string{middle, latest})
}

// streamPage compares when limits are reached in the recorded streams.
func (r Results) streamPage() string {
	header := []string{"recorded pods"}
	for limit := 1; limit <= mostLimit; limit++ {
		header = append(header, fmt.Sprint("limit ", limit))
	}
	var rows [][]string
	for _, s := range r.Streams {
		row := []string{s.Name}
		for i, at := range s.Crashes {
			if i < len(s.Restarts) {
				row = append(row, fmt.Sprintf("%.0f / %.0f s", at, s.Restarts[i]))
			} else {
				row = append(row, fmt.Sprintf("%.0f s / not within %.0f s", at, s.Ended))
			}
		}
		rows = append(rows, row)
	}
	return "# When limits are reached: crashcheck / counting restartCount\n\n" +
		"Written by the suite, from the streams that the tests of `pkg/checker` use. Seconds since the start of the recording,\n" +
		"at `INTERVAL` " + streamInterval.String() + ".\n\n" + table(header, rows)
}

// table is a Markdown table. The first column is text, the others are figures.
func table(header []string, rows [][]string) string {
	var out strings.Builder
	line := func(cells []string) {
		for _, text := range cells {
			fmt.Fprintf(&out, "| %s ", strings.ReplaceAll(text, "|", `\|`))
		}
		out.WriteString("|\n")
	}
	line(header)
	out.WriteString("|---" + strings.Repeat("|---:", len(header)-1) + "|\n")
	for _, row := range rows {
		line(row)
	}
	return out.String()
}

func number(n int) string { return message.NewPrinter(language.English).Sprint(n) }

// digits writes a number with three digits, or fewer if they are zeros.
func digits(value float64) string {
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(value, 'e', 2, 64), 64)
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}

func seconds(s float64) string {
	switch d := time.Duration(s * 1e9).Abs(); {
	case d < time.Millisecond:
		return digits(s*1e6) + " µs"
	case d < time.Second:
		return digits(s*1e3) + " ms"
	}
	return digits(s) + " s"
}

func size(bytes float64) string {
	if bytes < 1e6 {
		return digits(bytes/1e3) + " kB"
	}
	return digits(bytes/1e6) + " MB"
}

func memory(bytes float64) string { return digits(bytes/(1<<20)) + " MiB" }
