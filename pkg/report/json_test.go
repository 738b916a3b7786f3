package report_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/pkg/report"
	"github.com/crashcheck/crashcheck/pkg/runner"
)

func TestJSONLine(t *testing.T) {
	const seen = `"checks":61,"failedChecks":0,"pods":3,"namespace":"shop","selector":"pod-template-hash=6fd8d747","elapsedSeconds":301.235,"longestGapSeconds":5.002,`
	for _, test := range []struct {
		claim  string
		result report.Result
		want   string
	}{
		{"a pass shows its zeros", result(runner.Pass, "no crashes within 5m1s, below CRASH_LIMIT 5"),
			`{"Crashes":0,"verdict":"pass","reason":"no crashes within 5m1s, below CRASH_LIMIT 5","limit":5,` + seen + `"containers":[]}`},
		{"a fail names its containers, and what is unknown of them is null", result(runner.Fail, "4 crashes", oom, panicked),
			`{"Crashes":4,"verdict":"fail","reason":"4 crashes","limit":5,` + seen + `"containers":[` +
				`{"pod":"web-6fd8d747-abcde","container":"app","kind":"main","crashes":3,"exitCode":137,"signal":9,"reason":"OOMKilled","message":null,"finishedAt":"1999-12-31T23:59:58Z"},` +
				`{"pod":"web-6fd8d747-fghij","container":"proxy","kind":"sidecar","crashes":1,"exitCode":2,"signal":null,"reason":"Error","message":"panic: no such table: orders\n\ngoroutine 1 [running]:\nmain.main()","finishedAt":"1999-12-31T23:59:58Z"}]}`},
		{"an end that nobody saw is unknown, exit code 0 is not", result(runner.Fail, "2 crashes",
			checker.ContainerCrashes{Pod: "a", Container: "b", Kind: checker.Init, Crashes: 1},
			checker.ContainerCrashes{Pod: "a", Container: "c", Kind: checker.Main, Crashes: 1, End: &checker.End{Reason: "Completed"}}),
			`{"Crashes":2,"verdict":"fail","reason":"2 crashes","limit":5,` + seen + `"containers":[` +
				`{"pod":"a","container":"b","kind":"init","crashes":1,"exitCode":null,"signal":null,"reason":null,"message":null,"finishedAt":null},` +
				`{"pod":"a","container":"c","kind":"main","crashes":1,"exitCode":0,"signal":null,"reason":"Completed","message":null,"finishedAt":null}]}`},
		{"not ready", result(runner.NotReady, "1 of 3 pods was not Ready"),
			`{"Crashes":0,"verdict":"not_ready","reason":"1 of 3 pods was not Ready","limit":5,` + seen + `"containers":[]}`},
		{"interrupted", interrupted(syscall.SIGTERM),
			`{"Crashes":0,"verdict":"interrupted","reason":"ended by SIGTERM after 12s, before the window had closed","limit":5,` + seen + `"containers":[]}`},
		{"inconclusive, before any check", report.Result{
			Outcome:   runner.Outcome{Verdict: runner.Inconclusive, Reason: "no answer", FailedChecks: 3, Selector: "a=b or c=b", Elapsed: time.Second, LongestGap: time.Second},
			Namespace: "shop", Limit: 1,
		}, `{"Crashes":0,"verdict":"inconclusive","reason":"no answer","limit":1,"checks":0,"failedChecks":3,"pods":0,"namespace":"shop","selector":"a=b or c=b","elapsedSeconds":1,"longestGapSeconds":1,"containers":[]}`},
		{"invalid, with nothing known", report.Result{Outcome: runner.Outcome{Verdict: runner.Invalid, Reason: "HASH: required"}},
			`{"Crashes":0,"verdict":"invalid","reason":"HASH: required","limit":null,"checks":0,"failedChecks":0,"pods":0,"namespace":null,"selector":null,"elapsedSeconds":0,"longestGapSeconds":0,"containers":[]}`},
		{"invalid, with what is known", report.Result{Outcome: runner.Outcome{Verdict: runner.Invalid, Reason: "INTERVAL: required", Selector: "a=b"}, Namespace: "shop", Limit: 7, Faults: []string{"one", "two"}},
			`{"Crashes":0,"verdict":"invalid","reason":"INTERVAL: required","limit":7,"checks":0,"failedChecks":0,"pods":0,"namespace":"shop","selector":"a=b","elapsedSeconds":0,"longestGapSeconds":0,"containers":[]}`},
		{"text from the cluster can forge neither a line nor a control sequence", result(runner.Inconclusive, "a\n{\"Crashes\":0}\x1b[2J\u009b31m\u202e<&>"),
			`{"Crashes":0,"verdict":"inconclusive","reason":"a\n{\"Crashes\":0}\u001b[2J\u009b31m\u202e<&>","limit":5,` + seen + `"containers":[]}`},
	} {
		t.Run(test.claim, func(t *testing.T) {
			if got := string(report.JSONLine(test.result)); got != test.want+"\n" {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestJSONLineHasAtMost20Containers(t *testing.T) {
	for _, crashed := range []int{19, 20, 21} {
		var containers []checker.ContainerCrashes
		for i := range crashed {
			containers = append(containers, checker.ContainerCrashes{Pod: fmt.Sprint("pod-", i), Container: "app", Kind: checker.Main, Crashes: 1})
		}
		var line struct {
			Crashes    int64
			Containers []struct{ Pod string }
		}
		if err := json.Unmarshal(report.JSONLine(result(runner.Fail, "many", containers...)), &line); err != nil {
			t.Fatal(err)
		}
		if want := min(crashed, 20); len(line.Containers) != want {
			t.Errorf("%d crashed, the line holds %d, want %d", crashed, len(line.Containers), want)
		}
		for i, c := range line.Containers {
			if want := fmt.Sprint("pod-", i); c.Pod != want {
				t.Errorf("container %d is of %s, want %s: the worst come first", i, c.Pod, want)
			}
		}
		if line.Crashes != int64(crashed) {
			t.Errorf("Crashes is %d, want %d: those of containers left out count too", line.Crashes, crashed)
		}
	}
}

func TestJSONLineKeepsTheVerdictWhateverTheTimesAre(t *testing.T) {
	strange := checker.ContainerCrashes{Pod: "a", Container: "b", Kind: checker.Main, Crashes: 1,
		End: &checker.End{ExitCode: 1, FinishedAt: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}} // JSON has years of four digits
	line := report.JSONLine(result(runner.Fail, "1 crash", strange))
	if !json.Valid(line) || !bytes.HasPrefix(line, []byte(`{"Crashes":1,"verdict":"fail"`)) || !bytes.Contains(line, []byte(`"finishedAt":null`)) {
		t.Errorf("got %s", line)
	}
}

// A pipe holds 64 KiB without being read: a longer line could be cut off.
func TestTheLineFitsIntoAPipe(t *testing.T) {
	r := report.Result{Outcome: runner.Outcome{Verdict: runner.Fail, Reason: strings.Repeat("\x1b", 100_000)}}
	for i := range 20 {
		r.Containers = append(r.Containers, checker.ContainerCrashes{
			Pod: fmt.Sprint("web-", i), Container: "app", Crashes: 1,
			End: &checker.End{ExitCode: 1, Reason: strings.Repeat("\x1b", 512), Message: strings.Repeat("\u009b", 256)},
		})
	}
	line := report.JSONLine(r)
	var parsed struct{ Containers []struct{ Pod string } }
	if err := json.Unmarshal(line, &parsed); err != nil || len(line) > 60_000 {
		t.Fatalf("%d bytes, %v", len(line), err)
	}
	if n := len(parsed.Containers); n < 5 || parsed.Containers[0].Pod != "web-0" {
		t.Errorf("%d containers are left: %v", n, parsed.Containers)
	}
}
