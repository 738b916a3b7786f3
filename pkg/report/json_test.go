package report_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/pkg/report"
	"github.com/crashcheck/crashcheck/pkg/runner"
)

func TestJSONLine(t *testing.T) {
	const seen = `"limit":5,"checks":61,"failedChecks":0,"pods":3,"namespace":"shop","workload":null,"selector":"pod-template-hash=6fd8d747","elapsedSeconds":301.235,"longestGapSeconds":5.002,`
	const nothing = `"checks":0,"failedChecks":0,"pods":0,"namespace":null,"workload":null,"selector":null,"elapsedSeconds":0,"longestGapSeconds":0,"containers":[]}`
	rejected := failing(runner.Inconclusive, runner.Rejected, errors.New("a 🚀\n{\"Crashes\":0}\x1b[2J\u009b31m\u202e<&>"))
	unknown := report.Result{Namespace: "shop", Outcome: runner.Outcome{
		Verdict: runner.Inconclusive, Cause: runner.Rejected, Err: errors.New("400"), Plan: runner.Plan{CrashLimit: 1},
		FailedChecks: 3, Selector: "a=b or c=b", Elapsed: time.Second, LongestGap: time.Second,
	}}
	known := invalid("INTERVAL: required", "DURATION: required")
	known.Namespace, known.Workload, known.Plan.CrashLimit = "shop", "deployment/shop", 7
	negative := invalid("CRASH_LIMIT: must be at least 1")
	negative.Plan.CrashLimit = -3
	farFuture := time.Date(10000, time.January, 1, 0, 0, 0, 0, time.UTC) // JSON has years of four digits
	for _, test := range []struct {
		claim  string
		result report.Result
		want   string
	}{
		{"a pass shows its zeros", result(runner.Pass, ""), `{"Crashes":0,"verdict":"pass","reason":"no crashes within 5m1s, limit 5",` + seen + `"containers":[]}`},
		{"a fail names its containers; their unknown values are null", result(runner.Fail, "", oom, panicked, evicted),
			`{"Crashes":5,"verdict":"fail","reason":"5 crashes in 3 of 3 pods, limit 5; worst: web-6fd8d747-abcde/app (3 crashes, exit code 137, signal 9 (OOMKilled))",` + seen + `"containers":[` +
				`{"pod":"web-6fd8d747-abcde","container":"app","kind":"main","crashes":3,"exitCode":137,"signal":9,"reason":"OOMKilled","message":null,"finishedAt":"1999-12-31T23:59:58Z"},` +
				`{"pod":"web-6fd8d747-fghij","container":"proxy","kind":"sidecar","crashes":1,"exitCode":2,"signal":null,"reason":"Error","message":"panic: no such table: orders\n\ngoroutine 1 [running]:\nmain.main()","finishedAt":"1999-12-31T23:59:58Z"},` +
				`{"pod":"web-6fd8d747-klmno","container":null,"kind":"pod","crashes":1,"exitCode":null,"signal":null,"reason":"Evicted","message":"Usage of EmptyDir volume \"data\" exceeds the limit \"1Mi\".","finishedAt":null}]}`},
		{"a termination that nobody saw is unknown, and a time that JSON cannot hold; exit code 0 is known", result(runner.Fail, "",
			checker.ContainerCrashes{Pod: "a", Container: "b", Kind: checker.Init, Crashes: 1},
			checker.ContainerCrashes{Pod: "a", Container: "c", Kind: checker.Main, Crashes: 1, Termination: &checker.Termination{Reason: "Completed", FinishedAt: farFuture}}),
			`{"Crashes":2,"verdict":"fail","reason":"2 crashes in 1 of 3 pods, limit 5; worst: a/b (init) (1 crash, exit code unknown)",` + seen + `"containers":[` +
				`{"pod":"a","container":"b","kind":"init","crashes":1,"exitCode":null,"signal":null,"reason":null,"message":null,"finishedAt":null},` +
				`{"pod":"a","container":"c","kind":"main","crashes":1,"exitCode":0,"signal":null,"reason":"Completed","message":null,"finishedAt":null}]}`},
		{"inconclusive, without a successful check", unknown,
			`{"Crashes":0,"verdict":"inconclusive","reason":"the API server rejects the request: 400","limit":1,"checks":0,"failedChecks":3,"pods":0,"namespace":"shop","workload":null,"selector":"a=b or c=b","elapsedSeconds":1,"longestGapSeconds":1,"containers":[]}`},
		{"invalid, with nothing known", invalid("HASH: required"), `{"Crashes":0,"verdict":"invalid","reason":"HASH: required","limit":null,` + nothing},
		{"invalid, with what is known, and all errors", known,
			`{"Crashes":0,"verdict":"invalid","reason":"INTERVAL: required; DURATION: required","limit":7,"checks":0,"failedChecks":0,"pods":0,"namespace":"shop","workload":"deployment/shop","selector":"","elapsedSeconds":0,"longestGapSeconds":0,"containers":[]}`},
		{"a limit that is invalid is unknown", negative, `{"Crashes":0,"verdict":"invalid","reason":"CRASH_LIMIT: must be at least 1","limit":null,` + nothing},
		{"text from the cluster can forge neither a line nor a control sequence", rejected,
			`{"Crashes":0,"verdict":"inconclusive","reason":"the API server rejects the request: a 🚀\n{\"Crashes\":0}\u001b[2J\u009b31m\u202e<&>",` + seen + `"containers":[]}`},
	} {
		t.Run(test.claim, func(t *testing.T) {
			if got := string(report.JSONLine(test.result)); got != test.want+"\n" {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestJSONLineHasAtMost20Containers(t *testing.T) {
	for _, crashed := range []int{20, 21} {
		var containers []checker.ContainerCrashes
		for i := range crashed {
			containers = append(containers, checker.ContainerCrashes{Pod: fmt.Sprint("pod-", i), Container: "app", Kind: checker.Main, Crashes: 1})
		}
		line := parseLine(t, report.JSONLine(result(runner.Fail, "", containers...)))
		if len(line.Containers) != 20 || line.Containers[0].Pod != "pod-0" || line.Containers[19].Pod != "pod-19" {
			t.Errorf("%d crashed, the line has %d, want the first 20: %v", crashed, len(line.Containers), line.Containers)
		}
		if line.Crashes != crashed {
			t.Errorf("Crashes is %d, want %d: those of containers that are left out count too", line.Crashes, crashed)
		}
	}
}

type parsedLine struct {
	Crashes    int
	Containers []struct{ Pod string }
}

func parseLine(t *testing.T, line []byte) (parsed parsedLine) {
	t.Helper()
	if err := json.Unmarshal(line, &parsed); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	return parsed
}

// A pipe holds 64 KiB that nobody reads: a longer line could be truncated.
func TestJSONLineFitsInAPipe(t *testing.T) {
	r := failing(runner.Inconclusive, runner.Rejected, errors.New(strings.Repeat("\x1b", 100_000)))
	for i := range 20 {
		r.Containers = append(r.Containers, checker.ContainerCrashes{
			Pod: fmt.Sprint("web-", i), Container: "app", Crashes: 1,
			Termination: &checker.Termination{ExitCode: 1, Reason: strings.Repeat("\x1b", 512), Message: strings.Repeat("\u009b", 256)},
		})
	}
	text := report.JSONLine(r)
	if len(text) > 60_000 {
		t.Errorf("%d bytes", len(text))
	}
	if line := parseLine(t, text); len(line.Containers) < 5 || line.Containers[0].Pod != "web-0" {
		t.Errorf("these containers are left: %v", line.Containers)
	}
	r.Selector = strings.Repeat("a", 100_000) // nothing that can be left out: the line is complete
	if line := parseLine(t, report.JSONLine(r)); len(line.Containers) != 0 {
		t.Errorf("these containers are left: %v", line.Containers)
	}
}
