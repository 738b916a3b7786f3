package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/crashcheck/crashcheck/pkg/runner"
)

// Progress draws one line on a terminal, again and again in place: a bar over the window (or the checks), the time
// left, crashes of limit, pods. What is written through it appears above that line.
type Progress struct {
	plan  runner.Plan
	width func() int // of the terminal, in characters

	mu    sync.Mutex
	w     io.Writer
	bar   *progressbar.ProgressBar
	drawn bytes.Buffer // where the bar draws
	start time.Time

	checks, crashes int64
	pods            int
	lastCheck       time.Time
	failures        int64

	stop chan struct{}
	done chan struct{}
}

const (
	eraseLine    = "\r\x1b[2K" // ECMA-48: EL 2
	redrawEvery  = 250 * time.Millisecond
	widestBar    = 24
	barAndSpaces = 10 // what the bar's line holds besides the bar and the description
)

// NewProgress returns a progress line on the terminal w, which is this wide. It is drawn until [Progress.Close].
func NewProgress(w io.Writer, width func() int, plan runner.Plan) *Progress {
	p := &Progress{plan: plan, width: width, w: w, start: time.Now(), stop: make(chan struct{}), done: make(chan struct{})}
	p.bar = progressbar.NewOptions64(p.total(),
		progressbar.OptionSetWriter(&p.drawn),
		progressbar.OptionSetWidth(widestBar),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionShowDescriptionAtLineEnd(),
		progressbar.OptionUseANSICodes(true), // it need not erase what it drew: the line is erased here
		progressbar.OptionSetTheme(progressbar.Theme{Saucer: "=", SaucerHead: ">", SaucerPadding: " ", BarStart: "[", BarEnd: "]"}),
	)
	go p.redraw()
	return p
}

// total is the length of the bar: checks in COUNT mode, else milliseconds of the window.
func (p *Progress) total() int64 {
	if p.plan.Count > 0 {
		return p.plan.Count
	}
	return max(p.plan.Duration.Milliseconds(), 1)
}

func (p *Progress) redraw() {
	defer close(p.done)
	ticker := time.NewTicker(redrawEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			p.mu.Lock()
			_, _ = io.WriteString(p.w, p.line())
			p.mu.Unlock()
		case <-p.stop:
			return
		}
	}
}

// Write writes text above the line.
func (p *Progress) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := io.WriteString(p.w, eraseLine+string(text)); err != nil {
		return 0, err
	}
	return len(text), nil
}

// Observe brings the line up to date.
func (p *Progress) Observe(event runner.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case runner.Checked:
		p.checks, p.crashes, p.pods = e.Number, e.Tally.Crashes, e.Tally.Pods
		p.lastCheck, p.failures = time.Now(), 0
	case runner.CheckFailed:
		p.failures = e.Failures
	}
}

// Close erases the line for good.
func (p *Progress) Close() {
	close(p.stop)
	<-p.done
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = io.WriteString(p.w, eraseLine)
}

// line returns the line as it is now, with what erases the one before.
func (p *Progress) line() string {
	width := p.width() - 1 // the last column is left free: some terminals wrap there
	elapsed := time.Since(p.start)
	position := elapsed.Milliseconds()
	if p.plan.Count > 0 {
		position = p.checks
	}
	description := p.description(elapsed)
	if width < len(description)+barAndSpaces+widestBar/2 {
		return eraseLine + cut(description, max(width, 1)) // too narrow for a bar
	}
	p.drawn.Reset()
	p.bar.Describe(description)
	p.drawn.Reset()
	_ = p.bar.Set64(min(position, p.total()-1)) // at its end it would end the line
	return eraseLine + cut(strings.Trim(p.drawn.String(), "\r "), max(width, 1))
}

func (p *Progress) description(elapsed time.Duration) string {
	parts := []string{fmt.Sprintf("crashes %d/%d", p.crashes, p.plan.CrashLimit), count(p.pods, "pod"), count(int(p.checks), "check")}
	if p.plan.Count > 0 {
		parts[2] = fmt.Sprintf("check %d/%d", p.checks, p.plan.Count)
	}
	if left := p.plan.Expected() - elapsed; left > 0 {
		parts = append(parts, left.Round(time.Second).String()+" left")
	}
	if p.failures > 0 {
		silence := "no check yet"
		if !p.lastCheck.IsZero() {
			silence = "last check " + time.Since(p.lastCheck).Round(time.Second).String() + " ago"
		}
		parts = append(parts, silence)
	}
	return strings.Join(parts, ", ")
}
