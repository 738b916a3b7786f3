package main

import (
	"math"
	"os"
	"testing"
)

func TestTheWrittenTablesAreThoseOfTheResults(t *testing.T) {
	results, err := readResults(".")
	if err != nil {
		t.Fatal(err)
	}
	if results.Streams, err = readStreams(recordings); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"SUMMARY.md": results.summary(), "STREAMS.md": results.streamPage()} {
		got, err := os.ReadFile(name)
		if err != nil || string(got) != want {
			t.Errorf("%s does not show results.json and the recorded streams (%v): run go run . -render", name, err)
		}
	}
}

func TestACostTableHasARowForEachQuantityAndNumberOfPods(t *testing.T) {
	got := costTable("one check", []Cost{
		{Rival: crashcheck.name, Pods: 10, Gate: Figure{Median: 0.001}, API: Figure{0.002, 0.0005}},
		{Rival: kubectlJQ.name, Pods: 10, Gate: Figure{Median: 0.1}, API: Figure{-0.001, 0.004}},
		{Rival: crashcheck.name, Pods: 1000, Gate: Figure{Median: 1.5}, API: Figure{0.01, 0.0001}},
		{Rival: kubectlJQ.name, Pods: 1000, Gate: Figure{Median: 1.0}, API: Figure{0.02, 0.0001}},
	}, quantities[:2])
	const want = `| one check | pods | against kubectl \| jq | crashcheck | kubectl \| jq |
|---|---:|---:|---:|---:|
| CPU of the gate | 10 | 1/100 | 1 ms | 100 ms |
| CPU of the gate | 1,000 | 1.5× | 1.5 s | 1 s |
| CPU of kube-apiserver | 10 | – | 2 ms ± 500 µs | < 4 ms |
| CPU of kube-apiserver | 1,000 | 1/2.0 | 10 ms | 20 ms |
`
	if got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
}

func TestNothingIsComparedWithinTheErrors(t *testing.T) {
	for _, test := range []struct {
		ours, theirs Figure
		want         string
	}{
		{Figure{10, 1}, Figure{20, 1}, "1/2.0"},
		{Figure{20, 1}, Figure{10, 1}, "2.0×"},
		{Figure{10, 4}, Figure{20, 5}, "1/2.0"},
		{Figure{10, 5}, Figure{20, 6}, "–"},  // the difference is within the errors
		{Figure{10, 1}, Figure{75, 80}, "–"}, // theirs is less than its error
		{Figure{10, 11}, Figure{75, 1}, "–"}, // ours is
		{Figure{10, 1}, Figure{-75, 1}, "–"}, // noise
		{Figure{}, Figure{}, "–"},            // not measured
	} {
		if got := ratio(test.ours, test.theirs); got != test.want {
			t.Errorf("%v against %v is %s, want %s", test.ours, test.theirs, got, test.want)
		}
	}
}

func TestUnits(t *testing.T) {
	for got, want := range map[string]string{
		seconds(0.00092):   "920 µs",
		seconds(0.0876812): "87.7 ms",
		seconds(7.4):       "7.4 s",
		seconds(0.9999):    "1000 ms",
		size(56023):        "56 kB",
		size(27.4e6):       "27.4 MB",
		memory(16 << 20):   "16 MiB",
		number(5000):       "5,000",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestAFigureIsTheMedianWithTheErrorOfTheMean(t *testing.T) {
	if got := newFigure([]float64{9, 1, 2}); got.Median != 2 || math.Abs(got.Error-math.Sqrt(38.0/6)) > 1e-9 {
		t.Errorf("got %+v", got)
	}
	if got := newFigure([]float64{7}); got != (Figure{7, 0}) {
		t.Errorf("of one value: %+v", got)
	}
}
