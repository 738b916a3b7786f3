package faults

import (
	"fmt"
	"strings"
	"testing"
)

// A section is a group of rows.
type section struct {
	title string
	rows  []row
}

func sections() []section {
	return []section{
		{"Transport", transportRows()},
		{"TLS", tlsRows()},
		{"Status", statusRows()},
		{"Credentials", credentialRows()},
		{"Bodies", bodyRows()},
		{"Release", releaseRows()},
		{"Workload", workloadRows()},
		{"Time", timeRows()},
		{"Signals", signalRows()},
		{"Output", outputRows()},
	}
}

func TestFaults(t *testing.T) {
	all := sections()
	results := make([][]result, len(all))
	t.Run("rows", func(t *testing.T) {
		for i, s := range all {
			results[i] = make([]result, len(s.rows))
			for j, r := range s.rows {
				t.Run(s.title+"/"+r.fault, func(t *testing.T) {
					t.Parallel()
					b := newBench(t, r.options...)
					defer func() { results[i][j] = b.result }()
					b.run(r)
				})
			}
		}
	})
	if *printTable && !t.Failed() {
		fmt.Print(table(all, results))
	}
	if *printSummary && !t.Failed() {
		fmt.Print(summary(all, results))
	}
}

// verdictOf derives the verdict from the exit code, since standard output may be broken.
func verdictOf(exit int) string {
	switch exit {
	case 0:
		return "pass"
	case 1:
		return "fail"
	case 2:
		return "invalid"
	case 3:
		return "inconclusive"
	case 130, 143:
		return "interrupted"
	}
	return "" // no row expects another
}

// summary shows one row for each section, in Markdown.
func summary(all []section, results [][]result) string {
	verdicts := []string{"pass", "fail", "inconclusive", "invalid", "interrupted"}
	var b strings.Builder
	b.WriteString("| faults | rows | " + strings.Join(verdicts, " | ") + " | closest to its limit |\n|---|---:|" + strings.Repeat("---:|", len(verdicts)) + "---|\n")
	for i, s := range all {
		count := map[string]int{}
		var closest result
		for j := range s.rows {
			got := results[i][j]
			count[verdictOf(got.exit)]++
			if closest.allowed == 0 || got.allowed-got.took < closest.allowed-closest.took {
				closest = got
			}
		}
		fmt.Fprintf(&b, "| %s | %d |", s.title, len(s.rows))
		for _, verdict := range verdicts {
			fmt.Fprintf(&b, " %d |", count[verdict])
		}
		fmt.Fprintf(&b, " %.1f s of %.1f s |\n", closest.took.Seconds(), closest.allowed.Seconds())
	}
	return b.String()
}

// table shows the rows that have run, in Markdown.
func table(all []section, results [][]result) string {
	var b strings.Builder
	b.WriteString("| fault | verdict | exit | seconds | allowed | requests |\n|---|---|---:|---:|---:|---:|\n")
	for i, s := range all {
		var rows strings.Builder
		for j, r := range s.rows {
			got := results[i][j]
			if got.allowed == 0 {
				continue // -run excluded it
			}
			verdict := got.verdict
			if verdict == "" {
				verdict = "(not read)"
			}
			fmt.Fprintf(&rows, "| %s | %s | %d | %.1f | %s | %d |\n", strings.ReplaceAll(r.fault, "|", `\|`), verdict, got.exit,
				got.took.Seconds(), strings.TrimSuffix(fmt.Sprintf("%.1f", got.allowed.Seconds()), ".0"), got.requests)
		}
		if rows.Len() > 0 {
			fmt.Fprintf(&b, "| **%s** | | | | | |\n%s", s.title, rows.String())
		}
	}
	return b.String()
}
