package child

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func shell(t *testing.T, script string) Command {
	t.Helper()
	launcher := filepath.Join(t.TempDir(), "launch")
	if out, err := exec.Command("go", "build", "-o", launcher, "../programs/launch").CombinedOutput(); err != nil {
		t.Fatalf("build the launcher: %v\n%s", err, out)
	}
	return Command{Launcher: launcher, Program: "sh", Args: []string{"-c", script}}
}

func TestUsageCountsChildrenToo(t *testing.T) {
	begun := time.Now()
	// The shell's child keeps a processor busy.
	running, err := shell(t, `sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done'; echo done; exit 3`).Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	usage, stdout, err := running.Wait(3)
	if err != nil || string(stdout) != "done\n" {
		t.Fatalf("standard output is %q, %v", stdout, err)
	}
	if usage.CPU < 10*time.Millisecond || usage.CPU > 2*time.Since(begun) {
		t.Errorf("it has used %s of processor time in %s", usage.CPU, time.Since(begun))
	}
	if usage.Peak < 100<<10 || usage.Peak > 64<<20 {
		t.Errorf("its peak memory was %d bytes", usage.Peak)
	}
	if usage.Ended.Before(begun) || usage.Ended.After(time.Now()) {
		t.Errorf("it ended at %s", usage.Ended)
	}
}

func TestAnUnexpectedExitCodeIsAnErrorWithTheOutput(t *testing.T) {
	running, err := shell(t, "echo why >&2; exit 1").Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := running.Wait(0); err == nil || !strings.Contains(err.Error(), "why") {
		t.Errorf("the error does not contain the program's output: %v", err)
	}
}

func TestAProgramEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	running, err := shell(t, "exec sleep 600").Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, _, err := running.Wait(0); err == nil {
		t.Error("a program that was killed has succeeded")
	}
}
