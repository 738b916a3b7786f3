package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/crashcheck/crashcheck/test/bench/streams"
)

// sample is a small set of results with round figures.
func sample() Results {
	r := Results{Machine: Machine{Processor: "Some CPU", Kernel: "6.1", Go: "go1.26", Processors: 2}, Took: 10 * time.Minute}
	for _, pods := range []int{10, 100, 1000} {
		for i, rival := range rivals {
			r.Rivals = append(r.Rivals, RivalCost{
				Rival: rival.name, Pods: pods, CPU: time.Duration(pods) * []time.Duration{10, 1000, 50, 5}[i] * time.Microsecond,
				API: time.Millisecond, RunCPU: time.Millisecond, RunWall: time.Millisecond, Bytes: 1000, Peak: []int64{8, 64, 32, 4}[i] << 20,
			})
		}
	}
	r.Rivals = append(r.Rivals, RivalCost{Rival: compressed.name, Pods: 100, CPU: time.Millisecond, API: 2 * time.Millisecond, Bytes: 100})
	r.Latency = []Latency{{crashcheckName, 100, 10, 500 * time.Millisecond, time.Second}, {kubectlName, 100, 8, time.Second, 2 * time.Second}}
	r.Sizes = []Size{{crashcheckName, 10_000_000, 10_050_000}, {kubectlName, 60_000_000, 0}, {typedName, 30_000_000, 0}, {floorName, 5_000_000, 0}}
	r.Pages = []PageCost{{Pods: 1000, Limit: 0, Requests: 1, CPU: time.Millisecond}}
	r.Streams = []streams.Seen{
		{Stream: "looping", Ended: 100, Crashes: []float64{5, 5, 10, 30, 50, 100}, Restarts: []float64{5, 10, 30, 50}},
		{Stream: "healthy", Ended: 10},
	}
	r.Fleet = Fleet{
		Gates: 500, Wanted: 1000, ReplicaSets: 50, Pods: 100,
		Costs: []FleetCost{
			{Way: "poll", Interval: 5 * time.Second, API: 0.5, Requests: 100, Bytes: 1e6},
			{Way: "poll", Interval: 30 * time.Second, API: 0.1, Requests: 20, Bytes: 2e5},
			{Way: "watch", API: 0.005, Bytes: 1e3},
			{Way: "watch", API: 0.01, Bytes: 1e4, Changes: 20},
		},
		Watch: WatchFindings{Bookmarks: 500, MedianBookmarkGap: time.Minute, ShortestBookmarkGap: 59 * time.Second, LongestBookmarkGap: 61 * time.Second,
			MedianSilence: time.Minute, LongestSilence: 61 * time.Second},
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

func TestTheSummaryHasRatiosFirst(t *testing.T) {
	wantLines(t, sample().summary(),
		`|  | against kubectl \| jq | crashcheck | kubectl \| jq | typed clientset | bare HTTP |`,
		`| CPU for a check of 10 pods | **1/100** | 100 µs | 10 ms | 500 µs | 50 µs |`,
		`| CPU for a check of 1,000 pods | **1/100** | 10 ms | 1 s | 50 ms | 5 ms |`,
		`| peak memory at 1,000 pods | **1/8.0** | 8 MiB | 64 MiB | 32 MiB | 4 MiB |`,
		`| verdict after the limit-th crash, at the latest (INTERVAL 1 s) | **1/2.0** | 1 s | 2 s |  |  |`,
		`| size on disk | **1/6.0** | 10 MB | 60 MB | 30 MB | 5 MB |`,
	)
}

func TestCompressionIsCompared(t *testing.T) {
	page := sample().compressionTable()
	wantLines(t, page, `| 100 | 500 µs | 1 ms | 1 ms | 2 ms | 1 kB | 0.1 kB |`)
	if strings.Contains(page, "| 1,000 |") {
		t.Errorf("what was not measured is compared:\n%s", page)
	}
}

func TestFleetFiguresAreScaledAndWatchingIsCompared(t *testing.T) {
	page := sample().fleetSection()
	wantLines(t, page,
		`| poll every 5 s, pods quiet | 1 | 0 | 0 | 200 | 2 MB | 0 |`,
		`| poll every 60 s, halved, pods quiet | 0.1 | 0 | 0 | 20 | 200 kB | 0 |`,
		// 61 lists of 5 ms and 10 kB.
		`| poll every 5 s | **1.0×** | 305 ms | 610 kB | 61 |`,
		// 2 lists, and a five hundredth of the watch for 300 s.
		`| watch, pods quiet | **1/23** | 13 ms | 20.6 kB | 3 |`,
		`| watch, 20 changes/s | **1/19** | 16 ms | 26 kB | 3 |`,
	)
	for _, text := range []string{"500 gates ran at once", "1,000 at INTERVAL 5 s are more than this machine can hold", "Bookmarks came every 60 s (59 to 61 s)"} {
		if !strings.Contains(page, text) {
			t.Errorf("it does not say %q:\n%s", text, page)
		}
	}
}

func TestLimitsThatAreNeverSeenAreSaid(t *testing.T) {
	page := sample().streamSection()
	wantLines(t, page, `| looping | 5 / 5 s | 5 / 10 s | 10 / 30 s | 30 / 50 s | 50 s / not within 100 s | 100 s / not within 100 s |`)
	if strings.Contains(page, "healthy") {
		t.Errorf("a stream without crashes is compared:\n%s", page)
	}
}

func TestAReportIsWholeAndPartsThatWereNotMeasuredAreLeftOut(t *testing.T) {
	folder := t.TempDir()
	if err := sample().writeReport(folder); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"RESULTS.md", "SUMMARY.md", cpuChart, memoryChart, limitsChart} {
		if info, err := os.Stat(filepath.Join(folder, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := (Results{}).writeReport(folder); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(folder, "RESULTS.md"))
	if err != nil || strings.Contains(string(page), "\n## ") {
		t.Errorf("a report of nothing is %s, %v", page, err)
	}
}

func TestResultsAreKept(t *testing.T) {
	folder := t.TempDir()
	if got, err := readResults(folder); err != nil || len(got.Rivals) != 0 {
		t.Errorf("without a file: %+v, %v", got, err)
	}
	if err := sample().write(folder); err != nil {
		t.Fatal(err)
	}
	got, err := readResults(folder)
	if err != nil || got.summary() != sample().summary() || got.fleetSection() != sample().fleetSection() {
		t.Errorf("what is read back differs, %v", err)
	}
}

func TestChoose(t *testing.T) {
	if all, err := choose(""); err != nil || len(all) != len(parts) {
		t.Errorf("%d parts, %v", len(all), err)
	}
	two, err := choose("sizes,pages")
	if err != nil || len(two) != 2 || two[0].name != "sizes" || two[1].name != "pages" {
		t.Errorf("got %v, %v", two, err)
	}
	if _, err := choose("pages,nonsense"); err == nil {
		t.Error("a part that does not exist is chosen")
	}
}

func TestLibrariesAreThePathsThatLddPrints(t *testing.T) {
	const ldd = "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibjq.so.1 => /lib/x86_64-linux-gnu/libjq.so.1 (0x00007f1c)\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f1d)\n"
	if got, want := libraries(ldd), []string{"/lib/x86_64-linux-gnu/libjq.so.1", "/lib64/ld-linux-x86-64.so.2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAProgramThatSeesTooLittleIsFoundOut(t *testing.T) {
	for _, test := range []struct {
		name, stdout string
		good         bool
	}{
		{crashcheckName, `{"Crashes":0,"verdict":"pass","reason":"","pods":100,"x":1}`, true},
		{crashcheckName, `{"Crashes":0,"verdict":"pass","reason":"","pods":10,"x":1}`, false},
		{crashcheckName, `{"Crashes":0,"verdict":"inconclusive","reason":"","pods":100,"x":1}`, false},
		{typedName, `{"Crashes":0,"pods":100}`, true},
		{typedName, `{"Crashes":0,"pods":0}`, false},
		{kubectlName, `{ "Crashes": 0 }`, true},
		{kubectlName, `{ "Crashes": null }`, false},
		{floorName, ``, true},
	} {
		if err := checkReport(test.name, 100, []byte(test.stdout)); (err == nil) != test.good {
			t.Errorf("%s with %s: %v", test.name, test.stdout, err)
		}
	}
}
