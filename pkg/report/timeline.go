package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crashcheck/crashcheck/pkg/runner"
)

// timeline collects when crashes were seen, and when checks failed. Each of its cells stands for the same time: a second,
// and twice as much whenever the cells are used up. Times are counted from the start of the run.
type timeline struct {
	cells       []cell
	step        time.Duration // of a cell; 0 before the first
	lastSuccess time.Duration
	failing     bool // the last attempt failed
}

type cell struct {
	crashes    int64
	unobserved bool
}

// maxCells is the length of the line, in characters.
const maxCells = 60

// at returns the index of the cell for this time.
func (t *timeline) at(at time.Duration) int {
	t.step = max(t.step, time.Second)
	for at/t.step >= maxCells {
		for i := 0; i < len(t.cells); i += 2 {
			merged := t.cells[i]
			if i+1 < len(t.cells) {
				merged.crashes += t.cells[i+1].crashes
				merged.unobserved = merged.unobserved || t.cells[i+1].unobserved
			}
			t.cells[i/2] = merged
		}
		t.cells = t.cells[:(len(t.cells)+1)/2]
		t.step *= 2
	}
	i := int(at / t.step)
	for len(t.cells) <= i {
		t.cells = append(t.cells, cell{})
	}
	return i
}

func (t *timeline) observe(event runner.Event) {
	switch e := event.(type) {
	case runner.Checked:
		i := t.at(e.Elapsed)
		for _, c := range e.Tally.New {
			t.cells[i].crashes += c.New
		}
		if t.failing {
			t.addGap(e.Elapsed)
		}
		t.lastSuccess, t.failing = e.Elapsed, false
	case runner.CheckFailed:
		t.failing = true
	}
}

// addGap marks the time since the last successful check as unobserved, but not the cell of that check.
func (t *timeline) addGap(end time.Duration) {
	last, first := t.at(end), t.at(t.lastSuccess)
	if t.lastSuccess > 0 && first < last {
		first++
	}
	for i := first; i <= last; i++ {
		t.cells[i].unobserved = true
	}
}

// draw returns the line for a run that took this long. It is empty if there were neither crashes nor failed checks.
func (t *timeline) draw(elapsed time.Duration) string {
	t.at(elapsed)
	if t.failing {
		t.addGap(elapsed)
	}
	var b strings.Builder
	for _, c := range t.cells {
		switch {
		case c.crashes > 9:
			b.WriteByte('+')
		case c.crashes > 0:
			fmt.Fprint(&b, c.crashes)
		case c.unobserved:
			b.WriteByte('?')
		default:
			b.WriteByte('.')
		}
	}
	line := b.String()
	if !strings.ContainsAny(line, "123456789+?") {
		return ""
	}
	legend := []string{duration(t.step) + " per character"}
	if slices.ContainsFunc(t.cells, func(c cell) bool { return c.crashes > 0 }) {
		legend = append(legend, "digits: crashes")
	}
	if strings.Contains(line, "+") {
		legend = append(legend, "+: more than 9")
	}
	if strings.Contains(line, "?") {
		legend = append(legend, "?: not observed")
	}
	return fmt.Sprintf("timeline: %s (%s)", line, strings.Join(legend, ", "))
}
