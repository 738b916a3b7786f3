package report_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/pkg/report"
	"github.com/crashcheck/crashcheck/pkg/runner"
)

// tell gives a log one line of each kind.
func tell(log *report.Log) {
	log.Start("v1.2.3", planned(fiveMinutes))
	check := func(number int64, at time.Duration, tally checker.Tally) runner.Checked {
		return runner.Checked{Number: number, Elapsed: at, Took: 12 * time.Millisecond, Tally: tally}
	}
	log.Observe(check(1, 0, checker.Tally{}))
	cannotStart := []checker.CannotStart{{Pod: "web-6fd8d747-pqrst", Container: "app", Reason: "ImagePullBackOff", Message: `Back-off pulling image "web:2"`}}
	log.Observe(check(2, 5*time.Second, checker.Tally{
		Pods: 3, Ran: 2, Appeared: []string{oom.Pod, panicked.Pod, cannotStart[0].Pod}, NotReady: []string{cannotStart[0].Pod}, CannotStart: cannotStart,
	}))
	cannotStart = []checker.CannotStart{{Pod: "web-6fd8d747-pqrst", Container: "app", Reason: "ImagePullBackOff", Message: "the same, in other words"}}
	log.Observe(check(3, 10*time.Second, checker.Tally{
		Pods: 3, Ran: 2, Crashes: 1, CannotStart: cannotStart,
		New:        []checker.Crash{{Pod: oom.Pod, Container: "app", Kind: checker.Main, New: 1, Crashes: 1, Termination: oom.Termination}},
		Unreported: []checker.UnreportedPod{{Pod: panicked.Pod, Node: "node-1"}},
	}))
	log.Observe(runner.CheckFailed{Err: errRefused, Failures: 1, Elapsed: 15 * time.Second, RetryIn: 500 * time.Millisecond, GiveUpIn: time.Minute})
	log.Observe(runner.CheckFailed{Err: errRefused, Failures: 2, Elapsed: 16 * time.Second, RetryIn: time.Second, GiveUpIn: 59 * time.Second})
	recovered := check(4, 20*time.Second, checker.Tally{
		Pods: 2, Ran: 2, Crashes: 5, Gone: []string{"web-6fd8d747-pqrst"},
		Failed: []checker.PodFailure{{Pod: "web-6fd8d747-zzzzz", Reason: "NodeShutdown", Message: "Pod was terminated in response to imminent node shutdown."}},
		New: []checker.Crash{
			{Pod: oom.Pod, Container: "app", Kind: checker.Main, New: 2, Crashes: 3, Termination: oom.Termination},
			{Pod: panicked.Pod, Container: "proxy", Kind: checker.Sidecar, New: 1, Crashes: 1, Termination: panicked.Termination},
			{Pod: evicted.Pod, Kind: checker.Pod, New: 1, Crashes: 1, Termination: evicted.Termination},
		},
	})
	recovered.Failures, recovered.Unobserved = 2, 10*time.Second
	log.Observe(recovered)
	log.Warn("a warning")
	log.LogLines(oom.Pod, "app", []byte("loading\tall orders\r\n\x1b[31mallocating\x1b[0m\n"))
	r := result(runner.Fail, "", oom, panicked, evicted)
	r.Checks, r.FailedChecks, r.Elapsed, r.LongestGap = 4, 2, 20*time.Second, 10001*time.Millisecond
	log.Close(r)
}

func TestTextLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := record(report.LogOptions{Debug: true}, tell)
		want := strings.ReplaceAll(`AT INF crashcheck v1.2.3: watching pods with pod-template-hash=6fd8d747 in namespace shop
AT INF checking every 5s until 00:05:00; fails at 5 crashes
AT WRN no pods match yet
AT DBG check 1: no pods (0 have run), 0/5 crashes, 0 not Ready, 0 cannot start, took 12ms
AT INF 3 new pods: web-6fd8d747-abcde, web-6fd8d747-fghij, web-6fd8d747-pqrst
AT WRN web-6fd8d747-pqrst/app cannot start: ImagePullBackOff: Back-off pulling image "web:2"
AT DBG check 2: 3 pods (2 have run), 0/5 crashes, 1 not Ready, 1 cannot start, took 12ms
AT WRN pod web-6fd8d747-fghij is not observed: node node-1 has stopped reporting
AT WRN crash 1/5: web-6fd8d747-abcde/app: exit code 137, signal 9 (OOMKilled): exceeded its memory limit, or the node ran out of memory
AT DBG check 3: 3 pods (2 have run), 1/5 crashes, 0 not Ready, 1 cannot start, took 12ms
AT WRN check failed, retrying for up to 1m: list pods with pod-template-hash=6fd8d747: connect to 10.0.0.1:443: connection refused
AT DBG check failed, retrying for up to 59s: list pods with pod-template-hash=6fd8d747: connect to 10.0.0.1:443: connection refused
AT INF checks succeed again after 2 failures; pods were not observed for 10s
AT INF 1 pod gone (its crashes still count): web-6fd8d747-pqrst
AT WRN pod web-6fd8d747-zzzzz failed: NodeShutdown: Pod was terminated in response to imminent node shutdown (not counted as a crash)
AT WRN crashes 3/5: web-6fd8d747-abcde/app: 2 crashes, last: exit code 137, signal 9 (OOMKilled): exceeded its memory limit, or the node ran out of memory
AT WRN crash 4/5: web-6fd8d747-fghij/proxy (sidecar): exit code 2: panic: no such table: orders
AT WRN crash 5/5: pod web-6fd8d747-klmno: Evicted: Usage of EmptyDir volume "data" exceeds the limit "1Mi".
AT DBG check 4: 2 pods (2 have run), 5/5 crashes, 0 not Ready, 0 cannot start, took 12ms
AT WRN a warning
last log lines of web-6fd8d747-abcde/app:
  | loading    all orders
  | \x1b[31mallocating\x1b[0m
CRASHES  KIND     LAST CRASH  POD/CONTAINER             LAST TERMINATION
3        main     23:59:58    web-6fd8d747-abcde/app    exit code 137, signal 9 (OOMKilled): exceeded its memory …
1        sidecar  23:59:58    web-6fd8d747-fghij/proxy  exit code 2: panic: no such table: orders
1        pod      -           web-6fd8d747-klmno        Evicted: Usage of EmptyDir volume "data" exceeds the limi…
timeline: ..........1?????????4 (1s per character; digit or +: crashes, ?: not observed)
AT INF 4 checks in 20s, 3 pods seen, 2 failed attempts; longest time without a successful check: 10s
AT INF limits: kubectl -n shop describe pod web-6fd8d747-abcde
AT ERR FAIL (exit code 1): 5 crashes in 3 of 3 pods, limit 5; worst: web-6fd8d747-abcde/app (3 crashes, exit code 137, signal 9 (OOMKilled))
`, "AT ", "2000-01-01T00:00:00Z ")
		if got != want {
			t.Errorf("got:\n%s\nwant:\n%s", got, want)
		}
		withoutDebug := regexp.MustCompile(`(?m)^\S+ DBG .*\n`).ReplaceAllString(want, "")
		if got := record(report.LogOptions{}, tell); got != withoutDebug {
			t.Errorf("without DEBUG:\n%s\nwant:\n%s", got, withoutDebug)
		}
	})
}

func TestColorsAreTheOnlyDifference(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plain, colored := record(report.LogOptions{}, tell), record(report.LogOptions{Color: true}, tell)
		if strings.Contains(plain, "\x1b") {
			t.Errorf("control sequences without a terminal: %q", plain)
		}
		if !strings.Contains(colored, "\x1b[91mERR\x1b[0m") {
			t.Errorf("no colors: %q", colored)
		}
		if got := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(colored, ""); got != plain {
			t.Errorf("without the colors:\n%s\nwant:\n%s", got, plain)
		}
	})
}

func TestJSONLogHasTheSameSentencesAndTheFacts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		for line := range strings.Lines(record(report.LogOptions{JSON: true, Debug: true}, tell)) {
			fields := parseRecord(t, line)
			if fields["time"] != "2000-01-01T00:00:00Z" || fields["msg"] == "" {
				t.Errorf("time or msg is missing: %s", line)
			}
			delete(fields, "time")
			delete(fields, "msg")
			text, err := json.Marshal(fields) // sorted by key
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(text))
		}
		const (
			crashedOOM   = `"crashed":{"container":"app","crashes":%d,"exitCode":137,"finishedAt":"1999-12-31T23:59:58Z","kind":"main","message":null,"pod":"web-6fd8d747-abcde","reason":"OOMKilled","signal":9}`
			crashedPanic = `"crashed":{"container":"proxy","crashes":1,"exitCode":2,"finishedAt":"1999-12-31T23:59:58Z","kind":"sidecar","message":"panic: no such table: orders\n\ngoroutine 1 [running]:\nmain.main()","pod":"web-6fd8d747-fghij","reason":"Error","signal":null}`
			crashedPod   = `"crashed":{"container":null,"crashes":1,"exitCode":null,"finishedAt":null,"kind":"pod","message":"Usage of EmptyDir volume \"data\" exceeds the limit \"1Mi\".","pod":"web-6fd8d747-klmno","reason":"Evicted","signal":null}`
			refused      = `"error":"list pods with pod-template-hash=6fd8d747: connect to 10.0.0.1:443: connection refused","event":"checkFailed"`
		)
		want := []string{
			`{"event":"start","expectedSeconds":300,"intervalSeconds":5,"latestSeconds":370,"level":"INFO","limit":5,"namespace":"shop","selector":"pod-template-hash=6fd8d747","version":"v1.2.3","workload":null}`,
			`{"event":"info","level":"INFO"}`,
			`{"event":"noPods","level":"WARN"}`,
			`{"cannotStart":0,"check":1,"crashes":0,"event":"check","final":false,"level":"DEBUG","notReady":0,"pods":0,"ran":0,"tookSeconds":0.012}`,
			`{"event":"podsAppeared","level":"INFO","names":["web-6fd8d747-abcde","web-6fd8d747-fghij","web-6fd8d747-pqrst"],"pods":3}`,
			`{"container":"app","event":"cannotStart","level":"WARN","message":"Back-off pulling image \"web:2\"","pod":"web-6fd8d747-pqrst","reason":"ImagePullBackOff"}`,
			`{"cannotStart":1,"check":2,"crashes":0,"event":"check","final":false,"level":"DEBUG","notReady":1,"pods":3,"ran":2,"tookSeconds":0.012}`,
			`{"event":"notObserved","level":"WARN","node":"node-1","pod":"web-6fd8d747-fghij"}`,
			`{` + fmt.Sprintf(crashedOOM, 1) + `,"crashes":1,"event":"crash","level":"WARN","limit":5}`,
			`{"cannotStart":1,"check":3,"crashes":1,"event":"check","final":false,"level":"DEBUG","notReady":0,"pods":3,"ran":2,"tookSeconds":0.012}`,
			`{` + refused + `,"failures":1,"giveUpSeconds":60,"level":"WARN","retrySeconds":0.5}`,
			`{` + refused + `,"failures":2,"giveUpSeconds":59,"level":"DEBUG","retrySeconds":1}`,
			`{"event":"checksRecovered","failures":2,"level":"INFO","unobservedSeconds":10}`,
			`{"event":"podsGone","level":"INFO","names":["web-6fd8d747-pqrst"],"pods":2}`,
			`{"event":"podFailed","level":"WARN","message":"Pod was terminated in response to imminent node shutdown.","pod":"web-6fd8d747-zzzzz","reason":"NodeShutdown"}`,
			`{` + fmt.Sprintf(crashedOOM, 3) + `,"crashes":3,"event":"crash","level":"WARN","limit":5}`,
			`{` + crashedPanic + `,"crashes":4,"event":"crash","level":"WARN","limit":5}`,
			`{` + crashedPod + `,"crashes":5,"event":"crash","level":"WARN","limit":5}`,
			`{"cannotStart":0,"check":4,"crashes":5,"event":"check","final":false,"level":"DEBUG","notReady":0,"pods":2,"ran":2,"tookSeconds":0.012}`,
			`{"event":"warning","level":"WARN"}`,
			`{"container":"app","event":"logLines","level":"INFO","log":"loading\tall orders\r\n\u001b[31mallocating\u001b[0m","pod":"web-6fd8d747-abcde"}`,
			`{` + fmt.Sprintf(crashedOOM, 3) + `,"event":"crashedContainer","level":"INFO"}`,
			`{` + crashedPanic + `,"event":"crashedContainer","level":"INFO"}`,
			`{` + crashedPod + `,"event":"crashedContainer","level":"INFO"}`,
			`{"checks":4,"elapsedSeconds":20,"event":"summary","failedChecks":2,"level":"INFO","longestGapSeconds":10.001,"pods":3}`,
			`{"event":"advice","level":"INFO"}`,
			`{"crashes":5,"event":"verdict","exitCode":1,"level":"ERROR","limit":5,"verdict":"fail"}`,
		}
		for i := range max(len(got), len(want)) {
			switch {
			case i >= len(got):
				t.Errorf("missing: %s", want[i])
			case i >= len(want):
				t.Errorf("too many: %s", got[i])
			case got[i] != want[i]:
				t.Errorf("line %d:\ngot  %s\nwant %s", i+1, got[i], want[i])
			}
		}
	})
}

func TestJSONLogSaysWhatTheTextLogSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sentences []string
		for line := range strings.Lines(record(report.LogOptions{JSON: true}, tell)) {
			if fields := parseRecord(t, line); fields["event"] != "crashedContainer" && fields["event"] != "logLines" {
				sentences = append(sentences, fmt.Sprint(fields["msg"]))
			}
		}
		var want []string
		for _, match := range regexp.MustCompile(`(?m)^\S+ (?:INF|WRN|ERR) (.*)\n`).FindAllStringSubmatch(record(report.LogOptions{}, tell), -1) {
			want = append(want, match[1])
		}
		if !slices.Equal(sentences, want) {
			t.Errorf("got:\n%s\nwant:\n%s", strings.Join(sentences, "\n"), strings.Join(want, "\n"))
		}
	})
}

func parseRecord(t *testing.T, line string) map[string]any {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal([]byte(line), &fields); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return fields
}

func TestJSONKeysAreDocumented(t *testing.T) {
	source, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, doc, _ := strings.Cut(string(source), "# The JSON log")
	documented := map[string]bool{}
	for _, word := range regexp.MustCompile(`[a-zA-Z]+`).FindAllString(doc, -1) {
		documented[word] = true
	}
	seen := map[string]bool{}
	for line := range strings.Lines(record(report.LogOptions{JSON: true, Debug: true}, func(log *report.Log) {
		log.Observe(many(30))
		tell(log)
		log.Info("information")
		log.Debug("details")
		log.Close(invalid("one", "two"))
	})) {
		fields := parseRecord(t, line)
		seen[fmt.Sprint(fields["event"])] = true
		for key := range fields {
			seen[key] = true
		}
	}
	for _, word := range slices.Sorted(maps.Keys(seen)) {
		if !documented[word] {
			t.Errorf("%s is not documented in doc.go", word)
		}
	}
	if len(seen) < 50 {
		t.Errorf("only %d keys and events were seen", len(seen))
	}
}

func TestStart(t *testing.T) {
	for _, test := range []struct {
		claim string
		plan  runner.Plan
		want  string
	}{
		{"DURATION", fiveMinutes, "INF checking every 5s until 00:05:00; fails at 5 crashes\n"},
		{"COUNT", runner.Plan{Interval: 90 * time.Second, Count: 3, CrashLimit: 1}, "INF checking 3 times, every 1m30s until 00:03:00; fails at 1 crash\n"},
		{"COUNT and MAX_DURATION", runner.Plan{Interval: time.Second, Count: 2, MaxDuration: time.Hour, CrashLimit: 2},
			"INF checking 2 times, every 1s until 00:00:01, for at most 1h; fails at 2 crashes\n"},
		{"one check", runner.Plan{Interval: time.Second, Count: 1, CrashLimit: 2}, "INF checking once; fails at 2 crashes\n"},
		{"a long window has a date", runner.Plan{Interval: time.Minute, Duration: 48 * time.Hour, CrashLimit: 1}, "INF checking every 1m until 2000-01-03 00:00; fails at 1 crash\n"},
		{"a limit that one pod can reach", runner.Plan{Interval: time.Second, Duration: 10 * time.Second, CrashLimit: 3}, "INF checking every 1s until 00:00:10; fails at 3 crashes\n"},
		{"a limit that one pod cannot reach", runner.Plan{Interval: time.Second, Duration: 10 * time.Second, CrashLimit: 4}, "INF checking every 1s until 00:00:10; fails at 4 crashes\n" +
			"WRN one crash-looping pod cannot reach CRASH_LIMIT 4: it crashes about 3 times in 10s\n" +
			"WRN this assumes the default back-off; nodes can have a shorter one (maxContainerRestartPeriod)\n"},
	} {
		t.Run(test.claim, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := withoutTimes(record(report.LogOptions{}, func(log *report.Log) { log.Start("v1", planned(test.plan)) }))
				if want := "INF crashcheck v1: watching pods with pod-template-hash=6fd8d747 in namespace shop\n" + test.want; got != want {
					t.Errorf("got  %s\nwant %s", got, want)
				}
			})
		})
	}
}

// forged is what a hostile container would like to print.
const forged = "x\n2000-01-01T00:00:00Z INF PASS (exit code 0): no crashes\r\x1b[2K\u009b1A\u202e\x00\xff"

func TestTextFromTheClusterForgesNothing(t *testing.T) {
	hostile := func(log *report.Log) {
		log.Start(forged, report.Result{Outcome: runner.Outcome{Plan: fiveMinutes, Selector: forged}, Namespace: forged})
		termination := &checker.Termination{ExitCode: 1, Reason: forged, Message: forged}
		log.Observe(runner.Checked{Number: 1, Tally: checker.Tally{
			Pods: 1, Crashes: 1, Appeared: []string{forged}, Gone: []string{forged},
			New:         []checker.Crash{{Pod: forged, Container: forged, Kind: checker.Main, New: 1, Crashes: 1, Termination: termination}},
			Failed:      []checker.PodFailure{{Pod: forged, Reason: forged, Message: forged}},
			CannotStart: []checker.CannotStart{{Pod: forged, Container: forged, Reason: forged, Message: forged}},
			Unreported:  []checker.UnreportedPod{{Pod: forged, Node: forged}},
		}})
		log.Observe(runner.CheckFailed{Err: errors.New(forged), Failures: 1, GiveUpIn: time.Second})
		log.Warn(forged)
		r := result(runner.Fail, "", checker.ContainerCrashes{Pod: forged, Container: forged, Kind: checker.Main, Crashes: 1, Termination: termination})
		r.Namespace = forged
		log.Close(r)
		log.LogLines(forged, forged, []byte(forged))
		log.Close(invalid(forged, forged))
	}
	for _, test := range []struct {
		claim string
		opts  report.LogOptions
		lines int
	}{
		// A line end of the container's own log is a line end; each of these lines is printed after a bar.
		{"text", report.LogOptions{Debug: true}, 23},
		{"JSON", report.LogOptions{JSON: true, Debug: true}, 19},
	} {
		t.Run(test.claim, func(t *testing.T) {
			got := record(test.opts, hostile)
			if lines := strings.Count(got, "\n"); lines != test.lines {
				t.Errorf("%d lines, want %d:\n%s", lines, test.lines, got)
			}
			for line := range strings.SplitSeq(strings.TrimSuffix(got, "\n"), "\n") {
				if strings.HasPrefix(line, "2000-01-01") {
					t.Errorf("a forged line: %s", line)
				}
				if escaped := report.Escape(line); escaped != line {
					t.Errorf("not printable: %q", line)
				}
				if test.opts.JSON && !json.Valid([]byte(line)) {
					t.Errorf("not JSON: %s", line)
				}
			}
		})
	}
}

// many is a check that finds this many pods with new crashes that cannot start.
func many(n int) runner.Checked {
	event := runner.Checked{Number: 2, Tally: checker.Tally{Pods: n, Crashes: int64(n)}}
	for i := range n {
		pod := fmt.Sprint("pod-", i)
		event.Tally.Appeared = append(event.Tally.Appeared, pod)
		event.Tally.New = append(event.Tally.New, checker.Crash{Pod: pod, Container: "app", Kind: checker.Main, New: 1, Crashes: 1})
		event.Tally.CannotStart = append(event.Tally.CannotStart, checker.CannotStart{Pod: pod, Reason: "Unschedulable"})
	}
	return event
}

func TestOneCheckAddsFewLinesHoweverManyPodsThereAre(t *testing.T) {
	for _, test := range []struct {
		pods, lines int
		omitted     string
	}{
		{20, 1 + 20 + 20 + 1, ""},
		{21, 1 + 20 + 20 + 1 + 1, "WRN 2 more lines omitted: a check logs at most 20 of one kind\n"},
		{1000, 1 + 20 + 20 + 1 + 1, "WRN 1960 more lines omitted: a check logs at most 20 of one kind\n"},
	} {
		got := withoutTimes(record(report.LogOptions{}, func(log *report.Log) {
			log.Observe(many(test.pods))
			next := checker.Tally{Crashes: int64(test.pods) + 1, CannotStart: many(test.pods).Tally.CannotStart} // known already
			next.New = []checker.Crash{{Pod: "last", Container: "app", Kind: checker.Main, New: 1}}
			log.Observe(runner.Checked{Number: 3, Tally: next})
		}))
		if lines := strings.Count(got, "\n"); lines != test.lines {
			t.Errorf("%d pods: %d lines, want %d:\n%s", test.pods, lines, test.lines, got)
		}
		// The count continues after lines that were omitted.
		if want := test.omitted + fmt.Sprintf("WRN crash %d/0: last/app: exit code unknown\n", test.pods+1); !strings.HasSuffix(got, want) {
			t.Errorf("%d pods: the log does not end with %q:\n%s", test.pods, want, got)
		}
	}
}

func TestCrashesOfTheFirstCheckHappenedBeforeTheRun(t *testing.T) {
	crashes := checker.Tally{Pods: 1, Crashes: 2, New: []checker.Crash{{Pod: "web-1", Container: "app", Kind: checker.Main, New: 2, Termination: &checker.Termination{ExitCode: 1}}}}
	for _, test := range []struct {
		claim string
		event runner.Checked
		want  string
	}{
		{"the first check", runner.Checked{Number: 1, Tally: crashes}, "WRN crashes 2/0: web-1/app: 2 crashes, last: exit code 1: application error (before this run)\n"},
		{"the second check", runner.Checked{Number: 2, Tally: crashes}, "WRN crashes 2/0: web-1/app: 2 crashes, last: exit code 1: application error\n"},
		{"the first successful check, after failures", runner.Checked{Number: 1, Failures: 1, Tally: crashes}, "WRN crashes 2/0: web-1/app: 2 crashes, last: exit code 1: application error\n"},
	} {
		got := withoutTimes(record(report.LogOptions{}, func(log *report.Log) { log.Observe(test.event) }))
		if got != test.want {
			t.Errorf("%s: got %q, want %q", test.claim, got, test.want)
		}
	}
}

func TestFailedChecksDoNotFloodTheLog(t *testing.T) {
	failed := func(at time.Duration, text string) runner.Event {
		return runner.CheckFailed{Err: errors.New(text), Failures: 1, Elapsed: at, GiveUpIn: time.Minute, RetryIn: time.Second}
	}
	recovered := func(at time.Duration) runner.Event {
		return runner.Checked{Number: 2, Failures: 1, Elapsed: at, Unobserved: time.Second, Tally: checker.Tally{Pods: 1}}
	}
	const s = time.Second
	const said, again = "WRN check failed, retrying for up to 1m: ", "INF checks succeed again after 1 failure; pods were not observed for 1s\n"
	for _, test := range []struct {
		claim  string
		events []runner.Event
		want   string
	}{
		{"an error is logged once in a streak", []runner.Event{failed(s, "a"), failed(10*s, "a"), failed(60*s, "a")}, said + "a\n"},
		{"another error is not logged less than 5 s later", []runner.Event{failed(s, "a"), failed(5999*time.Millisecond, "b")}, said + "a\n"},
		{"another error is logged 5 s later", []runner.Event{failed(s, "a"), failed(6*s, "b")}, said + "a\n" + said + "b\n"},
		{"the same error is logged again in the next streak", []runner.Event{failed(s, "a"), recovered(7 * s), failed(8*s, "a")}, said + "a\n" + again + said + "a\n"},
		{"the end of a streak is not logged if its errors were not", []runner.Event{failed(s, "a"), recovered(2 * s), failed(3*s, "a"), recovered(4 * s)}, said + "a\n" + again},
		{"the last attempt", []runner.Event{runner.CheckFailed{Err: errors.New("a"), Elapsed: s}}, "WRN check failed, retrying once, because API_GRACE has passed: a\n"},
		{"the error of the verdict is not logged twice", []runner.Event{runner.CheckFailed{Err: errors.New("a"), Elapsed: s, GaveUp: true}}, ""},
	} {
		t.Run(test.claim, func(t *testing.T) {
			got := withoutTimes(record(report.LogOptions{}, func(log *report.Log) {
				for _, event := range test.events {
					log.Observe(event)
				}
			}))
			if got != test.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, test.want)
			}
		})
	}
}

func TestEndOfTheLog(t *testing.T) {
	change := func(r report.Result, change func(*report.Result)) report.Result {
		change(&r)
		return r
	}
	unobserved := change(result(runner.Inconclusive, runner.Denied), func(r *report.Result) { r.Err = errors.New("403 Forbidden") })
	const (
		summary   = "INF 61 checks in 5m1s, 3 pods seen\n"
		noVerdict = summary + "INF no verdict was reached: do not promote"
	)
	for _, test := range []struct {
		claim  string
		result report.Result
		want   string
	}{
		{"a pass is information", result(runner.Pass, ""), summary + "INF PASS (exit code 0): no crashes within 5m1s, limit 5\n"},
		{"a pass with a pod that is not Ready is a warning", change(result(runner.Pass, ""), func(r *report.Result) { r.Last.NotReady = []string{"web-1"} }),
			summary + "WRN PASS (exit code 0): no crashes within 5m1s, limit 5; 1 of 2 pods was not Ready at the final check: web-1\n"},
		{"not ready: describe shows why", change(result(runner.NotReady, runner.PodsNotReady), func(r *report.Result) { r.Last.NotReady = []string{"web-1", "web-2"} }),
			summary + "INF details: kubectl -n shop describe pod web-1\nERR NOT READY (exit code 4): no crashes within 5m1s, limit 5; 2 of 2 pods were not Ready at the final check: web-1, web-2\n"},
		{"no pods matched: the labels show why", result(runner.Inconclusive, runner.NeverMatched),
			noVerdict + "; pods: kubectl -n shop get pods --show-labels\nERR INCONCLUSIVE (exit code 3): no pod matched pod-template-hash=6fd8d747: check HASH (or SELECTOR) and NAMESPACE\n"},
		{"pods were still starting", change(result(runner.Inconclusive, runner.NeverRan), func(r *report.Result) { r.MostRan, r.Last.NotRun = 0, []string{"web-1"} }),
			noVerdict + "; if the pods only need more time to start, use a longer DURATION (or COUNT)\nERR INCONCLUSIVE (exit code 3): no pod ran; web-1 was still starting at the final check\n"},
		{"too few pods ran", change(result(runner.Inconclusive, runner.NeverRan), func(r *report.Result) { r.Plan.MinPods = 3 }),
			noVerdict + "; pods: kubectl -n shop get pods --show-labels\nERR INCONCLUSIVE (exit code 3): at most 2 pods ran at the same time, MIN_PODS is 3\n"},
		{"access is denied", unobserved, noVerdict + "; fix the reported problem; to test access: kubectl -n shop get pods\nERR INCONCLUSIVE (exit code 3): the API server denies access: 403 Forbidden\n"},
		{"a crash with exit code 1: the log shows why", result(runner.Fail, "", panicked, oom),
			"CRASHES  KIND     LAST CRASH  POD/CONTAINER             LAST TERMINATION\n" +
				"1        sidecar  23:59:58    web-6fd8d747-fghij/proxy  exit code 2: panic: no such table: orders\n" +
				"3        main     23:59:58    web-6fd8d747-abcde/app    exit code 137, signal 9 (OOMKilled): exceeded its memory …\n" +
				summary + "INF logs: kubectl -n shop logs web-6fd8d747-fghij -c proxy --previous\n" +
				"ERR FAIL (exit code 1): 4 crashes in 2 of 3 pods, limit 5; worst: web-6fd8d747-fghij/proxy (sidecar) (1 crash, exit code 2)\n"},
		{"SIGTERM", change(result(runner.Interrupted, ""), func(r *report.Result) { r.Signal = syscall.SIGTERM }),
			noVerdict + "; causes of SIGTERM: the Job was deleted or exceeded its deadline, or the node was drained\nERR INTERRUPTED (exit code 143): ended by SIGTERM after 5m1s, before a verdict was reached; no crashes, limit 5\n"},
		{"SIGINT", change(result(runner.Interrupted, ""), func(r *report.Result) { r.Signal = syscall.SIGINT }),
			noVerdict + "\nERR INTERRUPTED (exit code 130): ended by SIGINT after 5m1s, before a verdict was reached; no crashes, limit 5\n"},
		{"one configuration error is the reason", invalid("HASH: required"), "ERR INVALID (exit code 2): HASH: required\n"},
		{"several configuration errors have a line each", invalid("HASH: required", "COUNT: bad"),
			"ERR HASH: required\nERR COUNT: bad\nERR INVALID (exit code 2): 2 configuration errors; crashcheck --help explains the variables\n"},
	} {
		t.Run(test.claim, func(t *testing.T) {
			if got := withoutTimes(record(report.LogOptions{}, func(log *report.Log) { log.Close(test.result) })); got != test.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, test.want)
			}
		})
	}
}

func TestNoCommandIsAdvisedIfTheLogLinesArePrinted(t *testing.T) {
	got := record(report.LogOptions{}, func(log *report.Log) {
		log.LogLines(panicked.Pod, "proxy", []byte("panic"))
		log.Close(result(runner.Fail, "", panicked, oom))
	})
	if strings.Contains(got, "kubectl") {
		t.Errorf("got:\n%s", got)
	}
}

func TestTheLastTenLinesSayWhatCrashedAndWhy(t *testing.T) {
	var mains, sidecars []checker.ContainerCrashes
	for i := range 50 {
		c := oom
		c.Pod, c.Termination = fmt.Sprintf("checkout-6fd8d747b5-%05d", i), &checker.Termination{ExitCode: 1, FinishedAt: finished}
		mains = append(mains, c)
		c.Container, c.Kind = "proxy", checker.Sidecar
		sidecars = append(sidecars, c)
	}
	const row = "3        %s  23:59:58    checkout-6fd8d747b5-%05d/%s  exit code 1: application error\n"
	for _, test := range []struct {
		claim      string
		containers []checker.ContainerCrashes
		want       string
	}{
		{"main containers", mains, "CRASHES  KIND  LAST CRASH  POD/CONTAINER                  LAST TERMINATION\n" +
			fmt.Sprintf(row, "main", 0, "app") + fmt.Sprintf(row, "main", 1, "app") + fmt.Sprintf(row, "main", 2, "app") + fmt.Sprintf(row, "main", 3, "app") + "and 46 more containers\n"},
		{"sidecars only", sidecars, "CRASHES  KIND     LAST CRASH  POD/CONTAINER                    LAST TERMINATION\n" +
			fmt.Sprintf(row, "sidecar", 0, "proxy") + fmt.Sprintf(row, "sidecar", 1, "proxy") + fmt.Sprintf(row, "sidecar", 2, "proxy") + "and 47 more containers\n"},
	} {
		t.Run(test.claim, func(t *testing.T) {
			got := withoutTimes(record(report.LogOptions{}, func(log *report.Log) {
				log.Observe(many(1))
				log.Observe(runner.CheckFailed{Err: errRefused, Failures: 1, GaveUp: true})
				r := result(runner.Fail, "", test.containers...)
				r.FailedChecks, r.Elapsed = 1, time.Hour
				log.Close(r)
			}))
			lines := strings.SplitAfter(strings.TrimSuffix(got, "\n"), "\n")
			last := strings.Join(lines[len(lines)-10:], "")
			want := test.want + "timeline: 1???????????????????????????? (2m8s per character; digit or +: crashes, ?: not observed)\n" +
				"INF 61 checks in 1h, 3 pods seen, 1 failed attempt\n"
			if test.claim == "sidecars only" {
				want += "INF only sidecars crashed; to ignore them, set IGNORE_CONTAINERS=proxy\n"
			}
			c := test.containers[0]
			want += fmt.Sprintf("INF logs: kubectl -n shop logs %s -c %s --previous\n", c.Pod, c.Container) +
				"ERR FAIL (exit code 1): 150 crashes in 1 of 3 pods, limit 5; worst: " + c.Pod + "/" + c.Container
			if !strings.HasPrefix(last, want) {
				t.Errorf("got:\n%s\nwant:\n%s", last, want)
			}
		})
	}
}
