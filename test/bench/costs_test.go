package main

import (
	"math"
	"os"
	"slices"
	"testing"
)

func TestUsageOfOneGate(t *testing.T) {
	one, many := usage{gate: 10, api: 5, etcd: 1, bytes: 200, elapsed: 20, peak: 6}, usage{gate: 100, api: 50, etcd: 10, bytes: 380, elapsed: 110, peak: 5}
	each := usage{gate: 10, api: 5, etcd: 1, bytes: 20, elapsed: 10, peak: 6}
	for claim, test := range map[string]struct{ got, want usage }{
		"the start is not in a check":               {further(one, many, 10), each},
		"a run is the start and all its checks":     {sum(one, each, 60), usage{gate: 610, api: 305, etcd: 61, bytes: 1400, elapsed: 620, peak: 6}},
		"the servers' use is shared by the gates":   {per(4, usage{api: 10, etcd: 10, elapsed: 100, bytes: 1000}, usage{api: 18, etcd: 14, elapsed: 108, bytes: 1400}), usage{api: 2, etcd: 1, elapsed: 2, bytes: 100}},
		"the idle use of the servers is subtracted": {withoutIdle(each, usage{api: 0.4, etcd: 0.1, elapsed: 2}), usage{gate: 10, api: 3, etcd: 0.5, bytes: 20, elapsed: 10, peak: 6}},
	} {
		if !near(test.got, test.want) {
			t.Errorf("%s: got %+v, want %+v", claim, test.got, test.want)
		}
	}
}

func near(a, b usage) bool {
	difference := sum(a, b, -1)
	return math.Abs(difference.gate)+math.Abs(difference.api)+math.Abs(difference.etcd)+math.Abs(difference.elapsed)+
		math.Abs(difference.bytes) < 1e-9 && a.peak == b.peak
}

func TestProcessCPURisesWithWork(t *testing.T) {
	before, err := processCPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for used, n := 0.0, 0; used < 0.02; n++ {
		now, err := processCPU(os.Getpid())
		if err != nil || n > 10_000_000 {
			t.Fatalf("after %d readings: %v s, %v", n, used, err)
		}
		used = now - before
	}
	if _, err := processCPU(1 << 22); err == nil {
		t.Error("a process that does not exist has used time")
	}
}

func TestAProgramThatSeesTooLittleIsFoundOut(t *testing.T) {
	for _, test := range []struct {
		rival  rival
		stdout string
		good   bool
	}{
		{crashcheck, `{"Crashes":0,"verdict":"pass","pods":100,"x":1}`, true},
		{crashcheck, `{"Crashes":0,"verdict":"pass","pods":10,"x":1}`, false},
		{typed, `{"pods":100,"Crashes":0}`, true},
		{typed, `{"pods":0,"Crashes":0}`, false},
		{kubectlJQ, `{ "Crashes": 0 }`, true},
		{kubectlJQ, `{ "Crashes": null }`, false},
	} {
		if err := test.rival.checkReport(100, []byte(test.stdout)); (err == nil) != test.good {
			t.Errorf("%s with %s: %v", test.rival.name, test.stdout, err)
		}
	}
}

func TestACrashIsSeenAtTheNextCheck(t *testing.T) {
	if got, want := seenAt([]float64{0.1, 5, 5.1, 27, 40, 41, 42}), []float64{5, 5, 10, 30, 40, 45}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
