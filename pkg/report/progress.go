package report

import (
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
	start time.Time

	checks, crashes int64
	pods            int
	lastCheck       time.Time
	failures        int64
	givesUp         time.Time

	stop chan struct{}
	done chan struct{}
}

const (
	eraseLine   = "\r\x1b[2K" // ECMA-48: EL 2
	redrawEvery = 250 * time.Millisecond
	silence     = 2 * time.Second // how late a check may be before the line says so

	widestBar, narrowestBar = 24, 8
	besidesBar              = len("100% []  ") // what the line holds besides the bar and the description
)

// NewProgress returns a progress line on the terminal w, which is this wide. It is drawn until [Progress.Close].
func NewProgress(w io.Writer, width func() int, plan runner.Plan) *Progress {
	p := &Progress{plan: plan, width: width, w: w, start: time.Now(), lastCheck: time.Now(), stop: make(chan struct{}), done: make(chan struct{})}
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
		p.failures, p.givesUp = e.Failures, time.Now().Add(e.GiveUpIn)
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
	description := p.description(elapsed)
	bar := min(width-len(description)-besidesBar, widestBar)
	if bar < narrowestBar {
		return eraseLine + cut(description, max(width, 0))
	}
	position := elapsed.Milliseconds()
	if p.plan.Count > 0 {
		position = p.checks
	}
	return eraseLine + draw(position, p.total(), bar, description)
}

// draw returns a bar of this width, and the description after it. A new bar for each line: one that is kept draws only
// what has changed since, while here it is the whole line that is drawn anew.
func draw(position, total int64, width int, description string) string {
	bar := progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(io.Discard),
		progressbar.OptionSetWidth(width),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionShowDescriptionAtLineEnd(),
		progressbar.OptionSetTheme(progressbar.Theme{Saucer: "=", SaucerHead: ">", SaucerPadding: " ", BarStart: "[", BarEnd: "]"}),
	)
	_ = bar.Set64(min(position, total))
	bar.Describe(description)
	return strings.Trim(bar.String(), "\r ")
}

func (p *Progress) description(elapsed time.Duration) string {
	parts := []string{fmt.Sprintf("crashes %d/%d", p.crashes, p.plan.CrashLimit)}
	since := time.Since(p.lastCheck)
	if p.failures > 0 || since-silence > p.plan.Interval { // what matters most then
		news := "no check succeeded yet"
		if p.checks > 0 {
			news = "last check " + exact(since.Round(time.Second)) + " ago"
		}
		if left := time.Until(p.givesUp); p.failures > 0 && left >= time.Second {
			news += ", gives up in " + exact(left.Round(time.Second))
		}
		if p.failures > 0 || p.checks > 0 {
			parts = append(parts, news)
		}
	}
	if left := p.plan.Expected() - elapsed; left > 0 {
		parts = append(parts, exact(left.Round(time.Second))+" left")
	}
	parts = append(parts, count(p.pods, "pod"))
	if p.plan.Count > 0 {
		return strings.Join(append(parts, fmt.Sprintf("check %d/%d", p.checks, p.plan.Count)), ", ")
	}
	return strings.Join(append(parts, count(p.checks, "check")), ", ")
}
