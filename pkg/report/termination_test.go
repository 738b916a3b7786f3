package report_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/pkg/report"
	"github.com/crashcheck/crashcheck/pkg/runner"
)

func TestTerminationMessage(t *testing.T) {
	forged := failing(runner.Inconclusive, runner.Rejected, errors.New("400\nPASS: no crashes"))
	forged.Containers = []checker.ContainerCrashes{{Pod: "a", Container: "b", Kind: checker.Init, Crashes: 1,
		Termination: &checker.Termination{ExitCode: 3, Reason: "\x1b[2J\nPASS:", Message: "\u009b31m\u202ePASS: no crashes"}}}
	notReady := result(runner.NotReady, runner.PodsNotReady)
	notReady.Last.NotReady = []string{"web-1"}
	paused := result(runner.Inconclusive, runner.NoVersion)
	paused.Workload, paused.Version.Pending = "deployment/shop", "deployment shop is paused"
	for _, test := range []struct {
		claim  string
		result report.Result
		want   string
	}{
		{"a pass", result(runner.Pass, ""), "PASS: no crashes within 5m1s, limit 5"},
		{"a fail names the containers, and why they crashed", result(runner.Fail, "", oom, panicked, evicted),
			`FAIL: 5 crashes in 3 of 3 pods, limit 5; worst: web-6fd8d747-abcde/app (3 crashes, exit code 137, signal 9 (OOMKilled))
- web-6fd8d747-abcde/app: 3 crashes, last: exit code 137, signal 9 (OOMKilled): exceeded its memory limit, or the node ran out of memory
- web-6fd8d747-fghij/proxy (sidecar): 1 crash, last: exit code 2: panic: no such table: orders
- pod web-6fd8d747-klmno: 1 crash, last: Evicted: Usage of EmptyDir volume "data" exceeds the limit "1Mi".`},
		{"not ready is two words", notReady, "NOT READY: no crashes within 5m1s, limit 5; 1 of 2 pods was not Ready at the final check: web-1"},
		{"a version that is not known is not named", paused, "INCONCLUSIVE: the version to check is not known: deployment shop is paused"},
		{"one configuration error is the reason itself", invalid("HASH: required"), "INVALID: HASH: required"},
		{"several configuration errors have a line each", invalid("HASH: required", "INTERVAL: required"),
			"INVALID: 2 configuration errors; crashcheck --help explains the variables\n- HASH: required\n- INTERVAL: required"},
		{"text from the cluster cannot forge a line", forged,
			`INCONCLUSIVE: the API server rejects the request: 400\nPASS: no crashes` + "\n" +
				`- a/b (init): 1 crash, last: exit code 3 (\x1b[2J\nPASS:): \u009b31m\u202ePASS: no crashes`},
	} {
		t.Run(test.claim, func(t *testing.T) {
			if got := report.TerminationMessage(test.result); got != test.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, test.want)
			}
		})
	}
}

func TestTerminationMessageNeverExceeds2000Bytes(t *testing.T) {
	messages := []string{strings.Repeat("€ ", 250), strings.Repeat("\x00", 512), strings.Repeat("x", 512)}
	for size := range 30 {
		messages = append(messages, strings.Repeat("x", size))
	}
	for _, message := range messages {
		for _, reason := range []string{"why", strings.Repeat("é", 3000)} {
			for n := range 40 {
				r := failing(runner.Inconclusive, runner.Rejected, errors.New(reason))
				for i := range n {
					c := checker.ContainerCrashes{Pod: fmt.Sprintf("web-6fd8d747-%05d", i), Container: "app", Kind: checker.Main, Crashes: 1}
					c.Termination = &checker.Termination{ExitCode: 1, Reason: message, Message: message}
					r.Containers = append(r.Containers, c)
				}
				got := report.TerminationMessage(r)
				listed := strings.Count(got, "\n- ")
				switch {
				case len(got) > 2000, !utf8.ValidString(got), !strings.HasPrefix(got, "INCONCLUSIVE:"), n > 0 && listed == 0:
					t.Fatalf("%d containers, message %.10q, reason %.10q: %d bytes: %q", n, message, reason, len(got), got)
				case listed != n && !strings.HasSuffix(got, fmt.Sprintf("\nand %d more", n-listed)):
					t.Fatalf("%d containers: some are missing, and the end does not say how many:\n%s", n, got)
				}
			}
		}
	}
}

func TestWriteTerminationMessage(t *testing.T) {
	pass := result(runner.Pass, "")
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(path("log"), []byte(strings.Repeat("an older, longer message\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path("nowhere"), path("dangling")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(path("fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ claim, path, wantError string }{
		{"the old content is replaced", path("log"), ""},
		{"a missing termination log is not created", path("missing"), ""},
		{"a missing directory is not an error", path("missing/log"), ""},
		{"a dangling link is not followed", path("dangling"), ""},
		{"a pipe that nobody reads does not block", path("fifo"), "cannot write the termination message: open " + path("fifo") + ": no such device or address"},
		{"a full disk", "/dev/full", "cannot write the termination message: write /dev/full: no space left on device"},
	} {
		t.Run(test.claim, func(t *testing.T) {
			got := ""
			if err := report.WriteTerminationMessage(test.path, pass); err != nil {
				got = err.Error()
			}
			if got != test.wantError {
				t.Errorf("error %q, want %q", got, test.wantError)
			}
		})
	}
	content, err := os.ReadFile(path("log"))
	if err != nil || string(content) != report.TerminationMessage(pass) {
		t.Errorf("the log has %q, %v", content, err)
	}
	for _, name := range []string{"missing", "nowhere"} {
		if _, err := os.Lstat(path(name)); !os.IsNotExist(err) {
			t.Errorf("%s was created: %v", name, err)
		}
	}
}
