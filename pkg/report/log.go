package report

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/lmittmann/tint"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/pkg/runner"
)

// LogOptions say how a [Log] looks.
type LogOptions struct {
	JSON     bool // records of slog's JSON, instead of lines for people
	Debug    bool // a line for each check
	Terminal bool // somebody is watching: times without their date
	Color    bool
}

// Log is the log of a run, for people: each thing that happens is one sentence. As JSON, the sentence is the msg, and
// the facts stand beside it under keys of their own, see the package's documentation.
type Log struct {
	logger *slog.Logger
	out    io.Writer
	json   bool
	debug  bool

	// What has been said already is not said again.
	limit    int64
	interval time.Duration
	crashes  int64
	blocked  map[string]bool
	faults   map[string]bool // said in this streak, without digits
	anyFault bool
	faultAt  time.Duration // when a fault was last said, since the start of the run
	last     runner.Event
	notReady []string // at the last check that succeeded
	nobody   bool     // no pod was left then
	words    bool     // last words were said
	timeline timeline
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
		timeFormat := "2006-01-02T15:04:05Z07:00"
		if opts.Terminal {
			timeFormat = time.TimeOnly
		}
		handler = tint.NewTextHandler(w, &tint.Options{
			Level: level, TimeFormat: timeFormat, NoColor: !opts.Color,
			// The sentence says it all: its facts are for the JSON.
			ReplaceAttr: func(groups []string, attr slog.Attr) slog.Attr {
				if len(groups) > 0 || attr.Key != slog.TimeKey && attr.Key != slog.LevelKey && attr.Key != slog.MessageKey {
					return slog.Attr{}
				}
				if attr.Key == slog.LevelKey && attr.Value.Any() == slog.LevelInfo {
					return slog.String(slog.LevelKey, "INF") // without color: that is for what is not as it should be
				}
				return attr
			},
		})
	}
	return &Log{logger: slog.New(handler), out: w, json: opts.JSON, debug: opts.Debug, blocked: map[string]bool{}, faults: map[string]bool{}}
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

// say logs a sentence, what it tells of, and its facts. Every sentence goes through here, so that none can be forged.
func (l *Log) say(level slog.Level, event, sentence string, facts ...slog.Attr) {
	l.logger.LogAttrs(context.Background(), level, Escape(sentence), append([]slog.Attr{slog.String("event", event)}, facts...)...)
}

// Warn logs a warning.
func (l *Log) Warn(sentence string) { l.say(slog.LevelWarn, "warning", sentence) }

// Info logs what is good to know.
func (l *Log) Info(sentence string) { l.say(slog.LevelInfo, "info", sentence) }

// Debug logs what only helps to find faults in crashcheck's own setting.
func (l *Log) Debug(sentence string) { l.say(slog.LevelDebug, "debug", sentence) }

// LostLines returns the line that stands in the log of this format for lines that were lost.
func LostLines(asJSON bool) func(lost int) []byte {
	return func(lost int) []byte {
		sentence := fmt.Sprintf("%s lost here: the log was not read in time", were(count(lost, "line"), lost))
		if !asJSON {
			return []byte("(" + sentence + ")\n")
		}
		var b bytes.Buffer
		NewLog(&b, LogOptions{JSON: true}).say(slog.LevelWarn, "linesLost", sentence, slog.Int("lines", lost))
		return b.Bytes()
	}
}

// Start logs what is checked, how, and till when.
func (l *Log) Start(version string, plan runner.Plan, namespace, selector string) {
	l.limit, l.interval = plan.CrashLimit, plan.Interval
	now := time.Now()
	at := func(d time.Duration) string {
		if d >= 24*time.Hour {
			return now.Add(d).Format("2006-01-02 15:04")
		}
		return now.Add(d).Format("15:04:05")
	}
	how := fmt.Sprintf("every %s for %s", exact(plan.Interval), exact(plan.Duration))
	if plan.Count > 0 {
		how = fmt.Sprintf("%s, one every %s", count(plan.Count, "time"), exact(plan.Interval))
	}
	if plan.Count == 1 {
		how = "once"
	}
	if plan.Count > 0 && plan.MaxDuration > 0 {
		how += fmt.Sprintf(", for at most %s", exact(plan.MaxDuration))
	}
	l.say(slog.LevelInfo, "start", fmt.Sprintf("crashcheck %s, a release gate: %s of the pods with %s in namespace %s, all pods together, will fail this release",
		version, crashes(plan.CrashLimit), selector, namespace),
		slog.String("version", version), slog.String("namespace", namespace), slog.String("selector", selector),
		slog.Float64("intervalSeconds", plan.Interval.Seconds()), slog.Float64("expectedSeconds", plan.Expected().Seconds()),
		slog.Float64("latestSeconds", plan.Latest().Seconds()), slog.Int64("limit", plan.CrashLimit))
	l.Info(fmt.Sprintf("it checks %s, until %s (%s at the latest, if the API server does not answer)", how, at(plan.Expected()), at(plan.Latest())))
	if warning := plan.UnreachableLimit(); warning != "" {
		l.Warn(warning)
	}
}

// Observe logs an event of the run.
func (l *Log) Observe(event runner.Event) {
	l.last = event
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
		level := slog.LevelInfo
		if len(l.faults) == 0 {
			level = slog.LevelDebug // nothing was said of this streak
		}
		clear(l.faults)
		l.say(level, "checksRecovered", fmt.Sprintf("checks succeed again, after %s; the pods were not observed for %s",
			count(e.Failures, "failed attempt"), short(e.Unobserved)),
			slog.Int64("failures", e.Failures), slog.Float64("unobservedSeconds", seconds(e.Unobserved)))
	}
	l.notReady, l.nobody = e.Tally.NotReady, e.Tally.Judged == 0
	l.pods(e)
	l.newCrashes(e)
	l.newBlocked(e.Tally.Blocked)
	if l.debug {
		l.say(slog.LevelDebug, "check", fmt.Sprintf("check %d: %s, crashes %d/%d, %d not Ready, %d cannot start; took %s", e.Number,
			count(e.Tally.Pods, "pod"), e.Tally.Crashes, l.limit, len(e.Tally.NotReady), len(e.Tally.Blocked), e.Took.Round(time.Millisecond)),
			slog.Int64("check", e.Number), slog.Int("pods", e.Tally.Pods), slog.Int64("crashes", e.Tally.Crashes),
			slog.Int("notReady", len(e.Tally.NotReady)), slog.Float64("tookSeconds", seconds(e.Took)), slog.Bool("closing", e.Closing))
	}
}

func (l *Log) pods(e runner.Checked) {
	t := e.Tally
	if e.Number == 1 && t.Pods == 0 {
		l.say(slog.LevelWarn, "noPods", "no pod matches yet", slog.Int("pods", 0))
		return
	}
	if n := len(t.Appeared); n > 0 {
		appeared := count(n, "pod") + " appeared"
		if e.Number == 1 {
			appeared = count(n, "pod") + " found" // they may have been there for long
		}
		l.say(slog.LevelInfo, "podsAppeared", fmt.Sprintf("%s: %s", appeared, names(t.Appeared)), slog.Any("appeared", t.Appeared[:min(n, mostLines)]), slog.Int("pods", t.Pods))
	}
	if n := len(t.Gone); n > 0 {
		whose := "their"
		if n == 1 {
			whose = "its"
		}
		l.say(slog.LevelInfo, "podsGone", fmt.Sprintf("%s gone (%s crashes stay counted): %s", count(n, "pod"), whose, names(t.Gone)), slog.Any("gone", t.Gone[:min(n, mostLines)]), slog.Int("pods", t.Pods))
	}
}

func (l *Log) newCrashes(e runner.Checked) {
	t := e.Tally
	for i, c := range t.New {
		if i == mostLines {
			l.say(slog.LevelWarn, "moreCrashes", fmt.Sprintf("crashes %d/%d: %s crashed too", t.Crashes, l.limit, count(len(t.New)-i, "more container")),
				slog.Int64("crashes", t.Crashes), slog.Int64("limit", l.limit), slog.Int("containers", len(t.New)-i))
			break
		}
		l.crashes += c.New
		which := "crash"
		if c.New > 1 {
			which = "crashes"
		}
		text := fmt.Sprintf("%s %d/%d: %s/%s%s %s %s%s", which, l.crashes, l.limit, c.Pod, c.Container, c.Kind.Suffix(), ended(c.New, e.Number == 1 && e.Failures == 0), c.End, hint(c.Kind, c.End))
		facts := append([]slog.Attr{slog.Int64("crashes", l.crashes), slog.Int64("limit", l.limit)},
			containerFacts(c.Pod, c.Container, c.Kind, c.Crashes, c.End)...)
		if c.End != nil && gist(c.End.Message) != "" {
			text += "; its last words: " + gist(c.End.Message)
		}
		l.say(slog.LevelWarn, "crash", text, facts...)
	}
	l.crashes = t.Crashes
}

// ended says how often a container ended; what the very first check finds has happened before.
func ended(times int64, before bool) string {
	text := "ended"
	if before {
		text = "had ended"
	}
	if times > 1 {
		text += " " + count(times, "time")
	}
	if before {
		text += " before this run"
	}
	if times > 1 {
		text += ", the last time"
	}
	return text + " with"
}

// containerFacts are those of a crashed container. What is unknown is left out.
func containerFacts(pod, container string, kind checker.Kind, crashes int64, end *checker.End) []slog.Attr {
	facts := []slog.Attr{
		slog.String("pod", pod), slog.String("container", container), slog.String("kind", string(kind)), slog.Int64("containerCrashes", crashes),
	}
	if end == nil {
		return facts
	}
	facts = append(facts, slog.Int("exitCode", int(end.ExitCode)))
	if end.Signal != 0 {
		facts = append(facts, slog.Int("signal", int(end.Signal)))
	}
	if end.Reason != "" {
		facts = append(facts, slog.String("reason", end.Reason))
	}
	if message := strings.TrimSpace(end.Message); message != "" {
		facts = append(facts, slog.String("message", message))
	}
	if !end.FinishedAt.IsZero() {
		facts = append(facts, slog.Time("finishedAt", end.FinishedAt))
	}
	return facts
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
		l.say(slog.LevelWarn, "cannotStart", b.String(), slog.String("pod", b.Pod), slog.String("container", b.Container), slog.String("reason", b.Reason), slog.String("message", b.Message))
	}
	if more := said - mostLines; more > 0 {
		l.say(slog.LevelWarn, "moreCannotStart", fmt.Sprintf("%s cannot start either", count(more, "more container")), slog.Int("containers", more))
	}
}

// faultEvery is the shortest time between two warnings of faults: some have another text each time (a request's ID),
// and some come and go many times a second.
const faultEvery = 5 * time.Second

// checkFailed logs a fault once in a streak, and not too often. That of the last attempt is part of the verdict.
func (l *Log) checkFailed(e runner.CheckFailed) {
	fault := withoutDigits(e.Err.Error())
	facts := []slog.Attr{
		slog.String("error", e.Err.Error()), slog.Int64("failures", e.Failures),
		slog.Float64("retrySeconds", seconds(e.RetryIn)), slog.Float64("giveUpSeconds", seconds(e.GiveUpIn)),
	}
	switch {
	case e.Final:
	case l.faults[fault], l.anyFault && e.Elapsed-l.faultAt < faultEvery:
		l.say(slog.LevelDebug, "checkFailed", fmt.Sprintf("the check failed again (%s in a row), next attempt in %s: %v", count(e.Failures, "failure"), short(e.RetryIn), e.Err), facts...)
	default:
		l.faults[fault], l.anyFault, l.faultAt = true, true, e.Elapsed
		again := fmt.Sprintf("is tried again for %s before the run gives up", short(e.GiveUpIn))
		if e.GiveUpIn <= 0 {
			again = "is tried one last time, since API_GRACE is over"
		}
		l.say(slog.LevelWarn, "checkFailed", fmt.Sprintf("the check failed and %s: %v", again, e.Err), facts...)
	}
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

// longestLogLine is how much of one line of a container's log is shown, in bytes.
const longestLogLine = 1000

// LastWords logs the last lines of a crashed container's own log, each behind a bar.
func (l *Log) LastWords(words LastWords) {
	l.words = true
	text := strings.TrimRight(string(words.Log), "\r\n")
	heading := fmt.Sprintf("last log lines of %s/%s:", words.Pod, words.Container)
	if l.json {
		l.say(slog.LevelInfo, "lastWords", heading, slog.String("pod", words.Pod), slog.String("container", words.Container), slog.String("log", text))
		return
	}
	var b strings.Builder
	b.WriteString(Escape(heading) + "\n")
	for line := range strings.SplitSeq(text, "\n") {
		b.WriteString("  | " + cut(Escape(strings.ReplaceAll(strings.TrimSuffix(line, "\r"), "\t", "    ")), longestLogLine) + "\n")
	}
	_, _ = io.WriteString(l.out, b.String())
}

// Close logs the summary of the run. The verdict is its last line.
func (l *Log) Close(r Result) {
	if len(r.Faults) > 1 {
		for _, fault := range r.Faults {
			l.say(slog.LevelError, "fault", fault)
		}
	}
	if r.Verdict != runner.Invalid {
		l.culprits(r.Containers, mostRows-max(len(l.advice(r))-1, 0))
		if line := l.timeline.draw(r.Elapsed); line != "" && !l.json {
			_, _ = io.WriteString(l.out, line+"\n")
		}
		l.summary(r)
	}
	for _, advice := range l.advice(r) {
		l.say(slog.LevelInfo, "advice", advice)
	}
	level := slog.LevelError
	switch {
	case r.Verdict == runner.Pass && (len(l.notReady) > 0 || l.nobody):
		level = slog.LevelWarn
	case r.Verdict == runner.Pass:
		level = slog.LevelInfo
	}
	l.say(level, "verdict", fmt.Sprintf("%s (exit code %d): %s", verdictWord(r), Code(r.Outcome), reasonSentence(r)), slog.String("verdict", string(r.Verdict)), slog.Int("exitCode", Code(r.Outcome)),
		slog.Int64("crashes", r.Crashes), slog.Int64("limit", r.Limit))
}

// culprits lists the containers that crashed most.
func (l *Log) culprits(crashed []checker.ContainerCrashes, rows int) {
	if !l.json {
		if len(crashed) > 0 {
			_, _ = io.WriteString(l.out, table(crashed, rows))
		}
		return
	}
	for _, c := range crashed[:min(len(crashed), mostContainers)] {
		l.say(slog.LevelInfo, "crashedContainer", fmt.Sprintf("%s/%s: %s, the last one with %s", c.Pod, c.Container, crashes(c.Crashes), c.End),
			containerFacts(c.Pod, c.Container, c.Kind, c.Crashes, c.End)...)
	}
}

// summary says how well the pods were observed.
func (l *Log) summary(r Result) {
	failed := ""
	if r.FailedChecks > 0 {
		failed = fmt.Sprintf(" and %s", count(r.FailedChecks, "failed attempt"))
	}
	gap := ""
	if r.LongestGap > 2*l.interval { // less is as it should be
		gap = "; the longest time without a successful check was " + short(r.LongestGap)
	}
	l.say(slog.LevelInfo, "summary", fmt.Sprintf("%s%s in %s, %s seen%s", count(r.Checks, "check"), failed, short(r.Elapsed), count(r.Pods, "pod"), gap),
		slog.Int64("checks", r.Checks), slog.Int64("failedChecks", r.FailedChecks), slog.Int("pods", r.Pods),
		slog.Float64("elapsedSeconds", seconds(r.Elapsed)), slog.Float64("longestGapSeconds", seconds(r.LongestGap)))
}

// advice names what shows more, and what to do where the verdict does not say it.
func (l *Log) advice(r Result) []string {
	_, observed := l.last.(runner.Checked)
	const noVerdict = "this is no verdict on the release: do not promote it on this"
	switch {
	case r.Verdict == runner.Fail && len(r.Containers) > 0:
		return l.adviceOnCrashes(r)
	case r.Verdict == runner.NotReady && len(l.notReady) > 0:
		return []string{fmt.Sprintf("to see why it is not Ready: kubectl -n %s describe pod %s", r.Namespace, l.notReady[0])}
	case r.Verdict == runner.Inconclusive && observed:
		return []string{fmt.Sprintf("to see which pods there are, and their labels: kubectl -n %s get pods --show-labels", r.Namespace)}
	case r.Verdict == runner.Inconclusive:
		return []string{fmt.Sprintf("%s; when what the reason names is mended, and kubectl -n %s get pods answers, run the gate again", noVerdict, r.Namespace)}
	case r.Verdict == runner.Interrupted && r.Signal == syscall.SIGTERM:
		return []string{noVerdict + "; SIGTERM comes with a deleted Job (a cancelled analysis, say), a deadline of the Job, or a node that is drained"}
	case r.Verdict == runner.Interrupted:
		return []string{noVerdict}
	}
	return nil
}

func (l *Log) adviceOnCrashes(r Result) (advice []string) {
	sidecars := map[string]bool{}
	for _, c := range r.Containers {
		if c.Kind != checker.Sidecar {
			clear(sidecars)
			break
		}
		sidecars[c.Container] = true
	}
	if len(sidecars) > 0 {
		advice = append(advice, fmt.Sprintf("of the containers that count, only sidecars crashed; if they are not part of the release, add %s to IGNORE_CONTAINERS",
			strings.Join(slices.Sorted(maps.Keys(sidecars)), ",")))
	}
	switch c := r.Containers[0]; {
	case c.End != nil && c.End.Reason == "OOMKilled": // a SIGKILL leaves no words
		advice = append(advice, fmt.Sprintf("to see the memory limit of the worst one, while its pod exists: kubectl -n %s describe pod %s", r.Namespace, c.Pod))
	case !l.words:
		advice = append(advice, fmt.Sprintf("to read what the worst one logged, while its pod exists: kubectl -n %s logs %s -c %s --previous "+
			"(a rollback deletes it; CRASH_LOG_LINES=20 would keep its last lines here)", r.Namespace, c.Pod, c.Container))
	}
	return advice
}

const (
	// mostRows is the number of containers in the closing table: with the timeline, the summary, a line of advice and the
	// verdict, it fits in ten lines. More advice takes their place.
	mostRows = 4
	// longestReason is in bytes.
	longestReason = 24
)

// table lists the worst containers. What can be long stands last.
func table(crashed []checker.ContainerCrashes, rows int) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CRASHES\tEXIT CODE\tREASON\tKIND\tLAST CRASH\tPOD/CONTAINER")
	for _, c := range crashed[:min(len(crashed), rows)] {
		exitCode, reason, finished := "?", "?", "?"
		if c.End != nil {
			exitCode = fmt.Sprint(c.End.ExitCode)
			reason = cut(Escape(cmp.Or(c.End.Reason, "?")), longestReason)
			finished = clock(c.End.FinishedAt)
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", c.Crashes, exitCode, reason, c.Kind, finished, Escape(c.Pod+"/"+c.Container))
	}
	_ = w.Flush() // to memory
	if more := len(crashed) - rows; more > 0 {
		fmt.Fprintf(&b, "and %s\n", count(more, "more container"))
	}
	return b.String()
}

// clock is the time of day, in the zone of the log's own times; of times long gone it is the date.
func clock(at time.Time) string {
	switch {
	case at.IsZero():
		return "?"
	case time.Since(at) > 12*time.Hour:
		return at.Local().Format(time.DateOnly)
	}
	return at.Local().Format(time.TimeOnly)
}
