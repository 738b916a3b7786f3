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
	t.Run("rows", func(t *testing.T) {
		for _, s := range all {
			for i := range s.rows {
				t.Run(s.title+"/"+s.rows[i].fault, func(t *testing.T) {
					t.Parallel()
					newBench(t, s.rows[i].options...).run(&s.rows[i])
				})
			}
		}
	})
	switch {
	case t.Failed():
	case *printTable:
		fmt.Print(table(all))
	case *printSummary:
		fmt.Print(summary(all))
	}
}

// table shows the rows that have run, in Markdown.
func table(all []section) string {
	var b strings.Builder
	b.WriteString("| fault | verdict | exit | seconds | allowed | requests |\n|---|---|---:|---:|---:|---:|\n")
	for _, s := range all {
		fmt.Fprintf(&b, "| **%s** | | | | | |\n", s.title)
		for _, r := range s.rows {
			if r.result.allowed > 0 { // -run has not excluded it
				fmt.Fprintf(&b, "| %s | %s | %d | %.1f | %.1f | %d |\n", strings.ReplaceAll(r.fault, "|", `\|`), r.verdict, r.result.exit,
					r.result.took.Seconds(), r.result.allowed.Seconds(), r.result.requests)
			}
		}
	}
	return b.String()
}

// summary shows one row for each section, in Markdown.
func summary(all []section) string {
	verdicts := []string{"pass", "fail", "inconclusive", "invalid", "interrupted"}
	var b strings.Builder
	b.WriteString("| faults | rows | " + strings.Join(verdicts, " | ") + " | closest to its limit |\n|---|---:|" + strings.Repeat("---:|", len(verdicts)) + "---|\n")
	for _, s := range all {
		count, closest := map[string]int{}, s.rows[0].result
		for _, r := range s.rows {
			count[r.verdict]++
			if r.result.allowed-r.result.took < closest.allowed-closest.took {
				closest = r.result
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
