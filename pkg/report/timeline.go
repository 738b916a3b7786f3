package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crashcheck/crashcheck/pkg/runner"
)

// timeline collects when crashes were seen, and when checks failed. Each cell represents the same length of time: one second
// at first, and twice as much whenever the cells are used up. Times are counted from the start of the run.
type timeline struct {
	cells       []cell
	step        time.Duration // of a cell
	lastSuccess time.Duration
	failing     bool // the last attempt failed
}

type cell struct {
	crashes    int64
	unobserved bool
}

// maxCells is the length of the line, in characters.
const maxCells = 40

// index returns the index of the cell for this time, and adds the cells that are missing.
func (t *timeline) index(at time.Duration) int {
	t.step = max(t.step, time.Second)
	for at/t.step >= maxCells {
		merged := make([]cell, 0, maxCells)
		for pair := range slices.Chunk(t.cells, 2) {
			sum := pair[0]
			for _, c := range pair[1:] {
				sum = cell{sum.crashes + c.crashes, sum.unobserved || c.unobserved}
			}
			merged = append(merged, sum)
		}
		t.cells, t.step = merged, 2*t.step
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
		t.addGap(e.Elapsed)
		i := t.index(e.Elapsed)
		for _, c := range e.Tally.New {
			t.cells[i].crashes += c.New
		}
		t.lastSuccess, t.failing = e.Elapsed, false
	case runner.CheckFailed:
		t.failing = true
	}
}

// addGap marks the time since the last successful check as unobserved if an attempt failed since then. The cell of that check
// is not marked.
func (t *timeline) addGap(end time.Duration) {
	if !t.failing {
		return
	}
	last := t.index(end)
	first := t.index(t.lastSuccess)
	if t.lastSuccess > 0 && first < last {
		first++
	}
	for i := first; i <= last; i++ {
		t.cells[i].unobserved = true
	}
}

// draw returns the line for a run that took this long. It is empty if there were neither crashes nor failed checks.
func (t *timeline) draw(elapsed time.Duration) string {
	t.index(elapsed)
	t.addGap(elapsed)
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
	if strings.Trim(b.String(), ".") == "" {
		return ""
	}
	return fmt.Sprintf("timeline: %s (%s per character; digit or +: crashes, ?: not observed)\n", b.String(), duration(t.step))
}
