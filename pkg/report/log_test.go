package report_test

import (
	"bytes"
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

var fiveMinutes = runner.Plan{Interval: 5 * time.Second, Duration: 5 * time.Minute, CrashLimit: 5, MinPods: 1, APIGrace: time.Minute}

// tell runs a log through a whole run: pods that come and go, crashes, a fault, a container that cannot start.
func tell(log *report.Log) {
	log.Start("v1.2.3", fiveMinutes, "shop", "pod-template-hash=6fd8d747")
	check := func(number int64, at time.Duration, tally checker.Tally) runner.Checked {
		return runner.Checked{Number: number, Elapsed: at, Took: 12 * time.Millisecond, Tally: tally}
	}
	log.Observe(check(1, 0, checker.Tally{}))
	blocked := checker.Blocked{Pod: "web-6fd8d747-klmno", Container: "app", Reason: "ImagePullBackOff", Message: `Back-off pulling image "web:2"`}
	log.Observe(check(2, 5*time.Second, checker.Tally{Pods: 3, Appeared: []string{oom.Pod, panicked.Pod, blocked.Pod}, NotReady: []string{blocked.Pod}, Blocked: []checker.Blocked{blocked}}))
	log.Observe(check(3, 10*time.Second, checker.Tally{Pods: 3, Crashes: 1, Blocked: []checker.Blocked{blocked}, New: []checker.Crash{
		{Pod: oom.Pod, Container: "app", Kind: checker.Main, New: 1, Crashes: 1, End: oom.End},
	}}))
	refused := errors.New("list pods with pod-template-hash=6fd8d747: ask 10.0.0.1:443: connection refused")
	log.Observe(runner.CheckFailed{Err: refused, Failures: 1, Elapsed: 15 * time.Second, RetryIn: 500 * time.Millisecond, GiveUpIn: time.Minute})
	log.Observe(runner.CheckFailed{Err: refused, Failures: 2, Elapsed: 16 * time.Second, RetryIn: time.Second, GiveUpIn: 59 * time.Second})
	recovered := check(4, 20*time.Second, checker.Tally{Pods: 2, Crashes: 4, Gone: []string{blocked.Pod}, New: []checker.Crash{
		{Pod: oom.Pod, Container: "app", Kind: checker.Main, New: 2, Crashes: 3, End: oom.End},
		{Pod: panicked.Pod, Container: "proxy", Kind: checker.Sidecar, New: 1, Crashes: 1, End: panicked.End},
	}})
	recovered.Failures, recovered.Unobserved = 2, 5*time.Second
	log.Observe(recovered)
	log.Warn("the termination message could not be written")
	log.LastWords(report.LastWords{Pod: oom.Pod, Container: "app", Log: []byte("loading\tall orders\r\n\x1b[31mallocating\x1b[0m\n")})
	r := result(runner.Fail, "4 crashes seen within 20s, CRASH_LIMIT is 4", oom, panicked)
	r.Elapsed, r.FailedChecks = 20*time.Second, 2
	log.Close(r)
}

func record(opts report.LogOptions, tell func(*report.Log)) string {
	var out bytes.Buffer
	tell(report.NewLog(&out, opts))
	return out.String()
}

func TestLogOfAFailingRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // where it is always midnight
		got := record(report.LogOptions{}, tell)
		want := strings.ReplaceAll(`AT INF crashcheck v1.2.3, a release gate: 5 crashes of the pods with pod-template-hash=6fd8d747 in namespace shop, all pods together, will fail this release
AT INF it checks every 5s for 5m, until 00:05:00 (00:06:10 at the latest, if the API server does not answer)
AT WRN no pod matches yet
AT INF 3 pods appeared: web-6fd8d747-abcde, web-6fd8d747-fghij, web-6fd8d747-klmno
AT WRN web-6fd8d747-klmno/app cannot start: ImagePullBackOff: Back-off pulling image "web:2"
AT WRN crash 1/5: web-6fd8d747-abcde/app ended with exit code 137, signal 9 (OOMKilled): it used more memory than its limit, or the node, allows
AT WRN the check failed and is tried again for 1m before the run gives up: list pods with pod-template-hash=6fd8d747: ask 10.0.0.1:443: connection refused
AT INF checks succeed again, after 2 failed attempts; the pods were not observed for 5s
AT INF 1 pod gone (its crashes stay counted): web-6fd8d747-klmno
AT WRN crashes 3/5: web-6fd8d747-abcde/app ended 2 times, the last time with exit code 137, signal 9 (OOMKilled): it used more memory than its limit, or the node, allows
AT WRN crash 4/5: web-6fd8d747-fghij/proxy (sidecar) ended with exit code 2: an error of the program's own, such as a Go panic; its last words: panic: no such table: orders
AT WRN the termination message could not be written
last log lines of web-6fd8d747-abcde/app:
  | loading    all orders
  | \x1b[31mallocating\x1b[0m
CRASHES  EXIT CODE  REASON     KIND     LAST CRASH  POD/CONTAINER
3        137        OOMKilled  main     23:59:58    web-6fd8d747-abcde/app
1        2          Error      sidecar  23:59:58    web-6fd8d747-fghij/proxy
timeline, 1s a character, digits are crashes, ? unobserved: ..........1?????????3
AT INF 61 checks and 2 failed attempts in 20s, 3 pods seen
AT INF to see the memory limit of the worst one, while its pod exists: kubectl -n shop describe pod web-6fd8d747-abcde
AT ERR FAIL (exit code 1): 4 crashes seen within 20s, CRASH_LIMIT is 4
`, "AT ", "2000-01-01T00:00:00Z ")
		if got != want {
			t.Errorf("got:\n%s\nwant:\n%s", got, want)
		}
	})
}

func TestDebugLogHasALineForEachAttempt(t *testing.T) {
	debug := regexp.MustCompile(`(?m)^\S+ DBG .*\n`)
	got := strings.Join(debug.FindAllString(record(report.LogOptions{Debug: true}, tell), -1), "")
	got = regexp.MustCompile(`(?m)^\S+`).ReplaceAllString(got, "AT")
	want := `AT DBG check 1: 0 pods, crashes 0/5, 0 not Ready, 0 cannot start; took 12ms
AT DBG check 2: 3 pods, crashes 0/5, 1 not Ready, 1 cannot start; took 12ms
AT DBG check 3: 3 pods, crashes 1/5, 0 not Ready, 1 cannot start; took 12ms
AT DBG the check failed again (2 failures in a row), next attempt in 1s: list pods with pod-template-hash=6fd8d747: ask 10.0.0.1:443: connection refused
AT DBG check 4: 2 pods, crashes 4/5, 0 not Ready, 0 cannot start; took 12ms
`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if quiet := record(report.LogOptions{}, tell); debug.MatchString(quiet) {
		t.Errorf("without debug:\n%s", quiet)
	}
}

func TestColorsAreTheOnlyDifferenceOnATerminal(t *testing.T) {
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

func TestStartLine(t *testing.T) {
	for _, test := range []struct {
		claim       string
		plan        runner.Plan
		limit, when string
	}{
		{"a window by time", fiveMinutes, "5 crashes", "every 5s for 5m, until 00:05:00 (00:06:10"},
		{"a number of checks", runner.Plan{Interval: 90 * time.Second, Count: 3, CrashLimit: 1, APIGrace: 30 * time.Second},
			"1 crash", "3 times, one every 1m30s, until 00:03:00 (00:06:30"},
		{"a number of checks, with a cap", runner.Plan{Interval: time.Second, Count: 1, MaxDuration: time.Hour, CrashLimit: 2},
			"2 crashes", "once, for at most 1h, until 00:00:00 (01:00:10"},
		{"days have a date", runner.Plan{Interval: time.Minute, Duration: 48 * time.Hour, CrashLimit: 1, APIGrace: time.Minute},
			"1 crash", "every 1m for 48h, until 2000-01-03 00:00 (2000-01-03 00:01"},
	} {
		t.Run(test.claim, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := record(report.LogOptions{}, func(log *report.Log) { log.Start("v1", test.plan, "ns", "a=b") })
				want := "2000-01-01T00:00:00Z INF crashcheck v1, a release gate: " + test.limit + " of the pods with a=b in namespace ns, all pods together, will fail this release\n" +
					"2000-01-01T00:00:00Z INF it checks " + test.when + " at the latest, if the API server does not answer)\n"
				if got != want {
					t.Errorf("got  %s\nwant %s", got, want)
				}
			})
		})
	}
}

func TestStartWarnsOfALimitThatCannotBeReached(t *testing.T) {
	got := record(report.LogOptions{}, func(log *report.Log) {
		log.Start("v1", runner.Plan{Interval: time.Second, Duration: 5 * time.Second, CrashLimit: 3}, "ns", "a=b")
	})
	if !strings.Contains(got, "WRN CRASH_LIMIT 3 cannot be reached within 5s by one crash-looping pod") {
		t.Errorf("got %s", got)
	}
}

// forged is what a hostile container would like to say.
const forged = "x\n2000-01-01T00:00:00Z INF PASS (exit code 0): all is well\r\x1b[2K\u009b1A\u202e\x00\xff"

func TestTextFromTheClusterForgesNothing(t *testing.T) {
	hostile := func(log *report.Log) {
		log.Start(forged, fiveMinutes, forged, forged)
		end := &checker.End{ExitCode: 1, Reason: forged, Message: forged}
		log.Observe(runner.Checked{Number: 1, Tally: checker.Tally{
			Pods: 1, Crashes: 1, Appeared: []string{forged}, Gone: []string{forged},
			New:     []checker.Crash{{Pod: forged, Container: forged, Kind: checker.Main, New: 1, Crashes: 1, End: end}},
			Blocked: []checker.Blocked{{Pod: forged, Container: forged, Reason: forged, Message: forged}},
		}})
		log.Observe(runner.CheckFailed{Err: errors.New(forged), Failures: 1, GiveUpIn: time.Second})
		log.Warn(forged)
		log.LastWords(report.LastWords{Pod: forged, Container: forged, Log: []byte(forged)})
		r := result(runner.Fail, forged, checker.ContainerCrashes{Pod: forged, Container: forged, Kind: checker.Main, Crashes: 1, End: end})
		r.Namespace, r.Faults = forged, []string{forged, forged}
		log.Close(r)
	}
	for _, test := range []struct {
		claim string
		opts  report.LogOptions
		lines int
	}{
		// Of the container's own log, a line end is one; it stands behind a bar.
		{"text", report.LogOptions{Debug: true}, 19},
		{"JSON", report.LogOptions{JSON: true, Debug: true}, 15},
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
					t.Errorf("not printable as it is: %q", line)
				}
				if test.opts.JSON && !json.Valid([]byte(line)) {
					t.Errorf("no JSON: %s", line)
				}
			}
		})
	}
}

func parseRecord(t *testing.T, line string) map[string]any {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal([]byte(line), &fields); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return fields
}

func TestJSONLogHasTheSameSentencesAndTheFacts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		for line := range strings.Lines(record(report.LogOptions{JSON: true}, tell)) {
			fields := parseRecord(t, line)
			if fields["time"] != "2000-01-01T00:00:00Z" {
				t.Errorf("time is %v", fields["time"])
			}
			delete(fields, "time")
			text, err := json.Marshal(fields) // sorted by key
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(text))
		}
		want := []string{
			`{"event":"start","expectedSeconds":300,"intervalSeconds":5,"latestSeconds":370,"level":"INFO","limit":5,"msg":"crashcheck v1.2.3, a release gate: 5 crashes of the pods with pod-template-hash=6fd8d747 in namespace shop, all pods together, will fail this release","namespace":"shop","selector":"pod-template-hash=6fd8d747","version":"v1.2.3"}`,
			`{"event":"info","level":"INFO","msg":"it checks every 5s for 5m, until 00:05:00 (00:06:10 at the latest, if the API server does not answer)"}`,
			`{"event":"noPods","level":"WARN","msg":"no pod matches yet","pods":0}`,
			`{"appeared":["web-6fd8d747-abcde","web-6fd8d747-fghij","web-6fd8d747-klmno"],"event":"podsAppeared","level":"INFO","msg":"3 pods appeared: web-6fd8d747-abcde, web-6fd8d747-fghij, web-6fd8d747-klmno","pods":3}`,
			`{"container":"app","event":"cannotStart","level":"WARN","message":"Back-off pulling image \"web:2\"","msg":"web-6fd8d747-klmno/app cannot start: ImagePullBackOff: Back-off pulling image \"web:2\"","pod":"web-6fd8d747-klmno","reason":"ImagePullBackOff"}`,
			`{"container":"app","containerCrashes":1,"crashes":1,"event":"crash","exitCode":137,"finishedAt":"1999-12-31T23:59:58Z","kind":"main","level":"WARN","limit":5,"msg":"crash 1/5: web-6fd8d747-abcde/app ended with exit code 137, signal 9 (OOMKilled): it used more memory than its limit, or the node, allows","pod":"web-6fd8d747-abcde","reason":"OOMKilled","signal":9}`,
			`{"error":"list pods with pod-template-hash=6fd8d747: ask 10.0.0.1:443: connection refused","event":"checkFailed","failures":1,"giveUpSeconds":60,"level":"WARN","msg":"the check failed and is tried again for 1m before the run gives up: list pods with pod-template-hash=6fd8d747: ask 10.0.0.1:443: connection refused","retrySeconds":0.5}`,
			`{"event":"checksRecovered","failures":2,"level":"INFO","msg":"checks succeed again, after 2 failed attempts; the pods were not observed for 5s","unobservedSeconds":5}`,
			`{"event":"podsGone","gone":["web-6fd8d747-klmno"],"level":"INFO","msg":"1 pod gone (its crashes stay counted): web-6fd8d747-klmno","pods":2}`,
			`{"container":"app","containerCrashes":3,"crashes":3,"event":"crash","exitCode":137,"finishedAt":"1999-12-31T23:59:58Z","kind":"main","level":"WARN","limit":5,"msg":"crashes 3/5: web-6fd8d747-abcde/app ended 2 times, the last time with exit code 137, signal 9 (OOMKilled): it used more memory than its limit, or the node, allows","pod":"web-6fd8d747-abcde","reason":"OOMKilled","signal":9}`,
			`{"container":"proxy","containerCrashes":1,"crashes":4,"event":"crash","exitCode":2,"finishedAt":"1999-12-31T23:59:58Z","kind":"sidecar","level":"WARN","limit":5,"message":"panic: no such table: orders\n\ngoroutine 1 [running]:\nmain.main()","msg":"crash 4/5: web-6fd8d747-fghij/proxy (sidecar) ended with exit code 2: an error of the program's own, such as a Go panic; its last words: panic: no such table: orders","pod":"web-6fd8d747-fghij","reason":"Error"}`,
			`{"event":"warning","level":"WARN","msg":"the termination message could not be written"}`,
			`{"container":"app","event":"lastWords","level":"INFO","log":"loading\tall orders\r\n\u001b[31mallocating\u001b[0m","msg":"last log lines of web-6fd8d747-abcde/app:","pod":"web-6fd8d747-abcde"}`,
			`{"container":"app","containerCrashes":3,"event":"crashedContainer","exitCode":137,"finishedAt":"1999-12-31T23:59:58Z","kind":"main","level":"INFO","msg":"web-6fd8d747-abcde/app: 3 crashes, the last one with exit code 137, signal 9 (OOMKilled)","pod":"web-6fd8d747-abcde","reason":"OOMKilled","signal":9}`,
			`{"container":"proxy","containerCrashes":1,"event":"crashedContainer","exitCode":2,"finishedAt":"1999-12-31T23:59:58Z","kind":"sidecar","level":"INFO","message":"panic: no such table: orders\n\ngoroutine 1 [running]:\nmain.main()","msg":"web-6fd8d747-fghij/proxy: 1 crash, the last one with exit code 2","pod":"web-6fd8d747-fghij","reason":"Error"}`,
			`{"checks":61,"elapsedSeconds":20,"event":"summary","failedChecks":2,"level":"INFO","longestGapSeconds":5.002,"msg":"61 checks and 2 failed attempts in 20s, 3 pods seen","pods":3}`,
			`{"event":"advice","level":"INFO","msg":"to see the memory limit of the worst one, while its pod exists: kubectl -n shop describe pod web-6fd8d747-abcde"}`,
			`{"crashes":4,"event":"verdict","exitCode":1,"level":"ERROR","limit":5,"msg":"FAIL (exit code 1): 4 crashes seen within 20s, CRASH_LIMIT is 4","verdict":"fail"}`,
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

func TestJSONKeysAreDocumented(t *testing.T) {
	source, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, doc, _ := strings.Cut(string(source), "# The log as JSON")
	documented := map[string]bool{}
	for _, word := range regexp.MustCompile(`[a-zA-Z]+`).FindAllString(doc, -1) {
		documented[word] = true
	}
	lines := record(report.LogOptions{JSON: true, Debug: true}, func(log *report.Log) {
		log.Observe(many(30))
		tell(log)
	}) + string(report.LostLines(true)(1))
	seen := map[string]bool{}
	for line := range strings.Lines(lines) {
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

// many is a check that sees this many containers crash, and as many that cannot start.
func many(n int) runner.Checked {
	event := runner.Checked{Number: 1, Tally: checker.Tally{Pods: n, Crashes: int64(n)}}
	for i := range n {
		pod := fmt.Sprint("pod-", i)
		event.Tally.Appeared = append(event.Tally.Appeared, pod)
		event.Tally.New = append(event.Tally.New, checker.Crash{Pod: pod, Container: "app", Kind: checker.Main, New: 1, Crashes: 1})
		event.Tally.Blocked = append(event.Tally.Blocked, checker.Blocked{Pod: pod, Reason: "Unschedulable"})
	}
	return event
}

func TestOneCheckAddsFewLinesHoweverManyPodsThereAre(t *testing.T) {
	for _, test := range []struct {
		pods, lines int
		ends        []string
	}{
		{20, 1 + 20 + 20, nil},
		{21, 1 + 21 + 21, []string{"crashes 21/0: 1 more container crashed too", "1 more container cannot start either"}},
		{1000, 1 + 21 + 21, []string{"crashes 1000/0: 980 more containers crashed too", "980 more containers cannot start either"}},
	} {
		got := record(report.LogOptions{}, func(log *report.Log) {
			log.Observe(many(test.pods))
			log.Observe(runner.Checked{Number: 2, Tally: checker.Tally{Blocked: many(test.pods).Tally.Blocked}}) // known already
		})
		if lines := strings.Count(got, "\n"); lines != test.lines {
			t.Errorf("%d pods: %d lines, want %d:\n%s", test.pods, lines, test.lines, got)
		}
		for _, end := range test.ends {
			if !strings.Contains(got, "WRN "+end+"\n") {
				t.Errorf("%d pods: %q is missing in\n%s", test.pods, end, got)
			}
		}
	}
}

func TestTheCountGoesOnAfterLinesThatWereLeftOut(t *testing.T) {
	got := record(report.LogOptions{}, func(log *report.Log) {
		log.Observe(many(30))
		log.Observe(runner.Checked{Number: 2, Tally: checker.Tally{Crashes: 31, New: []checker.Crash{{Pod: "last", Container: "app", New: 1}}}})
	})
	if !strings.Contains(got, "WRN crash 31/0: last/app ended with exit code unknown\n") {
		t.Errorf("got %s", got)
	}
}

func TestAStreakOfFaultsIsALineForEachFault(t *testing.T) {
	const reset, down = "read 10.0.0.1:%d: connection reset", "503 Service Unavailable"
	var at time.Duration
	failure := func(n int64, text string) runner.CheckFailed {
		at += 6 * time.Second
		return runner.CheckFailed{Err: errors.New(text), Failures: n, Elapsed: at, GiveUpIn: time.Minute, RetryIn: time.Second}
	}
	got := record(report.LogOptions{}, func(log *report.Log) {
		log.Observe(failure(1, fmt.Sprintf(reset, 4711))) // ports differ from attempt to attempt
		log.Observe(failure(2, fmt.Sprintf(reset, 4712)))
		log.Observe(failure(3, down))
		log.Observe(failure(4, fmt.Sprintf(reset, 4713)))
		log.Observe(failure(5, down))
		log.Observe(runner.Checked{Number: 1, Failures: 5, Elapsed: at, Unobserved: 65 * time.Second, Tally: checker.Tally{Pods: 1}})
		log.Observe(failure(1, down))
		log.Observe(runner.CheckFailed{Err: errors.New("the last straw"), Failures: 2, Final: true})
	})
	got = regexp.MustCompile(`(?m)^\S+ `).ReplaceAllString(got, "")
	want := `WRN the check failed and is tried again for 1m before the run gives up: read 10.0.0.1:4711: connection reset
WRN the check failed and is tried again for 1m before the run gives up: 503 Service Unavailable
INF checks succeed again, after 5 failed attempts; the pods were not observed for 1m5s
WRN the check failed and is tried again for 1m before the run gives up: 503 Service Unavailable
`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestFaultsThatComeAndGoDoNotFloodTheLog(t *testing.T) {
	failed := func(at time.Duration, text string) runner.Event {
		return runner.CheckFailed{Err: errors.New(text), Failures: 1, Elapsed: at, GiveUpIn: time.Minute, RetryIn: time.Second}
	}
	recovered := func(at time.Duration) runner.Event {
		return runner.Checked{Number: 2, Failures: 1, Elapsed: at, Unobserved: time.Second, Tally: checker.Tally{Pods: 1}}
	}
	const said, again = "WRN the check failed and is tried again for 1m before the run gives up: ", "INF checks succeed again, after 1 failed attempt; the pods were not observed for 1s\n"
	for _, test := range []struct {
		claim  string
		events []runner.Event
		want   string
	}{
		{"a fault at the very start is said", []runner.Event{failed(0, "a")}, said + "a\n"},
		{"less than 5 s later another one is not", []runner.Event{failed(time.Second, "a"), failed(5999*time.Millisecond, "b")}, said + "a\n"},
		{"5 s later it is", []runner.Event{failed(time.Second, "a"), failed(6*time.Second, "b")}, said + "a\n" + said + "b\n"},
		{"it is not lost for good: it may be said later", []runner.Event{failed(0, "a"), failed(time.Second, "b"), failed(5*time.Second, "b")}, said + "a\n" + said + "b\n"},
		{"the end of a streak of which nothing was said is not said", []runner.Event{failed(0, "a"), recovered(time.Second), failed(2*time.Second, "a"), recovered(3 * time.Second)}, said + "a\n" + again},
	} {
		t.Run(test.claim, func(t *testing.T) {
			got := record(report.LogOptions{}, func(log *report.Log) {
				for _, event := range test.events {
					log.Observe(event)
				}
			})
			if got = regexp.MustCompile(`(?m)^\S+ `).ReplaceAllString(got, ""); got != test.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, test.want)
			}
		})
	}
}

func TestEndOfTheLog(t *testing.T) {
	noPods := result(runner.Inconclusive, "no pod ever matched a=b")
	noPods.Pods = 0
	once := result(runner.Inconclusive, "401")
	once.Checks, once.FailedChecks, once.Pods, once.Elapsed = 0, 1, 0, 9*time.Second+960*time.Millisecond
	interrupted := result(runner.Interrupted, "ended by SIGTERM")
	interrupted.Signal = syscall.SIGTERM
	notReady := runner.Checked{Number: 1, Tally: checker.Tally{Pods: 1, NotReady: []string{"web-1", "web-2"}}}
	const summary = "INF 61 checks in 5m1s, 3 pods seen; the longest time without a successful check was 5s\n"
	for _, test := range []struct {
		claim  string
		events []runner.Event
		result report.Result
		want   string
	}{
		{"a pass is no error", nil, result(runner.Pass, "no crashes"), summary + "INF PASS (exit code 0): no crashes\n"},
		{"too few pods: which are there?", []runner.Event{runner.Checked{Number: 2}}, noPods,
			"INF 61 checks in 5m1s, 0 pods seen; the longest time without a successful check was 5s\n" +
				"INF to see which pods there are, and their labels: kubectl -n shop get pods --show-labels\nERR INCONCLUSIVE (exit code 3): no pod ever matched a=b\n"},
		{"where nothing was seen, pods are not the matter", []runner.Event{runner.CheckFailed{Err: errors.New("401"), Failures: 1, Final: true}}, once,
			"timeline, 1s a character, ? unobserved: ??????????\n" +
				"INF 0 checks and 1 failed attempt in 10s, 0 pods seen; the longest time without a successful check was 5s\nINF this is no verdict on the release: do not promote it on this; when what the reason names is mended, and kubectl -n shop get pods answers, run the gate again\nERR INCONCLUSIVE (exit code 3): 401\n"},
		{"a pass with nobody left is yellow", []runner.Event{runner.Checked{Number: 2}}, result(runner.Pass, "no crashes; but no pod was left"),
			summary + "WRN PASS (exit code 0): no crashes; but no pod was left\n"},
		{"an interrupted run is no verdict", nil, interrupted, summary + "INF this is no verdict on the release: do not promote it on this; SIGTERM comes with a deleted Job " +
			"(a cancelled analysis, say), a deadline of the Job, or a node that is drained\nERR INTERRUPTED (exit code 143): ended by SIGTERM\n"},
		{"not ready: describe tells why", []runner.Event{notReady}, result(runner.NotReady, "2 of 2 pods were not Ready"),
			summary + "INF to see why it is not Ready: kubectl -n shop describe pod web-1\nERR NOT READY (exit code 4): 2 of 2 pods were not Ready\n"},
		{"one fault is the verdict's reason", nil, report.Result{Outcome: runner.Outcome{Verdict: runner.Invalid, Reason: "HASH: required"}, Faults: []string{"HASH: required"}},
			"ERR INVALID (exit code 2): HASH: required\n"},
		{"several faults have a line each", nil, report.Result{Outcome: runner.Outcome{Verdict: runner.Invalid, Reason: "HASH: required; COUNT: bad"}, Faults: []string{"HASH: required", "COUNT: bad"}},
			"ERR HASH: required\nERR COUNT: bad\nERR INVALID (exit code 2): the configuration has 2 faults; crashcheck --help explains the variables\n"},
	} {
		t.Run(test.claim, func(t *testing.T) {
			got := record(report.LogOptions{}, func(log *report.Log) {
				for _, event := range test.events {
					log.Observe(event)
				}
				log.Close(test.result)
			})
			got = regexp.MustCompile(`(?m)^\d{4}-\d\d-\d\dT\S+ `).ReplaceAllString(got, "")
			if got != test.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, test.want)
			}
		})
	}
}

func TestTenLinesAreEnoughWhereOnlySidecarsCrashed(t *testing.T) {
	var containers []checker.ContainerCrashes
	for range 6 {
		containers = append(containers, panicked)
	}
	got := record(report.LogOptions{}, func(log *report.Log) {
		log.Observe(runner.CheckFailed{Err: errors.New("no answer"), Failures: 1, Final: true})
		r := result(runner.Fail, "6 crashes", containers...)
		r.FailedChecks = 1
		log.Close(r)
	})
	if !strings.Contains(got, "only sidecars crashed; if they are not part of the release, add proxy to IGNORE_CONTAINERS\n") {
		t.Errorf("the advice is missing:\n%s", got)
	}
	if lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n"); len(lines) > 10 || !strings.HasPrefix(lines[0], "CRASHES ") {
		t.Errorf("%d lines:\n%s", len(lines), got)
	}
}

func TestTheLastTenLinesTellWhatCrashedAndWhy(t *testing.T) {
	var containers []checker.ContainerCrashes
	for i := range 50 {
		c := oom
		c.Pod = fmt.Sprintf("checkout-service-6fd8d747b5-%05d", i)
		c.End = &checker.End{ExitCode: 137, Reason: "ContainerStatusUnknownOrWorse", FinishedAt: finished}
		containers = append(containers, c)
	}
	synctest.Test(t, func(t *testing.T) {
		got := record(report.LogOptions{}, func(log *report.Log) {
			log.Observe(many(1))
			log.Observe(runner.CheckFailed{Err: errors.New("no answer"), Failures: 1, Final: true})
			r := result(runner.Fail, "150 crashes", containers...)
			r.FailedChecks, r.Elapsed = 1, time.Hour
			log.Close(r)
		})
		lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
		last := lines[len(lines)-10:]
		want := []string{
			"CRASHES  EXIT CODE  REASON                  KIND  LAST CRASH  POD/CONTAINER",
			"3        137        ContainerStatusUnknow…  main  23:59:58    checkout-service-6fd8d747b5-00000/app",
			"3        137        ContainerStatusUnknow…  main  23:59:58    checkout-service-6fd8d747b5-00001/app",
			"3        137        ContainerStatusUnknow…  main  23:59:58    checkout-service-6fd8d747b5-00002/app",
			"3        137        ContainerStatusUnknow…  main  23:59:58    checkout-service-6fd8d747b5-00003/app",
			"and 46 more containers",
			"timeline, 1m12s a character, digits are crashes, ? unobserved: 1" + strings.Repeat("?", 50),
		}
		for i := range want {
			if last[i] != want[i] {
				t.Errorf("got  %s\nwant %s", last[i], want[i])
			}
		}
		if !strings.HasSuffix(last[9], "ERR FAIL (exit code 1): 150 crashes") {
			t.Errorf("the last line is %s", last[9])
		}
	})
}
