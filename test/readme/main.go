// Readme does what README.md says, in a copy of the work tree, and checks the results.
//
//	go run ./test/readme commands   # the commands that need no cluster, literally; the end-to-end tests run the others
//	go run ./test/readme example    # the Go example, in a module of a user
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
)

func main() {
	parts := map[string]func(r reader) error{"commands": followCommands, "example": useExample}
	if len(os.Args) != 2 || parts[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: go run ./test/readme commands|example")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	folder, err := os.MkdirTemp("", "crashcheck-readme-")
	if err == nil {
		err = read(ctx, folder, parts[os.Args[1]])
		os.RemoveAll(folder)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "readme:", err)
		os.Exit(1)
	}
}

// A reader has a checkout, in the folder crashcheck beside the reader's own work.
type reader struct {
	ctx      context.Context
	folder   string
	checkout string
	readme   string // the text of README.md
	environ  []string
}

func read(ctx context.Context, folder string, part func(r reader) error) error {
	r := reader{ctx: ctx, folder: folder, checkout: filepath.Join(folder, "crashcheck"), environ: usersEnviron()}
	if err := copyWorkTree(r.checkout); err != nil {
		return err
	}
	readme, err := os.ReadFile(filepath.Join(r.checkout, "README.md"))
	if err != nil {
		return err
	}
	r.readme = string(readme)
	return part(r)
}

// shell runs commands in a folder as a person would type them, but stops at the first one that fails.
func (r reader) shell(folder, commands string) (output string, exitCode int, err error) {
	shell := exec.CommandContext(r.ctx, "sh", "-e", "-c", commands)
	shell.Dir, shell.Env = folder, r.environ
	out, err := shell.CombinedOutput()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.Exited() {
		return string(out), exit.ExitCode(), nil
	}
	return string(out), 0, err
}

// usersEnviron is the environment without the variables that make sets, such as those of a jobserver. A user's module is
// not in a workspace of this project.
func usersEnviron() []string {
	ofMake := func(pair string) bool { return strings.HasPrefix(pair, "MAKE") || strings.HasPrefix(pair, "MFLAGS=") }
	return append(slices.DeleteFunc(os.Environ(), ofMake), "GOWORK=off")
}

// copyWorkTree copies the files in the work tree that git does not ignore, uncommitted changes included.
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
		copied := filepath.Join(to, file)
		if err := errors.Join(err, os.MkdirAll(filepath.Dir(copied), 0o755), os.WriteFile(copied, content, 0o644)); err != nil {
			return err
		}
	}
	return nil
}
