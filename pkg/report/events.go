package report

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/pkg/runner"
)

const (
	// maxLines is the maximum number of lines of one kind that one check adds to the log, and of names in a line of JSON.
	maxLines = 20
	// warnEvery is the shortest time between two warnings about failed checks.
	warnEvery = 5 * time.Second
)

// said records what has been logged.
type said struct {
	before   map[any]bool // states of pods and containers
	version  string       // of the workload
	crashes  int64        // logged so far
	logLines bool         // of a crashed container

	lines   map[string]int // of the current check, by event
	omitted int

	failure   string        // the last warning about a failed check in this streak; empty: none
	failureAt time.Duration // when it was logged, since the start of the run; 0: never
}

// Observe logs an event of the run.
func (l *Log) Observe(event runner.Event) {
	l.timeline.observe(event)
	switch e := event.(type) {
	case runner.Checked:
		l.checked(e)
	case runner.CheckFailed:
		if !e.GaveUp { // otherwise the verdict has the error
			l.checkFailed(e)
		}
	}
}

func (l *Log) checked(e runner.Checked) {
	l.said.lines, l.said.omitted = map[string]int{}, 0
	if e.Failures > 0 {
		l.recovered(e)
	}
	l.version(e.Tally.Version)
	l.pods(e)
	l.states(e.Tally)
	l.crashes(e)
	if n := l.said.omitted; n > 0 {
		l.say(slog.LevelWarn, "omitted", fmt.Sprintf("%s omitted: a check logs at most %d of one kind", count(n, "more line"), maxLines), "lines", n)
	}
	t := e.Tally
	l.say(slog.LevelDebug, "check", fmt.Sprintf("check %d: %s (%d have run), %d/%d crashes, %d not Ready, %d cannot start, took %s",
		e.Number, count(t.Pods, "pod"), t.Ran, t.Crashes, l.plan.CrashLimit, len(t.NotReady), len(t.CannotStart), duration(e.Took)),
		"check", e.Number, "pods", t.Pods, "ran", t.Ran, "crashes", t.Crashes, "notReady", len(t.NotReady),
		"cannotStart", len(t.CannotStart), "tookSeconds", seconds(e.Took), "final", e.Final)
}

// warn logs a warning about one pod or container, unless the check has too many of this kind.
func (l *Log) warn(event, sentence string, facts ...any) {
	if l.said.lines[event]++; l.said.lines[event] > maxLines {
		l.said.omitted++
		return
	}
	l.say(slog.LevelWarn, event, sentence, facts...)
}

// isNew reports whether a state has not been logged before.
func (l *Log) isNew(state any) bool {
	known := l.said.before[state]
	l.said.before[state] = true
	return !known
}

// version logs which version of the workload is checked, or why it is not known yet.
func (l *Log) version(v checker.Version) {
	switch {
	case v.Pending != "" && l.isNew(v.Pending):
		l.say(slog.LevelWarn, "versionPending", "the version to check is not known yet: "+v.Pending, "reason", v.Pending)
	case v.Name != "" && v.Name != l.said.version:
		l.said.version = v.Name
		selector := fmt.Sprint(v.Selector)
		l.say(slog.LevelInfo, "versionFound", "checking version "+v.Name+": pods with "+selector, "version", v.Name, "selector", selector)
		l.say(slog.LevelDebug, "versionSource", "version "+v.Name+" comes from "+v.Source, "source", v.Source)
	}
}

// pods logs which pods appeared and which are gone.
func (l *Log) pods(e runner.Checked) {
	t := e.Tally
	if e.Number == 1 && t.Pods == 0 && t.Version.Pending == "" && t.Version.Aborted == "" {
		l.say(slog.LevelWarn, "noPods", "no pods match yet")
	}
	if n := len(t.Appeared); n > 0 {
		sentence := count(n, "new pod")
		if e.Number == 1 {
			sentence = count(n, "pod") + " found"
		}
		l.say(slog.LevelInfo, "podsAppeared", sentence+": "+names(t.Appeared), "names", t.Appeared[:min(n, maxLines)], "pods", t.Pods)
	}
	if n := len(t.Gone); n > 0 {
		l.say(slog.LevelInfo, "podsGone", fmt.Sprintf("%s gone (%s crashes still count): %s", count(n, "pod"), choose(n, "its", "their"), names(t.Gone)),
			"names", t.Gone[:min(n, maxLines)], "pods", t.Pods)
	}
}

// states logs pods and containers that have failed, cannot start or are not observed, once each.
func (l *Log) states(t checker.Tally) {
	for _, f := range t.Failed {
		if !f.Crash { // a crash is logged as such
			l.warn("podFailed", podFailed(f)+" (not counted as a crash)", "pod", f.Pod, "reason", f.Reason, "message", f.Message)
		}
	}
	for _, c := range t.CannotStart {
		if l.isNew([3]string{c.Pod, c.Container, c.Reason}) {
			l.warn("cannotStart", cannotStart(c), "pod", c.Pod, "container", known(c.Container), "reason", c.Reason, "message", c.Message)
		}
	}
	for _, u := range t.Unreported {
		if l.isNew(u) {
			l.warn("notObserved", fmt.Sprintf("pod %s is not observed: node %s has stopped reporting", u.Pod, u.Node), "pod", u.Pod, "node", u.Node)
		}
	}
}

func (l *Log) crashes(e runner.Checked) {
	for _, c := range e.Tally.New {
		l.said.crashes += c.New
		target, how := name(c.Pod, c.Container, c.Kind), explain(c.Kind, c.Termination)
		sentence := fmt.Sprintf("crash %d/%d: %s: %s", l.said.crashes, l.plan.CrashLimit, target, how)
		if c.New > 1 {
			sentence = fmt.Sprintf("crashes %d/%d: %s: %s, last: %s", l.said.crashes, l.plan.CrashLimit, target, count(c.New, "crash"), how)
		}
		if e.Number == 1 && e.Failures == 0 {
			sentence += " (before this run)"
		}
		all := checker.ContainerCrashes{Pod: c.Pod, Container: c.Container, Kind: c.Kind, Crashes: c.Crashes, Termination: c.Termination}
		l.warn("crash", sentence, "crashes", l.said.crashes, "limit", l.plan.CrashLimit, "crashed", newJSONContainer(all))
	}
}

// checkFailed logs an error as a warning if the last warning was about a different error, at most once in warnEvery.
// Otherwise it is debug output.
func (l *Log) checkFailed(e runner.CheckFailed) {
	level, text := slog.LevelDebug, e.Err.Error()
	if text != l.said.failure && (l.said.failureAt == 0 || e.Elapsed-l.said.failureAt >= warnEvery) {
		level = slog.LevelWarn
		l.said.failure, l.said.failureAt = text, e.Elapsed
	}
	retry := "retrying for up to " + duration(e.GiveUpIn)
	if e.GiveUpIn <= 0 {
		retry = "retrying once, because API_GRACE has passed"
	}
	l.say(level, "checkFailed", fmt.Sprintf("check failed, %s: %s", retry, text),
		"error", text, "failures", e.Failures, "retrySeconds", seconds(e.RetryIn), "giveUpSeconds", seconds(e.GiveUpIn))
}

func (l *Log) recovered(e runner.Checked) {
	level := slog.LevelInfo
	if l.said.failure == "" {
		level = slog.LevelDebug // there was no warning
	}
	l.said.failure = ""
	l.say(level, "checksRecovered", fmt.Sprintf("checks succeed again after %s; pods were not observed for %s",
		count(e.Failures, "failure"), duration(e.Unobserved)), "failures", e.Failures, "unobservedSeconds", seconds(e.Unobserved))
}
