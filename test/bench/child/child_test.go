package child

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func launcher(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "launch")
	if out, err := exec.Command("go", "build", "-o", path, "../programs/launch").CombinedOutput(); err != nil {
		t.Fatalf("build the launcher: %v\n%s", err, out)
	}
	return path
}

func TestUsageCountsChildrenToo(t *testing.T) {
	launch := launcher(t)
	// A megabyte of memory in a shell's child, which then keeps a processor busy.
	command := Command{Launcher: launch, Argv: []string{"sh", "-c", `sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done'; echo done`}}
	usage, stdout, err := command.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if string(stdout) != "done\n" {
		t.Errorf("standard output is %q", stdout)
	}
	if usage.CPU < 10*time.Millisecond || usage.CPU > 2*usage.Wall {
		t.Errorf("it has used %s of processor time in %s", usage.CPU, usage.Wall)
	}
	if usage.Peak < 100<<10 || usage.Peak > 64<<20 {
		t.Errorf("its peak memory was %d bytes", usage.Peak)
	}
	if since := time.Since(time.Unix(0, usage.Ended)); since < 0 || since > time.Minute {
		t.Errorf("it ended %s ago", since)
	}
}

func TestExitCodes(t *testing.T) {
	launch := launcher(t)
	for _, test := range []struct {
		code  string
		codes []int
		good  bool
	}{{"0", nil, true}, {"1", nil, false}, {"1", []int{1}, true}, {"0", []int{1}, false}} {
		_, _, err := Command{Launcher: launch, Argv: []string{"sh", "-c", "echo why >&2; exit " + test.code}, Codes: test.codes}.Run(t.Context())
		if (err == nil) != test.good {
			t.Errorf("exit code %s where %v is wanted: %v", test.code, test.codes, err)
		}
		if err != nil && !strings.Contains(err.Error(), "why") {
			t.Errorf("the error does not say what the program said: %v", err)
		}
	}
}

func TestAProgramEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	running, err := Command{Launcher: launcher(t), Argv: []string{"sleep", "600"}}.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	begun := time.Now()
	if _, _, err := running.Wait(); err == nil {
		t.Error("a program that was ended has succeeded")
	}
	if took := time.Since(begun); took > time.Minute {
		t.Errorf("it took %s to end", took)
	}
}
