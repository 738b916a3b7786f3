package main

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	ms         = time.Millisecond
	recordings = "../../pkg/checker/testdata/traces"
)

// sample is a small set of results with round figures.
func sample() Results {
	r := Results{
		Machine: Machine{Processor: "Some CPU", Kernel: "6.1", Go: "go1.26", Processors: 2}, Took: 10 * time.Minute,
		Server: "v1.37.2", OldestServer: "v1.29.15",
	}
	for _, s := range []Scenario{{10, 0}, {1000, 0}, {10, 5000}} {
		n := time.Duration(s.Pods)
		for i, rival := range rivals {
			r.Checks = append(r.Checks, Check{
				Rival: rival.name, Scenario: s, Gate: n * []time.Duration{10, 1000, 50, 5}[i] * time.Microsecond,
				API: n * []time.Duration{200, 500, 205, 200}[i] * time.Microsecond, APIError: n * 10 * time.Microsecond,
				Etcd: []time.Duration{0, 20 * ms, 0, 0}[i], EtcdError: ms / 10,
				Bytes: []float64{102e3, 200e3, 100e3, 100e3}[i], Peak: []int64{16, 64, 32, 4}[i] << 20,
			})
		}
		r.Checks = append(r.Checks, Check{Rival: jsonName, Scenario: s, Gate: n * ms, Peak: 33 << 20})
		r.OldestChecks = append(r.OldestChecks,
			Check{Rival: crashcheckName, Scenario: s, API: 40 * ms, APIError: ms}, Check{Rival: typedName, Scenario: s, API: 20 * ms, APIError: ms})
	}
	for i, rival := range rivals[:3] {
		cost := Check{Rival: rival.name, Scenario: Scenario{Pods: 10}, Gate: []time.Duration{60, 6000, 120}[i] * ms, API: 100 * ms, APIError: 5 * ms}
		r.Runs = append(r.Runs, Run{cost, ms, 3 * ms})
	}
	r.Latency = []Latency{{crashcheckName, 100, 10, 500 * ms, time.Second}, {kubectlName, 100, 8, time.Second, 2 * time.Second}}
	r.Compression = []Compression{{"some pods", 20, 4000, 400}}
	r.Streams = []Stream{
		{Name: "looping", Ended: 100, Crashes: []float64{5, 5, 10, 30, 50, 100}, Restarts: []float64{5, 10, 30, 50}},
		{Name: "healthy", Ended: 10},
	}
	return r
}

func wantLines(t *testing.T, page string, lines ...string) {
	t.Helper()
	all := strings.Split(page, "\n")
	for _, line := range lines {
		if !slices.Contains(all, line) {
			t.Errorf("there is no line\n%s\nin\n%s", line, page)
		}
	}
}

func TestTheSummaryHasEveryColumnWithItsAim(t *testing.T) {
	wantLines(t, sample().summary(),
		`| per check | pods | against kubectl \| jq | crashcheck | kubectl \| jq | typed clientset | bare HTTP | aim | reached |`,
		`| CPU of the gate | 10 | **1/100** | 100 µs | 10 ms | 500 µs | 50 µs | ≤ 1/80 of kubectl \| jq, < typed | yes |`,
		`| CPU of kube-apiserver | 10 | **1/2.5** | 2 ms | 5 ms | 2.05 ms | 2 ms | < both | level |`,
		`| CPU of kube-apiserver | 1,000 | **1/2.5** | 200 ms | 500 ms | 205 ms | 200 ms | ≤ 1/2 of kubectl \| jq, < typed | level |`,
		`| CPU of etcd | 10 among 5,010 | – | < 100 µs | 20 ms | < 100 µs | < 100 µs | ≤ 2 ms | yes |`,
		`| bytes on the wire | 10 | **1/2.0** | 102 kB | 200 kB | 100 kB | 100 kB | < kubectl \| jq, ≤ typed | yes |`,
		`| peak memory | 10 | **1/4.0** | 16 MiB | 64 MiB | 32 MiB | 4 MiB | ≤ 16 MiB | yes |`,
		`| peak memory, JSON answers | 10 | **1/1.9** | 33 MiB | 64 MiB | 32 MiB | 4 MiB | ≤ 32 MiB | **no** |`,
		`| peak memory, JSON answers | 1,000 | **1/1.9** | 33 MiB | 64 MiB | 32 MiB | 4 MiB | ≤ 36 MiB | yes |`,
		`| limit-th crash to exit, INTERVAL 1s, latest | 100 |  | 1 s | 2 s |  |  | ≤ INTERVAL + 0.1 s | yes |`,
		`| CPU of the gate | 10 | **1/100** | 60 ms | 6 s | 120 ms |`,
		`| CPU of kube-apiserver | 10 | **1.0×** | 100 ms ± 5 ms | 100 ms ± 5 ms | 100 ms ± 5 ms |`,
	)
}

func TestAimsAreReachedAtTheirLimitAndNotBeyond(t *testing.T) {
	kubectl := Check{Gate: 80 * ms, API: 20 * ms, Bytes: 200, Peak: 1 << 30}
	typed := Check{Gate: 2 * ms, API: 10 * ms, Bytes: 100}
	small, large := Scenario{10, 5000}, Scenario{5000, 0}
	for _, test := range []struct {
		claim    string
		figure   figure
		scenario Scenario
		ours     Check
		want     mark
	}{
		{"an 80th of kubectl's CPU", gateCPU, small, Check{Gate: ms}, yes},
		{"more than an 80th", gateCPU, small, Check{Gate: ms + 1}, no},
		{"as much as the typed clientset", gateCPU, small, Check{Gate: 2 * ms}, no},
		{"less of the API server than both", apiCPU, small, Check{API: 9 * ms}, yes},
		{"more of the API server than the typed clientset", apiCPU, small, Check{API: 11 * ms}, no},
		{"more, but within the error", apiCPU, small, Check{API: 11 * ms, APIError: ms}, level},
		{"less than half of kubectl's", apiCPU, large, Check{API: 9 * ms}, yes},
		{"more than half of kubectl's", apiCPU, large, Check{API: 11 * ms}, no},
		{"2 ms of etcd", etcdCPU, large, Check{Etcd: 2 * ms}, yes},
		{"more of etcd", etcdCPU, large, Check{Etcd: 2*ms + 1}, no},
		{"as many bytes as the typed clientset", wireBytes, small, Check{Bytes: 103}, yes},
		{"more bytes than the typed clientset", wireBytes, small, Check{Bytes: 104}, no},
		{"as many bytes as kubectl", wireBytes, small, Check{Bytes: 200}, no},
		{"16 MiB for 10 pods", peakMemory, small, Check{Peak: 16 << 20}, yes},
		{"more for 10 pods", peakMemory, small, Check{Peak: 16<<20 + 1}, no},
		{"18 MiB for 5,000 pods", peakMemory, large, Check{Peak: 18 << 20}, yes},
		{"more for 5,000 pods", peakMemory, large, Check{Peak: 18<<20 + 1}, no},
		{"twice that for JSON", jsonPeak, large, Check{Peak: 36 << 20}, yes},
	} {
		if got := test.figure.aim(test.scenario).reached(test.ours, kubectl, typed); got != test.want {
			t.Errorf("%s: %s, want %s", test.claim, got, test.want)
		}
	}
}

func TestAFigureWithinItsErrorIsABound(t *testing.T) {
	for _, test := range []struct {
		check Check
		want  string
	}{
		{Check{Rival: "r", API: 10 * ms, APIError: ms}, "10 ms ± 1 ms"},
		{Check{Rival: "r", API: ms, APIError: 2 * ms}, "< 2 ms"},
		{Check{Rival: "r", API: -ms}, "< 10 µs"},
		{Check{}, ""},
	} {
		if got := apiCPU.cell(test.check, true); got != test.want {
			t.Errorf("%+v is written %q, want %q", test.check, got, test.want)
		}
	}
}

func TestAWholeRunIsTheStartAndAllItsChecks(t *testing.T) {
	// Two gates: the first check of each costs 12 with the start, four more cost 2 each.
	one := total{gates: 24 * ms, api: 30 * ms, elapsed: time.Second}
	many := total{gates: 40 * ms, api: 150 * ms, elapsed: 5 * time.Second}
	got := scaleRun(one, many, 2, 5, idle{api: 0.02, apiError: 0.001})
	var want Run
	want.Gate, want.GateCheck = (12+60*2)*ms, 2*ms
	// Of the API server's 30, idle use is 20; of 120 for four more checks, it is 80.
	want.API, want.APICheck, want.APIError = (5+60*5)*ms, 5*ms, 61*ms/2
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestIdleUseIsTheMeanOfItsMeasurements(t *testing.T) {
	rest := func(api, etcd time.Duration) total { return total{api: api, etcd: etcd, elapsed: time.Second} }
	quiet := newIdle([]total{rest(10*ms, ms), rest(30*ms, 3*ms)})
	if want := (idle{0.02, 0.01, 0.002, 0.001}); math.Abs(quiet.api-want.api)+math.Abs(quiet.apiError-want.apiError)+
		math.Abs(quiet.etcd-want.etcd)+math.Abs(quiet.etcdError-want.etcdError) > 1e-9 {
		t.Fatalf("got %+v, want %+v", quiet, want)
	}
}

func TestACheckIsTheMedianOfItsRounds(t *testing.T) {
	rounds := []total{
		{gates: ms, api: 14 * ms, etcd: ms, elapsed: 100 * ms, peak: 7},
		{gates: 3 * ms, api: 18 * ms, etcd: ms, elapsed: 100 * ms, peak: 9},
		{gates: 2 * ms, api: 16 * ms, etcd: ms, elapsed: 100 * ms, peak: 8},
	}
	got := medianCheck(rounds, idle{api: 0.02, etcd: 0.01, etcdError: 0.02})
	// The rounds' standard error is 2/√3; that of etcd comes from its idle use alone.
	within := got.APIError - 1154700
	if want := (Check{Gate: 2 * ms, API: 14 * ms, APIError: got.APIError, EtcdError: 2 * ms, Peak: 8}); got != want || within.Abs() > 10 {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestTheStartIsNotInACheck(t *testing.T) {
	got := each(total{gates: 100 * ms, api: 50 * ms, elapsed: time.Second, peak: 5}, total{gates: 10 * ms, api: 5 * ms, elapsed: 100 * ms, peak: 6}, 10)
	if want := (total{gates: 10 * ms, api: 5 * ms, elapsed: 100 * ms, peak: 6}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestTheReportIsCompleteAndLeavesOutPartsThatWereNotMeasured(t *testing.T) {
	folder := t.TempDir()
	if err := sample().writeReport(folder); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"SUMMARY.md", "cpu.svg", "api.svg", "memory.svg", limitsChart} {
		if info, err := os.Stat(filepath.Join(folder, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	read := func() string {
		page, err := os.ReadFile(filepath.Join(folder, "RESULTS.md"))
		if err != nil {
			t.Fatal(err)
		}
		return string(page)
	}
	wantLines(t, read(),
		`## A check: Kubernetes v1.37.2`,
		`| CPU of kube-apiserver | 10 | **1/2.5** | 2 ms ± 100 µs | 5 ms ± 100 µs | 2.05 ms ± 100 µs | 2 ms ± 100 µs | < both | level |`,
		`| CPU of the gate, JSON answers | 10 |  | 10 ms |  |  |  |  |  |`,
		`## A check: Kubernetes v1.29.15`,
		`| CPU of kube-apiserver | 10 among 5,010 | **2.0×** | 40 ms ± 1 ms | 20 ms ± 1 ms |`,
		`| crashcheck, 10 pods | 1 ms | 100 µs | 3 ms | 2 ms |`,
		`| some pods | 20 | 4,000 | 400 | 1/10 |`,
		`| looping | 5 / 5 s | 5 / 10 s | 10 / 30 s | 30 / 50 s | 50 s / not within 100 s | 100 s / not within 100 s |`,
	)
	if strings.Contains(read(), "healthy") {
		t.Error("a stream without crashes is compared")
	}
	if err := (Results{}).writeReport(folder); err != nil {
		t.Fatal(err)
	}
	if page := read(); strings.Contains(page, "\n## ") {
		t.Errorf("a report of nothing is %s", page)
	}
}

func TestACrashIsSeenAtTheNextCheck(t *testing.T) {
	if got, want := seenAt([]float64{0.1, 5, 5.1, 27, 40, 41, 42}), []float64{5, 5, 10, 30, 40, 45}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	all, err := readStreams(filepath.Join(recordings, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	if looping := (Results{Streams: all}).loopingStreams(); len(looping) == 0 || len(looping) == len(all) {
		t.Errorf("%d of %d streams reach limit %d", len(looping), len(all), mostLimit)
	}
}

func TestRecordedReplicaSetsCompress(t *testing.T) {
	sets, err := recordedReplicaSets(recordings)
	if err != nil || len(sets) == 0 {
		t.Fatalf("%d ReplicaSets, %v", len(sets), err)
	}
	got, err := compress("recorded", sets)
	if err != nil || got.Pods < 2*len(sets) || got.Gzip <= 0 || got.Plain < 3*got.Gzip {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestResultsAreKept(t *testing.T) {
	folder := t.TempDir()
	if got, err := readResults(folder); err != nil || len(got.Checks) != 0 {
		t.Errorf("without a file: %+v, %v", got, err)
	}
	if err := sample().write(folder); err != nil {
		t.Fatal(err)
	}
	got, err := readResults(folder)
	if err != nil || got.summary() != sample().summary() || got.oldestTable() != sample().oldestTable() {
		t.Errorf("what is read back differs, %v", err)
	}
}

func TestPartsAreChosenByNameAndKeepTheirOrder(t *testing.T) {
	if all, err := choose(""); err != nil || len(all) != len(parts) {
		t.Errorf("%d parts, %v", len(all), err)
	}
	two, err := choose("latency,runs")
	if err != nil || len(two) != 2 || two[0].name != "runs" || two[1].name != "latency" {
		t.Errorf("got %v, %v", two, err)
	}
	if _, err := choose("runs,nonsense"); err == nil {
		t.Error("a part that does not exist is chosen")
	}
}

func TestAProgramThatSeesTooLittleIsFoundOut(t *testing.T) {
	for _, test := range []struct {
		rival  rival
		stdout string
		good   bool
	}{
		{crashcheckRival, `{"Crashes":0,"verdict":"pass","reason":"","pods":100,"x":1}`, true},
		{crashcheckRival, `{"Crashes":0,"verdict":"pass","reason":"","pods":10,"x":1}`, false},
		{crashcheckRival, `{"Crashes":0,"verdict":"inconclusive","reason":"","pods":100,"x":1}`, false},
		{typedRival, `{"Crashes":0,"pods":100}`, true},
		{typedRival, `{"Crashes":0,"pods":0}`, false},
		{kubectlRival, `{ "Crashes": 0 }`, true},
		{kubectlRival, `{ "Crashes": null }`, false},
		{floorRival, ``, true},
	} {
		if err := test.rival.checkReport(100, []byte(test.stdout)); (err == nil) != test.good {
			t.Errorf("%s with %s: %v", test.rival.name, test.stdout, err)
		}
	}
}

func TestNothingIsComparedWithAFigureBelowItsError(t *testing.T) {
	ours := Check{API: 300, APIError: 10}
	for theirs, want := range map[Check]mark{
		{API: 75, APIError: 500}: level,
		{API: 200, APIError: 10}: no,
		{API: 700, APIError: 10}: yes,
		{API: 610, APIError: 30}: level,
	} {
		if got := lessAPI(ours, theirs, 2); got != want {
			t.Errorf("against half of %v ± %v: got %s, want %s", theirs.API, theirs.APIError, got, want)
		}
	}
}
