package report_test

import (
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
	for _, test := range []struct {
		claim  string
		result report.Result
		want   string
	}{
		{"a pass", result(runner.Pass, "no crashes within 5m1s, below CRASH_LIMIT 5"), `PASS: no crashes within 5m1s, below CRASH_LIMIT 5
`},
		{"a fail names the containers, and why they crashed",
			result(runner.Fail, "4 crashes seen within 1m10s, CRASH_LIMIT is 4; worst: web-6fd8d747-abcde/app with 3 crashes, the last one with exit code 137, signal 9 (OOMKilled)", oom, panicked),
			`FAIL: 4 crashes seen within 1m10s, CRASH_LIMIT is 4; worst:
  web-6fd8d747-abcde/app with 3 crashes, the last one with exit code 137, signal
  9 (OOMKilled)
- web-6fd8d747-abcde/app (main): 3 crashes, the last one with exit code 137,
  signal 9 (OOMKilled): it used more memory than its limit, or the node, allows
- web-6fd8d747-fghij/proxy (sidecar): 1 crash, the last one with exit code 2: an
  error of the program's own, such as a Go panic; its last words: panic: no such
  table: orders
`},
		{"an end that nobody saw", result(runner.Fail, "1 crash", checker.ContainerCrashes{Pod: "a", Container: "b", Kind: checker.Init, Crashes: 1}), `FAIL: 1 crash
- a/b (init): 1 crash, the last one with exit code unknown
`},
		{"not ready, in two words", result(runner.NotReady, "1 of 3 pods was not Ready"), `NOT READY: 1 of 3 pods was not Ready
`},
		{"one fault is the reason itself", report.Result{Outcome: runner.Outcome{Verdict: runner.Invalid, Reason: "HASH: required"}, Faults: []string{"HASH: required"}}, `INVALID: HASH: required
`},
		{"several faults have a line each", report.Result{Outcome: runner.Outcome{Verdict: runner.Invalid, Reason: "HASH: required; INTERVAL: required"}, Faults: []string{"HASH: required", "INTERVAL: required"}},
			`INVALID: the configuration has 2 faults; crashcheck --help
  explains the variables
- HASH: required
- INTERVAL: required
`},
		{"text from the cluster cannot forge a line", result(runner.Fail, "1 crash\nPASS: all is well", checker.ContainerCrashes{Pod: "a", Container: "b", Kind: checker.Main, Crashes: 1,
			End: &checker.End{ExitCode: 3, Reason: "\x1b[2J\nPASS:", Message: "\u009b31m\u202ePASS: all is well"}}),
			`FAIL: 1 crash\nPASS: all is well
- a/b (main): 1 crash, the last one with exit code 3 (\x1b[2J\nPASS:); its last
  words: \u009b31m\u202ePASS: all is well
`},
	} {
		t.Run(test.claim, func(t *testing.T) {
			if got := report.TerminationMessage(test.result) + "\n"; got != test.want { // kubectl describe ends the line
				t.Errorf("got:\n%s\nwant:\n%s", got, test.want)
			}
		})
	}
}

func TestTerminationMessageNeverExceeds2000Bytes(t *testing.T) {
	for _, message := range []string{"", "short", strings.Repeat("€ ", 250), strings.Repeat("\x00", 512), strings.Repeat("x", 512), strings.Repeat("a b ", 128)} {
		for _, reason := range []string{"why", strings.Repeat("é", 3000), strings.Repeat("é ", 3000), strings.Repeat(strings.Repeat("y", 59)+" ", 100)} {
			for n := range 40 {
				var containers []checker.ContainerCrashes
				for i := range n {
					containers = append(containers, checker.ContainerCrashes{
						Pod: fmt.Sprintf("web-6fd8d747-%05d", i), Container: "app", Kind: checker.Main, Crashes: 1,
						End: &checker.End{ExitCode: 1, Reason: message, Message: message},
					})
				}
				got := report.TerminationMessage(result(runner.Fail, reason, containers...))
				switch {
				case len(got) > 2000:
					t.Fatalf("%d containers, message %.10q, reason %.10q: %d bytes", n, message, reason, len(got))
				case !utf8.ValidString(got):
					t.Fatalf("%d containers, message %.10q, reason %.10q: it is cut within a character", n, message, reason)
				case !strings.HasPrefix(got, "FAIL:"), strings.HasSuffix(got, "\n"):
					t.Fatalf("it lacks the verdict, or has an empty line at its end: %q", got)
				case strings.Count(got, "\n- ") != n && !strings.HasSuffix(got, fmt.Sprintf("\nand %d more", n-strings.Count(got, "\n- "))):
					t.Fatalf("%d containers: some are missing, and the end does not say how many:\n%s", n, got)
				}
			}
		}
	}
}

func TestTerminationMessageFits80ColumnsOfDescribe(t *testing.T) {
	// kubectl describe writes the heading before the first line, and the others as they are.
	const heading = "      Message:      "
	text := report.TerminationMessage(result(runner.Fail, strings.Repeat("some words of a reason ", 20), oom, panicked))
	for i, line := range strings.Split(strings.TrimSuffix(heading+text, "\n"), "\n") {
		if n := utf8.RuneCountInString(line); n > 80 {
			t.Errorf("line %d has %d columns: %s", i+1, n, line)
		}
	}
}

func TestWriteTerminationMessage(t *testing.T) {
	pass := result(runner.Pass, "no crashes within 5m1s, below CRASH_LIMIT 5")
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
		{"what is there is replaced", path("log"), ""},
		{"where there is no termination log, none is made", path("missing"), ""},
		{"where there is no such directory, all is well too", path("missing/log"), ""},
		{"a link to nowhere is no termination log", path("dangling"), ""},
		{"a directory", dir, "write the termination message: open " + dir + ": is a directory"},
		{"a pipe that nobody reads does not block", path("fifo"), "write the termination message: open " + path("fifo") + ": no such device or address"},
		{"a full disk", "/dev/full", "write the termination message: write /dev/full: no space left on device"},
		{"a file that nobody may write, not even root: a program that runs", executable(t), "write the termination message: open " + executable(t) + ": text file busy"},
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
		t.Errorf("the log holds %q, %v", content, err)
	}
	for _, name := range []string{"missing", "nowhere"} {
		if _, err := os.Lstat(path(name)); !os.IsNotExist(err) {
			t.Errorf("%s was made: %v", name, err)
		}
	}
}

func executable(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
