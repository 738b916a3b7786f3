package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/crashcheck/crashcheck/pkg/runner"
)

// Progress draws one line on a terminal: the workload, crashes and their limit, time left, checks done, pods. It redraws the
// line in place after each event. What is written to it appears above the line. It is for use by one goroutine.
type Progress struct {
	w      io.Writer
	width  func() int // of the terminal, in characters
	result Result     // as planned

	elapsed time.Duration
	last    runner.Checked
	closed  bool
}

const eraseLine = "\r\x1b[2K" // ECMA-48: EL 2

// NewProgress returns a progress line on the terminal w, which has this width. Of the outcome in r, only the plan has to be
// set.
func NewProgress(w io.Writer, width func() int, r Result) *Progress {
	return &Progress{w: w, width: width, result: r}
}

// Write writes text above the line, and redraws the line.
func (p *Progress) Write(text []byte) (int, error) {
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
	switch e := event.(type) {
	case runner.Checked:
		p.last, p.elapsed = e, e.Elapsed
	case runner.CheckFailed:
		p.elapsed = e.Elapsed
	}
	_, _ = p.Write(nil)
}

// Close erases the line. Later writes do not draw it again.
func (p *Progress) Close() {
	p.closed = true
	_, _ = p.Write(nil)
}

// line returns the current line. The last column stays empty, because some terminals wrap there.
func (p *Progress) line() string {
	plan, tally := p.result.Plan, p.last.Tally
	left := ""
	if d := plan.Expected() - p.elapsed; d > 0 {
		left = duration(d.Round(time.Second)) + " left"
	}
	text := joined(", ",
		strings.TrimSpace(p.result.Workload+" "+tally.Version.Name),
		fmt.Sprintf("crashes %d/%d", tally.Crashes, plan.CrashLimit),
		left, count(p.last.Number, "check"), count(tally.Pods, "pod"))
	return cut(Escape(text), p.width()-1)
}
