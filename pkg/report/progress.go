package report

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/crashcheck/crashcheck/pkg/runner"
)

// Progress draws one line on a terminal: the workload, crashes of the limit, time left, checks done, pods. It redraws the line in place,
// every second and when something happens. What is written to it appears above the line.
type Progress struct {
	plan     runner.Plan
	workload string     // empty: none
	width    func() int // of the terminal, in characters

	mu     sync.Mutex
	w      io.Writer
	start  time.Time
	last   runner.Checked
	closed bool

	stop chan struct{}
	done chan struct{}
}

const (
	eraseLine   = "\r\x1b[2K" // ECMA-48: EL 2
	redrawEvery = time.Second
)

// NewProgress returns a progress line on the terminal w, which has this width. It is drawn until [Progress.Close]. Of the
// outcome in r, only the plan has to be set.
func NewProgress(w io.Writer, width func() int, r Result) *Progress {
	p := &Progress{plan: r.Plan, workload: r.Workload, width: width, w: w, start: time.Now(), stop: make(chan struct{}), done: make(chan struct{})}
	go p.redraw()
	return p
}

func (p *Progress) redraw() {
	defer close(p.done)
	ticker := time.NewTicker(redrawEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			_, _ = p.Write(nil)
		case <-p.stop:
			return
		}
	}
}

// Write writes text above the line, and redraws the line.
func (p *Progress) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	line := eraseLine + string(text)
	if !p.closed {
		line += p.line()
	}
	if _, err := io.WriteString(p.w, line); err != nil {
		return 0, err
	}
	return len(text), nil
}

// Observe updates the line.
func (p *Progress) Observe(event runner.Event) {
	if checked, ok := event.(runner.Checked); ok {
		p.mu.Lock()
		p.last = checked
		p.mu.Unlock()
		_, _ = p.Write(nil)
	}
}

// Close erases the line. Later writes do not draw it again.
func (p *Progress) Close() {
	close(p.stop)
	<-p.done
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	_, _ = p.Write(nil)
}

// line returns the current line. The last column stays empty, because some terminals wrap there.
func (p *Progress) line() string {
	parts := []string{fmt.Sprintf("crashes %d/%d", p.last.Tally.Crashes, p.plan.CrashLimit)}
	if p.workload != "" {
		parts = append([]string{strings.TrimSpace(p.workload + " " + p.last.Tally.Version.Name)}, parts...)
	}
	if left := p.plan.Expected() - time.Since(p.start); left > 0 {
		parts = append(parts, duration(left.Round(time.Second))+" left")
	}
	checks := count(p.last.Number, "check")
	if p.plan.Count > 0 {
		checks = fmt.Sprintf("check %d/%d", p.last.Number, p.plan.Count)
	}
	return cut(strings.Join(append(parts, checks, count(p.last.Tally.Pods, "pod")), ", "), max(p.width()-1, 0))
}
