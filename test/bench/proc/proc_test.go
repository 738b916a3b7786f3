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
