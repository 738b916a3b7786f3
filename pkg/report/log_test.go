package report_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/labels"

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
		New:        []checker.ContainerCrashes{{Pod: oom.Pod, Container: "app", Kind: checker.Main, New: 1, Crashes: 1, Termination: oom.Termination}},
		Unreported: []checker.UnreportedPod{{Pod: panicked.Pod, Node: "node-1"}},
	}))
	log.Observe(runner.CheckFailed{Err: errRefused, Elapsed: 15 * time.Second, GiveUpIn: time.Minute})
	log.Observe(runner.CheckFailed{Err: errRefused, Elapsed: 16 * time.Second, GiveUpIn: 59 * time.Second})
	recovered := check(4, 20*time.Second, checker.Tally{
		Pods: 2, Ran: 2, Crashes: 5, Gone: []string{"web-6fd8d747-pqrst"},
		Failed: []checker.PodFailure{
			{Pod: "web-6fd8d747-zzzzz", Reason: "NodeShutdown", Message: "Pod was terminated in response to imminent node shutdown."},
			{Pod: evicted.Pod, Reason: "Evicted", Crash: true},
		},
		New: []checker.ContainerCrashes{
			{Pod: oom.Pod, Container: "app", Kind: checker.Main, New: 2, Crashes: 3, Termination: oom.Termination},
			{Pod: panicked.Pod, Container: "proxy", Kind: checker.Sidecar, New: 1, Crashes: 1, Termination: panicked.Termination},
			{Pod: evicted.Pod, Kind: checker.Pod, New: 1, Crashes: 1, Termination: evicted.Termination},
		},
	})
	recovered.Failures, recovered.Unobserved = 2, 10*time.Second
	log.Observe(recovered)
	log.Observe(runner.CheckFailed{Err: errRefused, Elapsed: 25 * time.Second, GaveUp: true})
	log.Warn("a warning")
	log.LogLines(oom.Pod, "app", []byte("loading\tall orders\r\n\x1b[31mallocating\x1b[0m\n"))
	r := result(runner.Fail, "", oom, panicked, evicted)
	r.Checks, r.FailedChecks, r.Failures, r.Elapsed, r.LastSuccess = 4, 3, 1, 26*time.Second, 20*time.Second
	log.Close(r)
}

// toldText is what the text log says, without times.
const toldText = `INF crashcheck v1.2.3: watching pods with pod-template-hash=6fd8d747 in namespace shop
INF checking every 5s until 00:05:00; fails at 5 crashes
WRN no pods match yet
DBG check 1: no pods (0 have run), 0/5 crashes, 0 not Ready, 0 cannot start, took 12ms
INF 3 new pods: web-6fd8d747-abcde, web-6fd8d747-fghij, web-6fd8d747-pqrst
WRN web-6fd8d747-pqrst/app cannot start: ImagePullBackOff: Back-off pulling image "web:2"
DBG check 2: 3 pods (2 have run), 0/5 crashes, 1 not Ready, 1 cannot start, took 12ms
WRN crash 1/5: web-6fd8d747-abcde/app: exit code 137, signal 9 (OOMKilled): exceeded its memory limit, or the node ran out of memory
WRN pod web-6fd8d747-fghij is not observed: node node-1 has stopped reporting
DBG check 3: 3 pods (2 have run), 1/5 crashes, 0 not Ready, 1 cannot start, took 12ms
WRN check failed, retrying for up to 1m: list pods with pod-template-hash=6fd8d747: connect to 10.0.0.1:443: connection refused
DBG check failed, retrying for up to 59s: list pods with pod-template-hash=6fd8d747: connect to 10.0.0.1:443: connection refused
INF checks succeed again after 2 failures; pods were not observed for 10s
INF 1 pod gone (their crashes still count): web-6fd8d747-pqrst
WRN crash 3/5: web-6fd8d747-abcde/app: 2 crashes, last: exit code 137, signal 9 (OOMKilled): exceeded its memory limit, or the node ran out of memory
WRN crash 4/5: web-6fd8d747-fghij/proxy (sidecar): exit code 2: panic: no such table: orders
WRN crash 5/5: pod web-6fd8d747-klmno: Evicted: Usage of EmptyDir volume "data" exceeds the limit "1Mi".
WRN pod web-6fd8d747-zzzzz failed: NodeShutdown: Pod was terminated in response to imminent node shutdown (not counted as a crash)
DBG check 4: 2 pods (2 have run), 5/5 crashes, 0 not Ready, 0 cannot start, took 12ms
WRN a warning
last log lines of web-6fd8d747-abcde/app:
  | loading    all orders
  | \x1b[31mallocating\x1b[0m
CRASHES  KIND     LAST CRASH  POD/CONTAINER             LAST TERMINATION
3        main     23:59:58    web-6fd8d747-abcde/app    exit code 137, signal 9 (OOMKilled): exceeded its memory …
1        sidecar  23:59:58    web-6fd8d747-fghij/proxy  exit code 2: panic: no such table: orders
1        pod      -           web-6fd8d747-klmno        Evicted: Usage of EmptyDir volume "data" exceeds the limi…
timeline: ..........1?????????4?????? (1s per character; 1 to 9: crashes, +: more, ?: not observed)
INF 4 checks in 26s, 3 pods seen, 3 failed attempts
INF logs, while the pod exists: kubectl -n shop logs web-6fd8d747-abcde -c app --previous
ERR FAIL (exit code 1): 5 crashes in 3 of 3 pods, limit 5; worst: web-6fd8d747-abcde/app (3 crashes, exit code 137, signal 9 (OOMKilled))
`

func TestTextLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := record(report.LogOptions{Debug: true}, tell)
		if !strings.HasPrefix(got, "2000-01-01T00:00:00Z INF ") || withoutTimes(got) != toldText {
			t.Errorf("got:\n%s\nwant:\n%s", got, toldText)
		}
		got = record(report.LogOptions{}, tell)
		if want := regexp.MustCompile(`(?m)^DBG .*\n`).ReplaceAllString(toldText, ""); withoutTimes(got) != want {
			t.Errorf("without DEBUG:\n%s\nwant:\n%s", got, want)
		}
		colored := record(report.LogOptions{Color: true}, tell)
		if plain := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(colored, ""); !strings.Contains(colored, "\x1b[91mERR\x1b[0m") || plain != got {
			t.Errorf("in color:\n%q\nwant:\n%s", colored, got)
		}
	})
}

func TestJSONLogHasTheSameSentencesAndTheFacts(t *testing.T) {
	const (
		crashedOOM   = `"crashed":{"container":"app","crashes":%d,"exitCode":137,"finishedAt":"1999-12-31T23:59:58Z","kind":"main","message":null,"pod":"web-6fd8d747-abcde","reason":"OOMKilled","signal":9},`
		crashedPanic = `"crashed":{"container":"proxy","crashes":1,"exitCode":2,"finishedAt":"1999-12-31T23:59:58Z","kind":"sidecar","message":"panic: no such table: orders\n\ngoroutine 1 [running]:\nmain.main()","pod":"web-6fd8d747-fghij","reason":"Error","signal":null},`
		crashedPod   = `"crashed":{"container":null,"crashes":1,"exitCode":null,"finishedAt":null,"kind":"pod","message":"Usage of EmptyDir volume \"data\" exceeds the limit \"1Mi\".","pod":"web-6fd8d747-klmno","reason":"Evicted","signal":null},`
		refused      = `{"error":"list pods with pod-template-hash=6fd8d747: connect to 10.0.0.1:443: connection refused","event":"checkFailed"}`
	)
	wantFacts := []string{
		`{"event":"start","limit":5,"namespace":"shop","selector":"pod-template-hash=6fd8d747","version":"v1.2.3","workload":null}`,
		`{}`,
		`{}`,
		`{}`,
		`{"event":"podsAppeared","pods":3}`,
		`{"container":"app","event":"cannotStart","message":"Back-off pulling image \"web:2\"","pod":"web-6fd8d747-pqrst","reason":"ImagePullBackOff"}`,
		`{}`,
		fmt.Sprintf(`{`+crashedOOM+`"crashes":1,"event":"crash","limit":5}`, 1),
		`{"event":"notObserved","node":"node-1","pod":"web-6fd8d747-fghij"}`,
		`{}`,
		refused,
		refused,
		`{"event":"checksRecovered"}`,
		`{"event":"podsGone","pods":2}`,
		fmt.Sprintf(`{`+crashedOOM+`"crashes":3,"event":"crash","limit":5}`, 3),
		`{` + crashedPanic + `"crashes":4,"event":"crash","limit":5}`,
		`{` + crashedPod + `"crashes":5,"event":"crash","limit":5}`,
		`{"event":"podFailed","message":"Pod was terminated in response to imminent node shutdown.","pod":"web-6fd8d747-zzzzz","reason":"NodeShutdown"}`,
		`{}`,
		`{}`,
		`{"container":"app","event":"logLines","log":"loading\tall orders\r\n\u001b[31mallocating\u001b[0m","pod":"web-6fd8d747-abcde"}`,
		`{}`,
		`{}`,
		`{"crashes":5,"event":"verdict","exitCode":1,"limit":5,"verdict":"fail"}`,
	}
	source, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	documented := regexp.MustCompile(`[a-zA-Z]+`).FindAllString(string(source), -1)
	levels := map[string]string{"INFO": "INF", "WARN": "WRN", "ERROR": "ERR", "DEBUG": "DBG"}
	synctest.Test(t, func(t *testing.T) {
		var sentences, facts []string
		for line := range strings.Lines(record(report.LogOptions{JSON: true, Debug: true}, tell)) {
			var fields map[string]any
			if err := json.Unmarshal([]byte(line), &fields); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			if fields["time"] != "2000-01-01T00:00:00Z" {
				t.Errorf("the time is missing: %s", line)
			}
			if fields["event"] != "logLines" {
				sentences = append(sentences, fmt.Sprintf("%s %s\n", levels[fmt.Sprint(fields["level"])], fields["msg"]))
			}
			for _, key := range []string{"time", "level", "msg"} {
				delete(fields, key)
			}
			for key, value := range fields {
				if !slices.Contains(documented, key) || key == "event" && !slices.Contains(documented, fmt.Sprint(value)) {
					t.Errorf("doc.go does not explain %s: %v", key, value)
				}
			}
			text, err := json.Marshal(fields) // sorted by key
			if err != nil {
				t.Fatal(err)
			}
			facts = append(facts, string(text))
		}
		wantSentences := regexp.MustCompile(`(?m)^(INF|WRN|ERR|DBG) .*\n`).FindAllString(toldText, -1)
		for _, test := range []struct{ got, want []string }{{sentences, wantSentences}, {facts, wantFacts}} {
			if !slices.Equal(test.got, test.want) {
				t.Errorf("got:\n%s\nwant:\n%s", strings.Join(test.got, "\n"), strings.Join(test.want, "\n"))
			}
		}
	})
}

func TestStartSaysUntilWhen(t *testing.T) {
	const s = time.Second
	for _, test := range []struct {
		claim string
		plan  runner.Plan
		want  string
	}{
		{"checks that are counted", runner.Plan{Interval: 5 * s, Count: 10, CrashLimit: 3}, "INF checking every 5s until 00:00:45, 10 checks; fails at 3 crashes\n"},
		{"with an upper bound", runner.Plan{Interval: 5 * s, Count: 10, MaxDuration: 120 * s, CrashLimit: 3}, "INF checking every 5s until 00:00:45, 10 checks, for at most 2m; fails at 3 crashes\n"},
		{"a long window has a date", runner.Plan{Interval: 60 * s, Duration: 48 * time.Hour, CrashLimit: 1}, "INF checking every 1m until 2000-01-03 00:00; fails at 1 crash\n"},
		{"an upper bound is only for COUNT", runner.Plan{Interval: s, Duration: 10 * s, MaxDuration: 5 * s, CrashLimit: 3}, "INF checking every 1s until 00:00:10; fails at 3 crashes\n"},
		{"a limit that one pod cannot reach", runner.Plan{Interval: s, Duration: 10 * s, CrashLimit: 4}, "INF checking every 1s until 00:00:10; fails at 4 crashes\n" +
			"WRN one crash-looping pod cannot reach CRASH_LIMIT 4: it crashes about 3 times in 10s; lower CRASH_LIMIT, or check for longer\n" +
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
			New:         []checker.ContainerCrashes{{Pod: forged, Container: forged, Kind: checker.Main, New: 1, Crashes: 1, Termination: termination}},
			Failed:      []checker.PodFailure{{Pod: forged, Reason: forged, Message: forged}},
			CannotStart: []checker.CannotStart{{Pod: forged, Container: forged, Reason: forged, Message: forged}},
			Unreported:  []checker.UnreportedPod{{Pod: forged, Node: forged}},
		}})
		log.Observe(runner.CheckFailed{Err: errors.New(forged), GiveUpIn: time.Second})
		log.Warn(forged)
		r := result(runner.Fail, "", checker.ContainerCrashes{Pod: forged, Container: forged, Kind: checker.Main, Crashes: 1, Termination: termination})
		r.Namespace = forged
		log.Close(r)
		log.LogLines(forged, forged, []byte(forged))
		log.Close(invalid(forged, forged))
	}
	for _, opts := range []report.LogOptions{{Debug: true}, {JSON: true, Debug: true}} {
		for line := range strings.SplitSeq(strings.TrimSuffix(record(opts, hostile), "\n"), "\n") {
			if strings.HasPrefix(line, "2000-01-01") || report.Escape(line) != line || opts.JSON && !json.Valid([]byte(line)) {
				t.Errorf("a forged line, or not printable: %q", line)
			}
		}
	}
}

// many is a check that finds this many pods with new crashes that cannot start.
func many(n int) runner.Checked {
	event := runner.Checked{Number: 2, Tally: checker.Tally{Pods: n, Crashes: int64(n)}}
	for i := range n {
		pod := fmt.Sprint("pod-", i)
		event.Tally.Appeared = append(event.Tally.Appeared, pod)
		event.Tally.New = append(event.Tally.New, checker.ContainerCrashes{Pod: pod, Container: "app", Kind: checker.Main, New: 1, Crashes: 1})
		event.Tally.CannotStart = append(event.Tally.CannotStart, checker.CannotStart{Pod: pod, Reason: "Unschedulable"})
	}
	return event
}

func TestOneCheckAddsFewLinesHoweverManyPodsThereAre(t *testing.T) {
	for _, test := range []struct {
		pods, lines int
		end         string
	}{
		{10, 1 + 20, "WRN pod pod-9 cannot start: Unschedulable\n"},
		{11, 1 + 20 + 1, "WRN 2 more warnings omitted: a check logs at most 20\n"},
	} {
		got := withoutTimes(record(report.LogOptions{}, func(log *report.Log) {
			log.Observe(many(test.pods))
			next := checker.Tally{CannotStart: many(test.pods).Tally.CannotStart} // known already
			next.New = []checker.ContainerCrashes{{Pod: "last", Container: "app", Kind: checker.Main, New: 1}}
			log.Observe(runner.Checked{Number: 3, Tally: next})
		}))
		if lines := strings.Count(got, "\n"); lines != test.lines+1 {
			t.Errorf("%d pods: %d lines, want %d:\n%s", test.pods, lines, test.lines+1, got)
		}
		// The count continues after lines that were omitted.
		if want := test.end + fmt.Sprintf("WRN crash %d/0: last/app: exit code unknown\n", test.pods+1); !strings.HasSuffix(got, want) {
			t.Errorf("%d pods: the log does not end with %q:\n%s", test.pods, want, got)
		}
	}
}

func TestLogOfEvents(t *testing.T) {
	const s = time.Second
	crash := checker.ContainerCrashes{Pod: "web-1", Container: "app", Kind: checker.Main, New: 2, Termination: &checker.Termination{ExitCode: 3}}
	checked := func(number int64, tally checker.Tally) runner.Event {
		return runner.Checked{Number: number, Tally: tally}
	}
	failed := func(at time.Duration, text string) runner.Event {
		return runner.CheckFailed{Err: errors.New(text), Elapsed: at, GiveUpIn: time.Minute}
	}
	recovered := func(at time.Duration) runner.Event {
		return runner.Checked{Number: 2, Failures: 1, Elapsed: at, Unobserved: s, Tally: checker.Tally{Pods: 1}}
	}
	const said, again = "WRN check failed, retrying for up to 1m: ", "INF checks succeed again after 1 failure; pods were not observed for 1s\n"
	for _, test := range []struct {
		claim  string
		events []runner.Event
		want   string
	}{
		{"what the first check finds is marked", []runner.Event{
			checked(1, checker.Tally{Pods: 1, Appeared: []string{"web-1"}, New: []checker.ContainerCrashes{crash}}),
			checked(2, checker.Tally{Pods: 1, New: []checker.ContainerCrashes{crash}}),
		}, "INF 1 pod found: web-1\n" +
			"WRN crash 2/0: web-1/app: 2 crashes, last: exit code 3 (found at the first check)\n" +
			"WRN crash 4/0: web-1/app: 2 crashes, last: exit code 3\n"},
		{"an error is logged once in a streak", []runner.Event{failed(s, "a"), failed(10*s, "a"), failed(60*s, "a")}, said + "a\n"},
		{"another error is not logged less than 5 s later", []runner.Event{failed(s, "a"), failed(6*s-1, "b")}, said + "a\n"},
		{"another error is logged 5 s later", []runner.Event{failed(s, "a"), failed(6*s, "b")}, said + "a\n" + said + "b\n"},
		{"the same error is logged again in the next streak", []runner.Event{failed(s, "a"), recovered(7 * s), failed(8*s, "a")}, said + "a\n" + again + said + "a\n"},
		{"the end of a streak is not logged if its errors were not", []runner.Event{failed(s, "a"), recovered(2 * s), failed(3*s, "a"), recovered(4 * s)}, said + "a\n" + again},
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

func TestTheVersionOfAWorkloadIsNamedEverywhere(t *testing.T) {
	const hash, superseded = "pod-template-hash=6fd8d747", "superseded by version 7c9d8b6f55; the checked version was 6fd8d747"
	unknown := checker.Version{Pending: "deployment shop is paused"}
	known := checker.Version{Name: "6fd8d747", Selector: labels.SelectorFromSet(labels.Set{"pod-template-hash": "6fd8d747"})}
	r := result(runner.Inconclusive, runner.Superseded)
	r.Workload, r.Version, r.Last.Superseded = "deployment/shop", known, superseded
	synctest.Test(t, func(t *testing.T) {
		got := record(report.LogOptions{Terminal: true}, func(log *report.Log) {
			log.Start("v1", r)
			for i, version := range []checker.Version{unknown, unknown, known, known} {
				log.Observe(runner.Checked{Number: int64(i + 1), Tally: checker.Tally{Version: version}})
			}
			log.Close(r)
		})
		want := `00:00:00 INF crashcheck v1: watching deployment/shop in namespace shop
00:00:00 INF checking every 5s until 00:05:00; fails at 5 crashes
00:00:00 WRN the version to check is not known yet: deployment shop is paused
00:00:00 INF checking version 6fd8d747: pods with ` + hash + `
00:00:00 INF 61 checks in 5m1s, 3 pods seen
00:00:00 INF no verdict about the release: do not promote; run the gate again to check the current version
00:00:00 ERR INCONCLUSIVE (exit code 3): ` + superseded + "\n"
		if got != want {
			t.Errorf("got the log\n%s\nwant\n%s", got, want)
		}
	})
	start := record(report.LogOptions{JSON: true}, func(log *report.Log) { log.Start("v1", r) })
	if want := `"workload":"deployment/shop"`; !strings.Contains(start, want) {
		t.Errorf("got the JSON log\n%s\nwant %s", start, want)
	}
	if line, want := string(report.JSONLine(r)), `"workload":"deployment/shop","selector":"`+hash+`",`; !strings.Contains(line, want) {
		t.Errorf("got the line %s\nwant %s", line, want)
	}
	if got, want := report.TerminationMessage(r), "INCONCLUSIVE: "+superseded+"\n- checked version 6fd8d747 of deployment/shop"; got != want {
		t.Errorf("got the termination message\n%s\nwant\n%s", got, want)
	}
}

func TestEndOfTheLog(t *testing.T) {
	last := func(verdict runner.Verdict, cause runner.Cause, last checker.Tally) report.Result {
		r := result(verdict, cause)
		r.Last = last
		return r
	}
	signaled := failing(runner.Interrupted, "", runner.SignalError{Signal: syscall.SIGTERM})
	signaled.Signal = syscall.SIGTERM
	paused := result(runner.Inconclusive, runner.NoVersion)
	paused.Workload, paused.Version.Pending = "deployment/shop", "deployment shop is paused"
	empty := result(runner.Inconclusive, runner.NeverMatched)
	empty.Workload = "deployment/shop"
	const (
		summary   = "INF 61 checks in 5m1s, 3 pods seen\n"
		noVerdict = summary + "INF no verdict about the release: do not promote"
	)
	for _, test := range []struct {
		claim  string
		result report.Result
		want   string
	}{
		{"a pass is information", result(runner.Pass, ""), summary + "INF PASS (exit code 0): no crashes within 5m1s, limit 5\n"},
		{"a pass with a pod that is not Ready is a warning", last(runner.Pass, "", checker.Tally{Active: 2, NotReady: []string{"web-1"}}),
			summary + "WRN PASS (exit code 0): no crashes within 5m1s, limit 5; 1 of 2 pods was not Ready at the final check: web-1\n"},
		{"not ready: describe shows why", last(runner.NotReady, runner.PodsNotReady, checker.Tally{Active: 2, NotReady: []string{"web-1", "web-2"}}),
			summary + "INF details: kubectl -n shop describe pod web-1\nERR NOT READY (exit code 4): no crashes within 5m1s, limit 5; 2 of 2 pods were not Ready at the final check: web-1, web-2\n"},
		{"no pods matched: the labels show why", result(runner.Inconclusive, runner.NeverMatched),
			noVerdict + "; check HASH (or SELECTOR) and NAMESPACE: kubectl -n shop get pods --show-labels\nERR INCONCLUSIVE (exit code 3): no pod matched pod-template-hash=6fd8d747\n"},
		{"a workload has no pods: its conditions show why", empty,
			noVerdict + "; details: kubectl -n shop describe deployment/shop\nERR INCONCLUSIVE (exit code 3): no pod matched pod-template-hash=6fd8d747\n"},
		{"a container that cannot start", last(runner.Inconclusive, runner.NeverRan, checker.Tally{NotReady: []string{"web-1"}, CannotStart: []checker.CannotStart{{Pod: "web-2"}}}),
			noVerdict + "; details: kubectl -n shop describe pod web-2\nERR INCONCLUSIVE (exit code 3): at most 2 pods ran at the same time; pod web-2 cannot start\n"},
		{"a node that does not report", last(runner.Inconclusive, runner.Unreported, checker.Tally{Active: 1, NotReady: []string{"web-1"}, Unreported: []checker.UnreportedPod{{Pod: "web-1", Node: "node-1"}}}),
			noVerdict + "; details: kubectl describe node node-1\nERR INCONCLUSIVE (exit code 3): the node of 1 of 1 pod has stopped reporting: node-1\n"},
		{"no pods remained", last(runner.Inconclusive, runner.Gone, checker.Tally{}),
			noVerdict + "; details: kubectl -n shop get pods --show-labels\nERR INCONCLUSIVE (exit code 3): no pods remained at the final check (none since 00:00:00)\n"},
		{"the final check set the baseline", result(runner.Inconclusive, runner.NoBaseline),
			noVerdict + "; run the gate again\nERR INCONCLUSIVE (exit code 3): only the final check could list the pods; BASELINE=start needs an earlier check to compare it with\n"},
		{"the version is not known", paused,
			noVerdict + "; details: kubectl -n shop describe deployment/shop\nERR INCONCLUSIVE (exit code 3): the version to check is not known: deployment shop is paused\n"},
		{"access is denied", failing(runner.Inconclusive, runner.Denied, errors.New("403 Forbidden")),
			noVerdict + "; fix the problem that the next line names\nERR INCONCLUSIVE (exit code 3): the API server denies access: 403 Forbidden\n"},
		{"an evicted pod has no log", result(runner.Fail, "", evicted),
			"CRASHES  KIND  LAST CRASH  POD/CONTAINER       LAST TERMINATION\n" +
				"1        pod   -           web-6fd8d747-klmno  Evicted: Usage of EmptyDir volume \"data\" exceeds the limi…\n" +
				summary + "INF details: kubectl -n shop describe pod web-6fd8d747-klmno\n" +
				"ERR FAIL (exit code 1): 1 crash in 1 of 3 pods, limit 5; worst: pod web-6fd8d747-klmno (1 crash, Evicted)\n"},
		{"SIGTERM", signaled, noVerdict + "; find out what ended the run (a deleted Job, its deadline, an eviction), then run it again\n" +
			"ERR INTERRUPTED (exit code 143): ended by SIGTERM after 5m1s, before a verdict about the release was reached; no crashes, limit 5\n"},
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

func TestTheLastTenLinesSayWhatCrashedAndWhy(t *testing.T) {
	var containers []checker.ContainerCrashes
	want := "CRASHES  KIND  LAST CRASH  POD/CONTAINER              LAST TERMINATION\n"
	for i := range 50 {
		c := oom
		c.Pod, c.Termination = fmt.Sprintf("checkout-6fd8d747b5-%d", i), &checker.Termination{ExitCode: 1, FinishedAt: finished}
		containers = append(containers, c)
		if i < 4 {
			want += fmt.Sprintf("3        main  23:59:58    %s/app  exit code 1\n", c.Pod)
		}
	}
	want += `and 46 more containers
timeline: 1???????????????????????????? (2m8s per character; 1 to 9: crashes, +: more, ?: not observed)
INF 61 checks in 1h, 3 pods seen, 1 failed attempt
INF logs, while the pod exists: kubectl -n shop logs checkout-6fd8d747b5-0 -c app --previous
ERR FAIL (exit code 1): 150 crashes in 1 of 3 pods, limit 5; worst: checkout-6fd8d747b5-0/app (3 crashes, exit code 1)
`
	got := withoutTimes(record(report.LogOptions{}, func(log *report.Log) {
		log.Observe(many(1))
		r := result(runner.Fail, "", containers...)
		r.FailedChecks, r.Failures, r.Elapsed = 1, 1, time.Hour
		log.Close(r)
	}))
	if strings.Count(want, "\n") != 10 || !strings.HasSuffix(got, want) {
		t.Errorf("got:\n%s\nwant at the end, ten lines:\n%s", got, want)
	}
	got = record(report.LogOptions{}, func(log *report.Log) { log.Close(result(runner.Fail, "", containers[:4]...)) })
	if strings.Contains(got, "more container") {
		t.Errorf("the log shows all four containers, and counts more:\n%s", got)
	}
}
