// Readme follows README.md: in a fresh clone, it runs the commands that need no cluster, literally and in reading order,
// and checks their results. The end-to-end tests run the others.
//
//	go run ./test/readme
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/crashcheck/crashcheck/test/readme/commands"
	"github.com/crashcheck/crashcheck/test/simcluster"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	folder, err := os.MkdirTemp("", "crashcheck-readme-")
	if err == nil {
		err = follow(ctx, folder)
		os.RemoveAll(folder)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "readme:", err)
		os.Exit(1)
	}
}

// follow runs the blocks in a fresh clone below folder, as a reader would.
func follow(ctx context.Context, folder string) error {
	blocks, err := commands.Read("README.md")
	if err != nil {
		return err
	}
	repository := filepath.Join(folder, "origin")
	if err := copyWorkTree(repository); err != nil {
		return err
	}
	r := reader{ctx: ctx, clone: filepath.Join(folder, "crashcheck"), environ: withoutMake(os.Environ())}
	if err := git("clone", "--quiet", repository, r.clone); err != nil {
		return err
	}
	for _, name := range commands.WithoutCluster {
		check, known := checks[name]
		if !known || blocks[name] == "" {
			return fmt.Errorf("%s: there are no commands in README.md, or no check here", name)
		}
		fmt.Printf("== %s\n%s", name, blocks[name])
		if err := check(r, blocks[name]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// checks run the commands of a block and judge the result.
var checks = map[string]func(r reader, commands string) error{
	"Try it": func(r reader, commands string) error {
		out, code, err := r.shell(commands)
		if err != nil || code != 0 {
			return fmt.Errorf("exit code %d (%v):\n%s", code, err, out)
		}
		readme, err := os.ReadFile(filepath.Join(r.clone, "README.md"))
		if err != nil {
			return err
		}
		for line := range strings.Lines(out[strings.LastIndex(out, "\nRUN ")+1:]) { // the demo's summary
			if !strings.Contains(string(readme), "\n"+strings.TrimSpace(line)+"\n") {
				return fmt.Errorf("README.md does not show the end of the demo's output: run make docs\n%s", out)
			}
		}
		return nil
	},
	// The example's window is five minutes. With a version that has already crashed five times, the run ends immediately.
	"On a laptop, or in a pipeline": func(r reader, commands string) error {
		server := simcluster.Start(simcluster.WithSpeed(0))
		defer server.Close()
		server.Deploy(simcluster.Release{
			Namespace: "shop", Name: "shop", Hash: "6fd8d747", Workload: simcluster.Workload{Kind: "Deployment"},
			Age: time.Hour, App: simcluster.CrashLoop(time.Second, 1),
		})
		kubeconfig := filepath.Join(filepath.Dir(r.clone), "kubeconfig")
		if err := server.WriteKubeconfig(kubeconfig, "shop"); err != nil {
			return err
		}
		r.environ = append(r.environ, "KUBECONFIG="+kubeconfig)
		out, code, err := r.shell(commands)
		if err != nil || code != 1 || !strings.Contains(out, `"verdict":"fail"`) || !strings.Contains(out, `"workload":"deployment/shop","selector":"app=shop,pod-template-hash=6fd8d747"`) {
			return fmt.Errorf("exit code %d (%v), want 1 and a fail:\n%s", code, err, out)
		}
		return nil
	},
}

// A reader follows the README in a separate clone.
type reader struct {
	ctx     context.Context
	clone   string
	environ []string
}

// shell runs commands as a person would type them, but stops at the first one that fails.
func (r reader) shell(commands string) (output string, exitCode int, err error) {
	shell := exec.CommandContext(r.ctx, "sh", "-e", "-c", commands)
	shell.Dir, shell.Env = r.clone, r.environ
	out, err := shell.CombinedOutput()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.Exited() {
		return string(out), exit.ExitCode(), nil
	}
	return string(out), 0, err
}

// withoutMake removes the variables that make sets, such as those of a jobserver, because they are not set in a reader's
// shell.
func withoutMake(environ []string) []string {
	return slices.DeleteFunc(environ, func(pair string) bool { return strings.HasPrefix(pair, "MAKE") || strings.HasPrefix(pair, "MFLAGS=") })
}

// copyWorkTree makes a git repository of the files in the work tree that git does not ignore, uncommitted changes included.
func copyWorkTree(to string) error {
	list, err := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		return fmt.Errorf("list the work tree, which has to be a git checkout: %w", err)
	}
	for file := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		content, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) {
			continue // deleted, and not committed
		}
		if err := errors.Join(err, os.MkdirAll(filepath.Dir(filepath.Join(to, file)), 0o755), os.WriteFile(filepath.Join(to, file), content, 0o644)); err != nil {
			return err
		}
	}
	return errors.Join(git("-C", to, "init", "--quiet"), git("-C", to, "add", "--all", "--force"),
		git("-C", to, "-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false", "commit", "--quiet", "--message", "the work tree"))
}

func git(args ...string) error {
	if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("git %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}
