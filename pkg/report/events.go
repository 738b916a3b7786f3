package report

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/pkg/runner"
)

const (
	// maxWarnings is the maximum number of warnings about pods that one check adds to the log.
	maxWarnings = 20
	// warnEvery is the shortest time between two warnings about failed checks.
	warnEvery = 5 * time.Second
)

// Observe logs an event of the run.
func (l *Log) Observe(event runner.Event) {
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
	t := e.Tally
	if e.Failures > 0 {
		l.recovered(e)
	}
	l.logVersion(t.Version)
	l.logPods(e)
	l.logWarnings(e)
	l.Debug(fmt.Sprintf("check %d: %s (%d have run), %d/%d crashes, %d not Ready, %d cannot start, took %s",
		e.Number, count(t.Pods, "pod"), t.Ran, t.Crashes, l.plan.CrashLimit, len(t.NotReady), len(t.CannotStart), duration(e.Took)))
}

// isNew reports whether a state has not been logged before.
func (l *Log) isNew(state any) bool {
	known := l.states.Has(state)
	l.states.Insert(state)
	return !known
}

// logVersion logs which version of the workload is checked, or why it is not known yet.
func (l *Log) logVersion(v checker.Version) {
	switch {
	case v.Pending != "" && l.isNew(v.Pending):
		l.Warn("the version to check is not known yet: " + v.Pending)
	case v.Name != "" && l.isNew(v.Name):
		l.Info(fmt.Sprintf("checking version %s: pods with %s", v.Name, v.Selector))
		l.Debug("version " + v.Name + " comes from " + v.Source)
	}
}

// logPods logs which pods appeared and which are gone.
func (l *Log) logPods(e runner.Checked) {
	t := e.Tally
	if e.Number == 1 && t.Pods == 0 && t.Version.Pending == "" && t.Version.Aborted == "" {
		l.Warn("no pods match yet")
	}
	if n := len(t.Appeared); n > 0 {
		sentence := count(n, "new pod")
		if e.Number == 1 {
			sentence = count(n, "pod") + " found"
		}
		l.say(slog.LevelInfo, sentence+": "+names(t.Appeared), "event", "podsAppeared", "pods", t.Pods)
	}
	if n := len(t.Gone); n > 0 {
		l.say(slog.LevelInfo, fmt.Sprintf("%s gone (their crashes still count): %s", count(n, "pod"), names(t.Gone)), "event", "podsGone", "pods", t.Pods)
	}
}

// logWarnings logs crashes, and once each the pods and containers that have failed, cannot start or are not observed.
func (l *Log) logWarnings(e runner.Checked) {
	l.warnings = 0
	for _, c := range e.Tally.New {
		l.crashed(e, c)
	}
	for _, f := range e.Tally.Failed {
		if !f.Crash { // a crash is logged as such
			l.warn(podFailed(f)+" (not counted as a crash)", "event", "podFailed",
				"pod", f.Pod, "reason", f.Reason, "message", f.Message)
		}
	}
	for _, c := range e.Tally.CannotStart {
		if l.isNew([3]string{c.Pod, c.Container, c.Reason}) { // the message may change all the time
			l.warn(cannotStart(c), "event", "cannotStart",
				"pod", c.Pod, "container", known(c.Container), "reason", c.Reason, "message", c.Message)
		}
	}
	for _, u := range e.Tally.Unreported {
		if l.isNew(u) {
			l.warn(fmt.Sprintf("pod %s is not observed: node %s has stopped reporting", u.Pod, u.Node), "event", "notObserved",
				"pod", u.Pod, "node", u.Node)
		}
	}
	if more := l.warnings - maxWarnings; more > 0 {
		l.Warn(fmt.Sprintf("%s omitted: a check logs at most %d", count(more, "more warning"), maxWarnings))
	}
}

// warn logs a warning about one pod or container, unless the check has too many.
func (l *Log) warn(sentence string, facts ...any) {
	if l.warnings++; l.warnings <= maxWarnings {
		l.say(slog.LevelWarn, sentence, facts...)
	}
}

func (l *Log) crashed(e runner.Checked, c checker.ContainerCrashes) {
	l.crashes += c.New
	l.timeline.addCrashes(e.Elapsed, c.New)
	how := explain(c)
	if c.New > 1 {
		how = count(c.New, "crash") + ", last: " + how
	}
	if e.Number == 1 {
		how += " (" + foundAtStart + ")"
	}
	l.warn(fmt.Sprintf("crash %d/%d: %s: %s", l.crashes, l.plan.CrashLimit, name(c.Pod, c.Container, c.Kind), how),
		"event", "crash", "crashes", l.crashes, "limit", l.plan.CrashLimit, "crashed", newJSONContainer(c))
}

// checkFailed logs an error as a warning if the last warning was about a different error, at most once in warnEvery.
// Otherwise it is debug output.
func (l *Log) checkFailed(e runner.CheckFailed) {
	level, text := slog.LevelDebug, e.Err.Error()
	if text != l.failure && (l.failureAt == 0 || e.Elapsed-l.failureAt >= warnEvery) {
		level = slog.LevelWarn
		l.failure, l.failureAt = text, e.Elapsed
	}
	l.say(level, fmt.Sprintf("check failed, retrying for up to %s: %s", duration(e.GiveUpIn), text), "event", "checkFailed", "error", text)
}

func (l *Log) recovered(e runner.Checked) {
	l.timeline.addGap(e.Elapsed-e.Unobserved, e.Elapsed)
	level := slog.LevelInfo
	if l.failure == "" {
		level = slog.LevelDebug // there was no warning
	}
	l.failure = ""
	l.say(level, fmt.Sprintf("checks succeed again after %s; pods were not observed for %s", count(e.Failures, "failure"), duration(e.Unobserved)),
		"event", "checksRecovered")
}
