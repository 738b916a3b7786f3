// Package markdown writes tables, and figures as people read them.
package markdown

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Table is a Markdown table. The first column is text, the others are figures.
type Table struct {
	header []string
	rows   [][]string
}

// NewTable begins a table with these columns.
func NewTable(columns ...string) *Table { return &Table{header: columns} }

// Row adds a row.
func (t *Table) Row(cells ...string) { t.rows = append(t.rows, cells) }

// String is the table, with an empty line after it.
func (t *Table) String() string {
	var out strings.Builder
	line := func(cells []string) {
		escaped := make([]string, len(t.header))
		for i := range t.header {
			if i < len(cells) {
				escaped[i] = strings.ReplaceAll(cells[i], "|", `\|`)
			}
		}
		fmt.Fprintf(&out, "| %s |\n", strings.Join(escaped, " | "))
	}
	line(t.header)
	out.WriteString("|---" + strings.Repeat("|---:", len(t.header)-1) + "|\n")
	for _, row := range t.rows {
		line(row)
	}
	out.WriteString("\n")
	return out.String()
}

// Figure writes a number with three digits, or fewer if they are zeros.
func Figure(value float64) string {
	if value == 0 || math.IsNaN(value) || math.IsInf(value, 0) {
		return "0"
	}
	digits := 2 - int(math.Floor(math.Log10(math.Abs(value))))
	scale := math.Pow(10, float64(digits))
	rounded := math.Round(value*scale) / scale
	text := fmt.Sprintf("%.*f", max(0, digits), rounded)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	whole, fraction, found := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0 && whole[i-1] != '-'; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if found {
		return whole + "." + fraction
	}
	return whole
}

// Duration writes a time in the unit that suits it.
func Duration(d time.Duration) string {
	switch {
	case d == 0:
		return "0"
	case d.Abs() < time.Millisecond:
		return Figure(float64(d)/float64(time.Microsecond)) + " µs"
	case d.Abs() < time.Second:
		return Figure(float64(d)/float64(time.Millisecond)) + " ms"
	}
	return Figure(d.Seconds()) + " s"
}

// Bytes writes a size on a wire or a disk: in kB or MB, of 1,000.
func Bytes(n float64) string {
	if n < 1e6 {
		return Figure(n/1e3) + " kB"
	}
	return Figure(n/1e6) + " MB"
}

// Memory writes a size in memory: in MiB.
func Memory(n int64) string { return Figure(float64(n)/(1<<20)) + " MiB" }

// Ratio compares ours with theirs: 1/95, or 2.1 times.
func Ratio(ours, theirs float64) string {
	switch {
	case ours <= 0 || theirs <= 0:
		return "–"
	case theirs/ours >= 9.95:
		return fmt.Sprintf("1/%.0f", theirs/ours)
	case theirs > ours:
		return fmt.Sprintf("1/%.1f", theirs/ours)
	case ours/theirs < 9.95:
		return fmt.Sprintf("%.1f×", ours/theirs)
	}
	return fmt.Sprintf("%.0f×", ours/theirs)
}
