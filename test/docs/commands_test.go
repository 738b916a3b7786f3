package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/crashcheck/crashcheck/test/docs/commands"
	"github.com/crashcheck/crashcheck/test/simcluster"
)

const root = "../.."

// Every command in the README is run, as it stands there: those that need no cluster by TestREADMECommands, and the
// others by test/e2e.
func TestEveryCommandOfTheREADMEIsRun(t *testing.T) {
	blocks, err := commands.Read(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	run := slices.Concat(slices.Collect(maps.Keys(here)), commands.NeedACluster)
	for name := range blocks {
		if !slices.Contains(run, name) {
			t.Errorf("nothing runs the commands under %q: add them to TestREADMECommands, or to commands.NeedACluster and test/e2e", name)
		}
	}
	for _, name := range run {
		if blocks[name] == "" {
			t.Errorf("README.md has no commands under %q", name)
		}
	}

	var e2e bytes.Buffer
	files, err := filepath.Glob(filepath.Join(root, "test/e2e/*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no end-to-end tests: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		e2e.Write(text)
	}
	for _, name := range commands.NeedACluster {
		if !strings.Contains(e2e.String(), fmt.Sprintf("%q", name)) {
			t.Errorf("no test in test/e2e names %q, and so runs its commands", name)
		}
	}
}

// here are the blocks that need no cluster, in the order in which a reader gets to them, with what has to come of each.
var here = map[string]func(t *testing.T, r reader, commands string){
	"Try it": func(t *testing.T, r reader, commands string) {
		// What is cloned is the work tree as it is, uncommitted changes included, in place of what GitHub has.
		r.environ = append(r.environ, "GIT_CONFIG_COUNT=1",
			"GIT_CONFIG_KEY_0=url."+repository(t)+".insteadOf", "GIT_CONFIG_VALUE_0=https://github.com/crashcheck/crashcheck")
		out, code := r.shell(t, r.folder, commands)
		if code != 0 {
			t.Fatalf("exit code %d:\n%s", code, out)
		}
		readme, err := os.ReadFile(filepath.Join(r.clone(), "README.md"))
		if err != nil {
			t.Fatal(err)
		}
		if want, err := withBlock(string(readme), "demo", summary(out)); err != nil || want != string(readme) {
			t.Errorf("README.md does not show the end of the demo's output (%v): run make docs\n%s", err, out)
		}
	},
	// The example's window is five minutes. On a version that has crashed five times, it is over at once.
	"On a laptop, or in a pipeline": func(t *testing.T, r reader, commands string) {
		server := simcluster.Start(simcluster.WithSpeed(0))
		defer server.Close()
		server.Deploy(simcluster.Release{Namespace: "shop", Name: "shop", Hash: "6fd8d747", Age: time.Hour, App: simcluster.CrashLoop(time.Second, 1)})
		kubeconfig := filepath.Join(r.folder, "kubeconfig")
		if err := server.WriteKubeconfig(kubeconfig, "shop"); err != nil {
			t.Fatal(err)
		}
		r.environ = append(r.environ, "KUBECONFIG="+kubeconfig)
		out, code := r.shell(t, r.clone(), commands)
		if code != 1 || !strings.Contains(out, `"verdict":"fail"`) || !strings.Contains(out, `"selector":"pod-template-hash=6fd8d747"`) {
			t.Errorf("exit code %d, want 1 and a fail:\n%s", code, out)
		}
	},
}

func TestREADMECommands(t *testing.T) {
	blocks, err := commands.Read(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	// make test has set variables that a reader does not have, such as a jobserver.
	environ := slices.DeleteFunc(os.Environ(), func(pair string) bool { return strings.HasPrefix(pair, "MAKE") || strings.HasPrefix(pair, "MFLAGS=") })
	r := reader{folder: t.TempDir(), environ: environ}
	for _, name := range []string{"Try it", "On a laptop, or in a pipeline"} {
		if !t.Run(name, func(t *testing.T) { here[name](t, r, blocks[name]) }) {
			return // the next one needs what this one makes
		}
	}
}

// A reader follows the README in a folder of its own.
type reader struct {
	folder  string
	environ []string
}

func (r reader) clone() string { return filepath.Join(r.folder, "crashcheck") }

// shell runs commands as a person would type them, but stops at the first one that fails.
func (r reader) shell(t *testing.T, folder, commands string) (output string, exitCode int) {
	t.Helper()
	shell := exec.CommandContext(t.Context(), "sh", "-e", "-c", commands)
	shell.Dir, shell.Env = folder, r.environ
	out, err := shell.CombinedOutput()
	if ended := (*exec.ExitError)(nil); err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return string(out), shell.ProcessState.ExitCode()
}

// repository is a new git repository with what is in the work tree, but for what git ignores.
func repository(t *testing.T) string {
	t.Helper()
	list, err := exec.Command("git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Fatalf("listing the work tree, which has to be a git checkout: %v", err)
	}
	copied := t.TempDir()
	for file := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		content, err := os.ReadFile(filepath.Join(root, file))
		if errors.Is(err, os.ErrNotExist) {
			continue // deleted, and not committed
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(copied, file)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(copied, file), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"init", "--quiet"}, {"add", "--all", "--force"},
		{"-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false", "commit", "--quiet", "--message", "the work tree"},
	} {
		if out, err := exec.Command("git", append([]string{"-C", copied}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s", args, err, out)
		}
	}
	return copied
}
