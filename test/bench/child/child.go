// Package child runs the programs that are measured.
package child

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Usage is what a process and its children have used.
type Usage struct {
	// CPU is user and system time, of the children too.
	CPU time.Duration `json:"cpu"`
	// Peak is the peak memory of the largest process among them, in bytes.
	Peak int64 `json:"peak"`
	// Wall is the time from the process's start to its end.
	Wall time.Duration `json:"wall"`
	// Ended is when the process ended, in nanoseconds since 1970.
	Ended int64 `json:"ended"`
}

// Command is a program that is measured.
type Command struct {
	// Launcher is the path of programs/launch.
	Launcher string
	Argv     []string
	// Env is the whole environment, but for PATH.
	Env []string
	// Codes are the exit codes that count as success; none means 0.
	Codes []int
}

// Running is a Command that has been started.
type Running struct {
	command        Command
	cmd            *exec.Cmd
	usage          *os.File
	stdout, stderr bytes.Buffer
}

// Start starts the command. When ctx ends, the program gets SIGTERM, and SIGKILL
// 5 s later.
func (c Command) Start(ctx context.Context) (*Running, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer write.Close()
	r := &Running{command: c, usage: read, cmd: exec.CommandContext(ctx, c.Launcher, c.Argv...)}
	r.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, c.Env...)
	r.cmd.Stdout, r.cmd.Stderr = &r.stdout, &r.stderr
	r.cmd.ExtraFiles = []*os.File{write}
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	r.cmd.Cancel = func() error { return r.cmd.Process.Signal(syscall.SIGTERM) }
	r.cmd.WaitDelay = 5 * time.Second
	if err := r.cmd.Start(); err != nil {
		read.Close()
		return nil, fmt.Errorf("start %s: %w", c.Argv[0], err)
	}
	return r, nil
}

// Wait waits for the end and returns the usage and standard output. An exit code
// that is not an expected one is an error.
func (r *Running) Wait() (Usage, []byte, error) {
	defer r.usage.Close()
	var usage Usage
	waited := r.cmd.Wait()
	if err := json.NewDecoder(r.usage).Decode(&usage); err != nil {
		return usage, nil, fmt.Errorf("run %s: %w, and its usage is unknown: %w\n%s", r.command.Argv[0], waited, err, tail(r.stderr.Bytes()))
	}
	codes := r.command.Codes
	if len(codes) == 0 {
		codes = []int{0}
	}
	for _, code := range codes {
		if r.cmd.ProcessState.ExitCode() == code {
			return usage, r.stdout.Bytes(), nil
		}
	}
	return usage, nil, fmt.Errorf("run %s: %w\n%s%s", r.command.Argv[0], waited, r.stdout.Bytes(), tail(r.stderr.Bytes()))
}

// Run starts the command and waits for its end.
func (c Command) Run(ctx context.Context) (Usage, []byte, error) {
	running, err := c.Start(ctx)
	if err != nil {
		return Usage{}, nil, err
	}
	return running.Wait()
}

func tail(log []byte) []byte { return log[max(0, len(log)-2000):] }
