package report

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/lmittmann/tint"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/crashcheck/crashcheck/pkg/runner"
)

// LogOptions control the format of a [Log].
type LogOptions struct {
	JSON     bool // objects of slog's JSON, instead of lines for people
	Debug    bool // a line for each check
	Terminal bool // times without a date
	Color    bool
}

// Log is the log of a run. Each line is a sentence. The JSON log adds facts, see the documentation of the package.
type Log struct {
	logger *slog.Logger
	out    io.Writer
	json   bool

	plan     runner.Plan
	timeline timeline

	// What has been logged.

	states    sets.Set[any] // of pods, containers and the version
	crashes   int64         // in total
	warnings  int           // of the current check
	failure   string        // the last warning about a failed check in this streak; empty: none
	failureAt time.Duration // when it was logged, since the start of the run; 0: never
}

// NewLog returns a log that writes to w.
func NewLog(w io.Writer, opts LogOptions) *Log {
	level, timeFormat := slog.LevelInfo, "2006-01-02T15:04:05Z07:00"
	if opts.Debug {
		level = slog.LevelDebug
	}
	if opts.Terminal {
		timeFormat = time.TimeOnly
	}
	handler := tint.NewTextHandler(w, &tint.Options{Level: level, TimeFormat: timeFormat, NoColor: !opts.Color})
	if opts.JSON {
		handler = slog.NewJSONHandler(escapedLines{w}, &slog.HandlerOptions{Level: level})
	}
	return &Log{logger: slog.New(handler), out: w, json: opts.JSON, states: sets.New[any]()}
}

// escapedLines escapes what slog's JSON leaves unprintable.
type escapedLines struct{ w io.Writer }

func (e escapedLines) Write(line []byte) (int, error) {
	if _, err := e.w.Write(append(escapeJSON(line[:len(line)-1]), '\n')); err != nil {
		return 0, err
	}
	return len(line), nil
}

// say logs a sentence, and in JSON its facts (keys and values). It escapes every sentence.
func (l *Log) say(level slog.Level, sentence string, facts ...any) {
	if !l.json {
		facts = nil
	}
	l.logger.Log(context.Background(), level, Escape(sentence), facts...)
}

// print writes text for people, without a time. The JSON log does not have it.
func (l *Log) print(text string) {
	if !l.json {
		_, _ = io.WriteString(l.out, text)
	}
}

// Warn logs a warning.
func (l *Log) Warn(sentence string) { l.say(slog.LevelWarn, sentence) }

// Info logs information.
func (l *Log) Info(sentence string) { l.say(slog.LevelInfo, sentence) }

// Debug logs information that helps to find errors in the setup.
func (l *Log) Debug(sentence string) { l.say(slog.LevelDebug, sentence) }

// Start logs what is checked, how, and until when. It warns if one crash-looping pod cannot reach the limit. The pods are
// those of a workload, or, if that is empty, those that the selector matches. Of the outcome in r, only the plan has to be
// set.
func (l *Log) Start(version string, r Result) {
	plan, watched := r.Plan, r.Workload
	if watched == "" {
		watched = "pods with " + r.Selector
	}
	l.plan = plan
	l.say(slog.LevelInfo, fmt.Sprintf("crashcheck %s: watching %s in namespace %s", version, watched, r.Namespace),
		"event", "start", "version", version, "namespace", r.Namespace, "workload", known(r.Workload), "selector", r.Selector, "limit", plan.CrashLimit)
	l.Info(fmt.Sprintf("checking %s; fails at %s", schedule(plan), count(plan.CrashLimit, "crash")))
	if n := plan.CrashLoop(); plan.CrashLimit > n {
		l.Warn(fmt.Sprintf("one crash-looping pod cannot reach CRASH_LIMIT %d: it crashes about %d times in %s; lower CRASH_LIMIT, or check for longer",
			plan.CrashLimit, n, duration(plan.Expected())))
		l.Warn("this assumes the default back-off; nodes can have a shorter one (maxContainerRestartPeriod)")
	}
}

// schedule says how often the pods are checked, and until when.
func schedule(plan runner.Plan) string {
	now := time.Now()
	text := fmt.Sprintf("every %s until %s", duration(plan.Interval), clock(now.Add(plan.Expected()), now))
	if plan.Count > 0 {
		text += ", " + count(plan.Count, "check")
		if plan.MaxDuration > 0 {
			text += ", for at most " + duration(plan.MaxDuration)
		}
	}
	return text
}

// LogLines logs the last lines of a crashed container's own log, each after a bar.
func (l *Log) LogLines(pod, container string, log []byte) {
	const maxLogLine = 1000 // bytes
	text := strings.TrimRight(string(log), "\r\n")
	heading := fmt.Sprintf("last log lines of %s/%s:", pod, container)
	if l.json {
		l.say(slog.LevelInfo, heading, "event", "logLines", "pod", pod, "container", container, "log", text)
		return
	}
	l.print(Escape(heading) + "\n")
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.ReplaceAll(strings.TrimSuffix(line, "\r"), "\t", "    ")
		l.print("  | " + cut(Escape(line), maxLogLine) + "\n")
	}
}
