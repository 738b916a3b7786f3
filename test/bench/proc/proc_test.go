package proc

import (
	"os"
	"testing"
	"time"
)

func TestCPURisesWithWork(t *testing.T) {
	before, err := CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	used := time.Duration(0)
	for n := 0; used < 20*time.Millisecond; n++ {
		now, err := CPU(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		if used = now - before; n > 10_000_000 {
			t.Fatalf("only %s after so many readings", used)
		}
	}
	if _, err := CPU(1 << 22); err == nil {
		t.Error("a process that does not exist has used time")
	}
}

func TestMemoryOfThisProcess(t *testing.T) {
	m, err := MemoryOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if m.Private <= 0 || m.PSS < m.Private || m.RSS < m.PSS {
		t.Errorf("it is %+v, want private <= PSS <= RSS", m)
	}
}

func TestParseMemory(t *testing.T) {
	const rollup = `00400000-7ffd4d5f9000 ---p 00000000 00:00 0                              [rollup]
Rss:               13452 kB
Pss:                4028 kB
Pss_Dirty:          3700 kB
Shared_Clean:       9700 kB
Private_Clean:         8 kB
Private_Dirty:      3680 kB
THPeligible:           0
`
	got, err := parseMemory([]byte(rollup))
	if want := (Memory{RSS: 13452 << 10, PSS: 4028 << 10, Private: 3688 << 10}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for claim, text := range map[string]string{"an ended process": "", "no number": "Rss: many kB\n"} {
		if _, err := parseMemory([]byte(text)); err == nil {
			t.Errorf("%s is no error", claim)
		}
	}
}

func TestAvailable(t *testing.T) {
	if free, err := Available(); err != nil || free <= 0 {
		t.Errorf("%d, %v", free, err)
	}
}
