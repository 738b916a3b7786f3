package report

import (
	"fmt"
	"strings"
	"time"
)

// timeline collects when crashes were seen, and when pods were not observed. Times are counted from the start of the run.
type timeline struct {
	step       time.Duration // the time that each cell represents; it doubles whenever the cells are used up
	crashes    [maxCells]int64
	unobserved [maxCells]bool
}

// maxCells is the length of the line, in characters.
const maxCells = 40

// cell returns the index of the cell for this time.
func (t *timeline) cell(at time.Duration) int {
	t.step = max(t.step, time.Second)
	for at/t.step >= maxCells {
		merged := timeline{step: 2 * t.step}
		for i := range maxCells {
			merged.crashes[i/2] += t.crashes[i]
			merged.unobserved[i/2] = merged.unobserved[i/2] || t.unobserved[i]
		}
		*t = merged
	}
	return int(at / t.step)
}

func (t *timeline) addCrashes(at time.Duration, n int64) {
	t.crashes[t.cell(at)] += n
}

// addGap marks a time without a successful check.
func (t *timeline) addGap(from, to time.Duration) {
	last := t.cell(to) // first: it may merge cells
	for i := t.cell(from); i <= last; i++ {
		t.unobserved[i] = true
	}
}

// draw returns the line for a run that took this long. It is empty if there were neither crashes nor gaps.
func (t *timeline) draw(elapsed time.Duration) string {
	var b strings.Builder
	for i := range t.cell(elapsed) + 1 {
		switch n := t.crashes[i]; {
		case n > 9:
			b.WriteByte('+')
		case n > 0:
			fmt.Fprint(&b, n)
		case t.unobserved[i]:
			b.WriteByte('?')
		default:
			b.WriteByte('.')
		}
	}
	if strings.Trim(b.String(), ".") == "" {
		return ""
	}
	return fmt.Sprintf("timeline: %s (%s per character; 1 to 9: crashes, +: more, ?: not observed)\n", b.String(), duration(t.step))
}
