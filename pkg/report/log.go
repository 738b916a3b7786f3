package report

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/lmittmann/tint"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/pkg/runner"
)

// LogOptions say how a [Log] looks.
type LogOptions struct {
	JSON  bool // records of slog's JSON, instead of lines for people
	Debug bool // a line for each check
	Color bool
}

// Log is the log of a run, for people: each thing that happens is one sentence. As JSON, the sentence is the msg, and
// the facts stand beside it under keys of their own.
type Log struct {
	logger *slog.Logger
	out    io.Writer
	json   bool
	debug  bool

	// What has been said already is not said again.
	limit   int64
	crashes int64
	blocked map[string]bool
	fault   string
}

// mostLines is how many lines of one kind one check may add to the log.
const mostLines = 20

// NewLog returns a log that writes to w.
func NewLog(w io.Writer, opts LogOptions) *Log {
	level := slog.LevelInfo
	if opts.Debug {
		level = slog.LevelDebug
	}
	var handler slog.Handler
	if opts.JSON {
		handler = slog.NewJSONHandler(escapedLines{w}, &slog.HandlerOptions{Level: level})
	} else {
		handler = tint.NewHandler(w, &tint.Options{
			Level: level, TimeFormat: "2006-01-02T15:04:05Z07:00", NoColor: !opts.Color,
			// The sentence says it all: its facts are for the JSON.
			ReplaceAttr: func(groups []string, attr slog.Attr) slog.Attr {
				if len(groups) > 0 || attr.Key != slog.TimeKey && attr.Key != slog.LevelKey && attr.Key != slog.MessageKey {
					return slog.Attr{}
				}
				return attr
			},
		})
	}
	return &Log{logger: slog.New(handler), out: w, json: opts.JSON, debug: opts.Debug, blocked: map[string]bool{}}
}

// escapedLines escapes what slog's JSON leaves unprintable.
type escapedLines struct{ w io.Writer }

func (e escapedLines) Write(line []byte) (int, error) {
	trimmed := strings.TrimSuffix(string(line), "\n")
	if _, err := e.w.Write(append(escapeJSON([]byte(trimmed)), '\n')); err != nil {
		return 0, err
	}
	return len(line), nil
}

// say logs a sentence and its facts. Every sentence goes through here, so that none can be forged.
func (l *Log) say(level slog.Level, sentence string, facts ...slog.Attr) {
	l.logger.LogAttrs(context.Background(), level, Escape(sentence), facts...)
}

// Warn logs a warning.
func (l *Log) Warn(sentence string) { l.say(slog.LevelWarn, sentence) }

// Error logs what makes the run impossible.
func (l *Log) Error(sentence string) { l.say(slog.LevelError, sentence) }

// Debug logs what only helps to find faults in crashcheck's own setting.
func (l *Log) Debug(sentence string) { l.say(slog.LevelDebug, sentence) }

// Start logs what is checked, how, and till when.
func (l *Log) Start(version string, plan runner.Plan, namespace, selector string) {
	l.limit = plan.CrashLimit
	now := time.Now()
	at := func(d time.Duration) string { return now.Add(d).Format("15:04:05") }
	how := fmt.Sprintf("a check every %s for %s", plan.Interval, plan.Duration)
	if plan.Count > 0 {
		how = fmt.Sprintf("%s, one every %s", count(int(plan.Count), "check"), plan.Interval)
	}
	if plan.Count > 0 && plan.MaxDuration > 0 {
		how += fmt.Sprintf(", for at most %s", plan.MaxDuration)
	}
	l.say(slog.LevelInfo, fmt.Sprintf("crashcheck %s: pods with %s in namespace %s: %s (till %s; %s at the latest, if the API server fails); the gate fails at %s",
		version, selector, namespace, how, at(plan.Expected()), at(plan.Latest()), crashes(plan.CrashLimit)),
		slog.String("version", version), slog.String("namespace", namespace), slog.String("selector", selector),
		slog.Float64("intervalSeconds", plan.Interval.Seconds()), slog.Float64("expectedSeconds", plan.Expected().Seconds()),
		slog.Float64("latestSeconds", plan.Latest().Seconds()), slog.Int64("limit", plan.CrashLimit))
	if warning := plan.UnreachableLimit(); warning != "" {
		l.Warn(warning)
	}
}

// Observe logs an event of the run.
func (l *Log) Observe(event runner.Event) {
	switch e := event.(type) {
	case runner.Checked:
		l.checked(e)
	case runner.CheckFailed:
		l.checkFailed(e)
	}
}

func (l *Log) checked(e runner.Checked) {
	if e.Failures > 0 {
		l.fault = ""
		l.say(slog.LevelInfo, fmt.Sprintf("checks succeed again after %s in a row; unobserved for %s", count(int(e.Failures), "failed attempt"), short(e.Unobserved)),
			slog.Int64("failures", e.Failures), slog.Float64("unobservedSeconds", seconds(e.Unobserved)))
	}
	l.pods(e)
	l.newCrashes(e.Tally)
	l.newBlocked(e.Tally.Blocked)
	if l.debug {
		l.say(slog.LevelDebug, fmt.Sprintf("check %d: %s, crashes %d/%d, %d not Ready, %d cannot start; took %s", e.Number,
			count(e.Tally.Pods, "pod"), e.Tally.Crashes, l.limit, len(e.Tally.NotReady), len(e.Tally.Blocked), e.Took.Round(time.Millisecond)),
			slog.Int64("check", e.Number), slog.Int("pods", e.Tally.Pods), slog.Int64("crashes", e.Tally.Crashes),
			slog.Int("notReady", len(e.Tally.NotReady)), slog.Float64("tookSeconds", seconds(e.Took)), slog.Bool("closing", e.Closing))
	}
}

func (l *Log) pods(e runner.Checked) {
	t := e.Tally
	if e.Number == 1 && t.Pods == 0 {
		l.say(slog.LevelWarn, "no pod matches yet", slog.Int("pods", 0))
		return
	}
	if n := len(t.Appeared); n > 0 {
		l.say(slog.LevelInfo, fmt.Sprintf("%s appeared: %s", count(n, "pod"), names(t.Appeared)), slog.Any("appeared", t.Appeared[:min(n, mostLines)]), slog.Int("pods", t.Pods))
	}
	if n := len(t.Gone); n > 0 {
		l.say(slog.LevelInfo, fmt.Sprintf("%s gone (crashes stay counted): %s", count(n, "pod"), names(t.Gone)), slog.Any("gone", t.Gone[:min(n, mostLines)]), slog.Int("pods", t.Pods))
	}
}

func (l *Log) newCrashes(t checker.Tally) {
	for i, c := range t.New {
		if i == mostLines {
			l.say(slog.LevelWarn, fmt.Sprintf("crashes %d/%d: %s more crashed", t.Crashes, l.limit, count(len(t.New)-i, "container")))
			break
		}
		l.crashes += c.New
		facts := []slog.Attr{
			slog.String("pod", c.Pod), slog.String("container", c.Container), slog.String("kind", string(c.Kind)),
			slog.Int64("crashes", l.crashes), slog.Int64("limit", l.limit), slog.Int64("containerCrashes", c.Crashes),
		}
		which, ended := "crash", "ended with"
		if c.New > 1 {
			which, ended = "crashes", "ended "+count(int(c.New), "time")+", at last with"
		}
		text := fmt.Sprintf("%s %d/%d: %s/%s %s %s%s", which, l.crashes, l.limit, c.Pod, c.Container, ended, c.End, hint(c.End))
		if c.End != nil {
			facts = append(facts, slog.Int("exitCode", int(c.End.ExitCode)), slog.String("reason", c.End.Reason))
			if message := strings.TrimSpace(c.End.Message); message != "" {
				text += "; its last words: " + lastLine(message)
				facts = append(facts, slog.String("message", message))
			}
		}
		l.say(slog.LevelWarn, text, facts...)
	}
	l.crashes = t.Crashes
}

// lastLine returns the last line of a message: a crash mostly says there what it died of.
func lastLine(message string) string {
	lines := strings.FieldsFunc(message, func(r rune) bool { return r == '\n' || r == '\r' })
	if len(lines) == 0 {
		return ""
	}
	return cut(lines[len(lines)-1], 200)
}

func (l *Log) newBlocked(blocked []checker.Blocked) {
	said := 0
	for _, b := range blocked {
		key := b.Pod + "/" + b.Container + "/" + b.Reason
		if l.blocked[key] {
			continue
		}
		l.blocked[key] = true
		if said++; said > mostLines {
			continue
		}
		l.say(slog.LevelWarn, b.String(), slog.String("pod", b.Pod), slog.String("container", b.Container), slog.String("reason", b.Reason), slog.String("message", b.Message))
	}
	if said > mostLines {
		l.say(slog.LevelWarn, fmt.Sprintf("and %d more cannot start", said-mostLines))
	}
}

// checkFailed logs a fault once, until it changes or a check succeeds.
func (l *Log) checkFailed(e runner.CheckFailed) {
	fault := withoutDigits(e.Err.Error())
	facts := []slog.Attr{
		slog.String("error", Escape(e.Err.Error())), slog.Int64("failures", e.Failures),
		slog.Float64("retrySeconds", seconds(e.RetryIn)), slog.Float64("giveUpSeconds", seconds(e.GiveUpIn)),
	}
	switch {
	case e.Final:
	case fault != l.fault:
		l.say(slog.LevelWarn, fmt.Sprintf("check failed, trying again for %s: %v", short(e.GiveUpIn), e.Err), facts...)
	default:
		l.say(slog.LevelDebug, fmt.Sprintf("check failed again (%d times in a row), next attempt in %s: %v", e.Failures, short(e.RetryIn), e.Err), facts...)
	}
	l.fault = fault
}

// withoutDigits makes errors comparable that differ in a port or a size.
func withoutDigits(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return -1
		}
		return r
	}, text)
}

// LastWords is the end of the log of a crashed container.
type LastWords struct {
	Pod, Container string
	Log            []byte
}

// LastWords logs the last lines of a crashed container's own log, each behind a bar.
func (l *Log) LastWords(words LastWords) {
	text := strings.TrimRight(string(words.Log), "\n")
	if l.json {
		l.say(slog.LevelInfo, fmt.Sprintf("last log lines of %s/%s", words.Pod, words.Container),
			slog.String("pod", words.Pod), slog.String("container", words.Container), slog.String("log", text))
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "last log lines of %s:\n", Escape(words.Pod+"/"+words.Container))
	for line := range strings.SplitSeq(text, "\n") {
		b.WriteString("  | " + Escape(strings.ReplaceAll(strings.TrimSuffix(line, "\r"), "\t", "    ")) + "\n")
	}
	_, _ = io.WriteString(l.out, b.String())
}

// mostRows is the number of containers in the closing table: with the verdict, it fits in ten lines.
const mostRows = 5

// Close logs the summary of the run. The verdict is its last line.
func (l *Log) Close(r Result) {
	level := slog.LevelError
	if r.Verdict == runner.Pass {
		level = slog.LevelInfo
	}
	if !l.json && len(r.Containers) > 0 {
		_, _ = io.WriteString(l.out, table(r.Containers))
	}
	if r.Verdict != runner.Invalid {
		failed := ""
		if r.FailedChecks > 0 {
			failed = fmt.Sprintf(" and %s", count(int(r.FailedChecks), "failed attempt"))
		}
		l.say(slog.LevelInfo, fmt.Sprintf("%s%s in %s; %s seen; longest time unobserved %s",
			count(int(r.Checks), "check"), failed, short(r.Elapsed), count(r.Pods, "pod"), short(r.LongestGap)))
	}
	if advice := advice(r); advice != "" {
		l.say(slog.LevelInfo, advice)
	}
	facts := []slog.Attr{slog.String("verdict", string(r.Verdict)), slog.Int64("crashes", r.Crashes), slog.Int64("limit", r.Limit), slog.Int("exitCode", Code(r.Outcome))}
	l.say(level, verdictSentence(r), facts...)
}

// advice names the command that shows more.
func advice(r Result) string {
	switch {
	case r.Verdict == runner.Fail && len(r.Containers) > 0:
		c := r.Containers[0]
		return fmt.Sprintf("to see its last words: kubectl -n %s logs %s -c %s --previous", r.Namespace, c.Pod, c.Container)
	case r.Verdict == runner.NotReady && len(r.Blocked) > 0:
		return fmt.Sprintf("to see why: kubectl -n %s describe pod %s", r.Namespace, r.Blocked[0].Pod)
	}
	return ""
}

// table lists the worst containers.
func table(crashed []checker.ContainerCrashes) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CRASHES\tPOD\tCONTAINER\tKIND\tEXIT CODE\tREASON\tLAST END")
	for _, c := range crashed[:min(len(crashed), mostRows)] {
		exitCode, reason, finished := "?", "?", "?"
		if c.End != nil {
			exitCode, reason = fmt.Sprint(c.End.ExitCode), c.End.Reason
			if !c.End.FinishedAt.IsZero() {
				finished = c.End.FinishedAt.Format(time.RFC3339)
			}
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", c.Crashes, Escape(c.Pod), Escape(c.Container), c.Kind, exitCode, Escape(reason), finished)
	}
	_ = w.Flush() // to memory
	if more := len(crashed) - mostRows; more > 0 {
		fmt.Fprintf(&b, "and %s more\n", count(more, "container"))
	}
	return b.String()
}
