package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/crashcheck/crashcheck/pkg/runner"
)

// timeline collects when crashes were seen, and when nothing was. Times are counted from the start of the run.
type timeline struct {
	crashes     []sighted
	gaps        []gap
	lastSuccess time.Duration
	failing     bool // the last attempt failed
}

type sighted struct {
	at  time.Duration
	new int64
}

// gap is a time in which checks failed.
type gap struct{ from, till time.Duration }

// longestTimeline is in characters; each stands for a whole number of seconds.
const longestTimeline = 50

func (t *timeline) observe(event runner.Event) {
	switch e := event.(type) {
	case runner.Checked:
		if t.failing {
			t.addGap(gap{t.lastSuccess, e.Elapsed})
		}
		t.lastSuccess, t.failing = e.Elapsed, false
		var crashed int64
		for _, c := range e.Tally.New {
			crashed += c.New
		}
		if crashed > 0 {
			t.addCrashes(sighted{e.Elapsed, crashed})
		}
	case runner.CheckFailed:
		t.failing = true
	}
}

// No character stands for less than a second: what comes within one is kept together, so that a long run with a short
// interval takes little memory.

func (t *timeline) addGap(g gap) {
	if n := len(t.gaps); n > 0 && g.from-t.gaps[n-1].till < time.Second {
		t.gaps[n-1].till = g.till
		return
	}
	t.gaps = append(t.gaps, g)
}

func (t *timeline) addCrashes(s sighted) {
	if n := len(t.crashes); n > 0 && s.at.Truncate(time.Second) == t.crashes[n-1].at.Truncate(time.Second) {
		t.crashes[n-1].new += s.new
		return
	}
	t.crashes = append(t.crashes, s)
}

// draw shows a run that took this long as one line; it is empty where there is nothing to see.
func (t *timeline) draw(elapsed time.Duration) string {
	gaps := t.gaps
	if t.failing {
		gaps = append(gaps, gap{t.lastSuccess, elapsed})
	}
	if len(t.crashes) == 0 && len(gaps) == 0 {
		return ""
	}
	step := max((elapsed/longestTimeline + time.Second - 1).Truncate(time.Second), time.Second)
	cell := func(at time.Duration) int { return int(at / step) }
	counts := make([]int64, cell(elapsed)+1)
	unobserved := make([]bool, len(counts))
	for _, g := range gaps {
		first, last := cell(g.from), min(cell(g.till), len(counts)-1)
		if g.from > 0 && first < last {
			first++ // it holds the check that succeeded
		}
		for i := first; i <= last; i++ {
			unobserved[i] = true
		}
	}
	for _, s := range t.crashes {
		counts[min(cell(s.at), len(counts)-1)] += s.new
	}
	var b strings.Builder
	for i, n := range counts {
		switch {
		case n > 9:
			b.WriteByte('+')
		case n > 0:
			fmt.Fprint(&b, n)
		case unobserved[i]:
			b.WriteByte('?')
		default:
			b.WriteByte('.')
		}
	}
	legend := []string{"timeline", exact(step) + " a character"}
	if len(t.crashes) > 0 {
		legend = append(legend, "digits are crashes")
	}
	if strings.Contains(b.String(), "+") {
		legend = append(legend, "+ more than 9")
	}
	if strings.Contains(b.String(), "?") {
		legend = append(legend, "? unobserved")
	}
	return strings.Join(legend, ", ") + ": " + b.String()
}
