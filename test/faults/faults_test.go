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
				continue // -run has left it out
			}
			verdict := got.verdict
			if verdict == "" {
				verdict = "(unread)"
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
