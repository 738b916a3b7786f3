package report

import (
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/pkg/runner"
)

const (
	// maxLines is how many lines of one kind one check may add to the log.
	maxLines = 20
	// warnEvery is the shortest time between two warnings about failed checks.
	warnEvery = 5 * time.Second
)

// seen is what the log has said already.
type seen struct {
	crashes     int64
	cannotStart map[string]bool // pod, container and reason
	unreported  map[string]bool // nodes that the previous check found
	failure     string          // the error last warned about in this streak of failed checks; empty: none
	failureAt   time.Duration   // when a failed check was last warned about, since the start of the run
}

func newSeen() seen {
	return seen{cannotStart: map[string]bool{}, failureAt: -warnEvery}
}

// Observe logs an event of the run.
func (l *Log) Observe(event runner.Event) {
	l.timeline.observe(event)
	switch e := event.(type) {
	case runner.Checked:
		l.checked(e)
	case runner.CheckFailed:
		l.checkFailed(e)
	}
}

func (l *Log) checked(e runner.Checked) {
	if e.Failures > 0 {
		l.recovered(e)
	}
	t := e.Tally
	l.pods(e)
	l.podFailures(t)
	l.cannotStart(t.CannotStart)
	l.unreported(t.Unreported)
	l.crashes(e)
	l.say(slog.LevelDebug, "check", fmt.Sprintf("check %d: %s (%d ran), %d/%d crashes, %d not Ready, %d cannot start, took %s", e.Number,
		count(t.Pods, "pod"), t.Ran, t.Crashes, l.plan.CrashLimit, len(t.NotReady), len(t.CannotStart), duration(e.Took)),
		slog.Int64("check", e.Number), slog.Int("pods", t.Pods), slog.Int("ran", t.Ran), slog.Int64("crashes", t.Crashes),
		slog.Int("notReady", len(t.NotReady)), slog.Int("cannotStart", len(t.CannotStart)),
		slog.Float64("tookSeconds", seconds(e.Took)), slog.Bool("final", e.Final))
}

func (l *Log) recovered(e runner.Checked) {
	level := slog.LevelInfo
	if l.seen.failure == "" {
		level = slog.LevelDebug // nobody was warned
	}
	l.seen.failure = ""
	l.say(level, "checksRecovered", fmt.Sprintf("checks succeed again after %s; pods were not observed for %s",
		count(e.Failures, "failure"), duration(e.Unobserved)),
		slog.Int64("failures", e.Failures), slog.Float64("unobservedSeconds", seconds(e.Unobserved)))
}

func (l *Log) pods(e runner.Checked) {
	t := e.Tally
	if e.Number == 1 && t.Pods == 0 {
		l.say(slog.LevelWarn, "noPods", "no pods match yet")
	}
	if n := len(t.Appeared); n > 0 {
		sentence := count(n, "new pod")
		if e.Number == 1 {
			sentence = count(n, "pod") + " found"
		}
		l.say(slog.LevelInfo, "podsAppeared", sentence+": "+names(t.Appeared), slog.Any("names", t.Appeared[:min(n, maxLines)]), slog.Int("pods", t.Pods))
	}
	if n := len(t.Gone); n > 0 {
		l.say(slog.LevelInfo, "podsGone", fmt.Sprintf("%s gone (%s crashes still count): %s", count(n, "pod"), choose(n, "its", "their"), names(t.Gone)),
			slog.Any("names", t.Gone[:min(n, maxLines)]), slog.Int("pods", t.Pods))
	}
}

// podFailures logs pods that failed, except those that are logged as crashes.
func (l *Log) podFailures(t checker.Tally) {
	failures := slices.DeleteFunc(slices.Clone(t.Failed), func(f checker.PodFailure) bool {
		return f.Crash && slices.ContainsFunc(t.New, func(c checker.Crash) bool { return c.Kind == checker.Pod && c.Pod == f.Pod })
	})
	few(l, failures, "more failed pods", func(f checker.PodFailure) {
		l.say(slog.LevelWarn, "podFailed", podFailed(f)+" (not counted as a crash)",
			slog.String("pod", f.Pod), slog.String("reason", f.Reason), slog.String("message", f.Message))
	})
}

func (l *Log) cannotStart(all []checker.CannotStart) {
	unknown := slices.DeleteFunc(slices.Clone(all), func(c checker.CannotStart) bool {
		key := c.Pod + "/" + c.Container + "/" + c.Reason
		known := l.seen.cannotStart[key]
		l.seen.cannotStart[key] = true
		return known
	})
	few(l, unknown, "more containers that cannot start", func(c checker.CannotStart) {
		l.say(slog.LevelWarn, "cannotStart", containerCannotStart(c),
			slog.String("pod", c.Pod), slog.String("container", c.Container), slog.String("reason", c.Reason), slog.String("message", c.Message))
	})
}

// unreported logs nodes that have stopped reporting since the previous check.
func (l *Log) unreported(pods []checker.UnreportedPod) {
	byNode := map[string][]string{}
	unreported := map[string]bool{}
	var nodes []string
	for _, u := range pods {
		unreported[u.Node] = true
		if byNode[u.Node] == nil && !l.seen.unreported[u.Node] {
			nodes = append(nodes, u.Node)
		}
		byNode[u.Node] = append(byNode[u.Node], u.Pod)
	}
	l.seen.unreported = unreported
	few(l, nodes, "more nodes that have stopped reporting", func(node string) {
		pods := byNode[node]
		l.say(slog.LevelWarn, "nodeUnreported", fmt.Sprintf("node %s has stopped reporting; crashes there are not observed: %s", node, names(pods)),
			slog.String("node", node), slog.Any("names", pods[:min(len(pods), maxLines)]))
	})
}

func (l *Log) crashes(e runner.Checked) {
	atStart := e.Number == 1 && e.Failures == 0 // what the first check finds happened before
	few(l, e.Tally.New, "more crashed containers", func(c checker.Crash) {
		l.seen.crashes += c.New
		target, how := name(c.Pod, c.Container, c.Kind), terminationAndReason(c.Kind, c.Termination)
		sentence := fmt.Sprintf("crash %d/%d: %s: ", l.seen.crashes, l.plan.CrashLimit, target)
		if c.New > 1 {
			sentence = fmt.Sprintf("crashes %d/%d: %s: %s, last: ", l.seen.crashes, l.plan.CrashLimit, target, count(c.New, "crash"))
		}
		if atStart {
			how += " (before this run)"
		}
		l.say(slog.LevelWarn, "crash", sentence+how, slog.Int64("crashes", l.seen.crashes), slog.Int64("limit", l.plan.CrashLimit),
			crashed(checker.ContainerCrashes{Pod: c.Pod, Container: c.Container, Kind: c.Kind, Crashes: c.Crashes, Termination: c.Termination}))
	})
	l.seen.crashes = e.Tally.Crashes
}

// crashed has the facts of a crashed container.
func crashed(c checker.ContainerCrashes) slog.Attr {
	return slog.Any("crashed", newJSONContainer(c))
}

// checkFailed warns about an error once in a streak, and not too often. The last error is part of the verdict.
func (l *Log) checkFailed(e runner.CheckFailed) {
	if e.GaveUp {
		return
	}
	level := slog.LevelDebug
	if text := e.Err.Error(); text != l.seen.failure && e.Elapsed-l.seen.failureAt >= warnEvery {
		level = slog.LevelWarn
		l.seen.failure, l.seen.failureAt = text, e.Elapsed
	}
	retry := "retrying for up to " + duration(e.GiveUpIn)
	if e.GiveUpIn <= 0 {
		retry = "retrying once, because API_GRACE has passed"
	}
	l.say(level, "checkFailed", fmt.Sprintf("check failed, %s: %v", retry, e.Err),
		slog.String("error", e.Err.Error()), slog.Int64("failures", e.Failures),
		slog.Float64("retrySeconds", seconds(e.RetryIn)), slog.Float64("giveUpSeconds", seconds(e.GiveUpIn)))
}

// few calls say for the first items of a check, and counts the others.
func few[T any](l *Log, items []T, others string, say func(T)) {
	for _, item := range items[:min(len(items), maxLines)] {
		say(item)
	}
	if n := len(items) - maxLines; n > 0 {
		l.say(slog.LevelWarn, "omitted", fmt.Sprintf("and %d %s", n, others), slog.Int("omitted", n))
	}
}
