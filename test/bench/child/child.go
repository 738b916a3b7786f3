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
	CPU time.Duration
	// Peak is the peak memory of the largest process among them, in bytes.
	Peak int64
	// Ended is when the process ended.
	Ended time.Time
}

// Command is a program that is measured.
type Command struct {
	// Launcher is the path of programs/launch.
	Launcher string
	Program  string
	Args     []string
	// Env is the whole environment, except for PATH.
	Env []string
}

// Running is a Command that has been started.
type Running struct {
	cmd            *exec.Cmd
	usage          *os.File
	stdout, stderr bytes.Buffer
}

// Start starts the command. When ctx ends, the program is killed.
func (c Command) Start(ctx context.Context) (*Running, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer write.Close()
	r := &Running{usage: read, cmd: exec.CommandContext(ctx, c.Launcher, append([]string{c.Program}, c.Args...)...)}
	r.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, c.Env...)
	r.cmd.Stdout, r.cmd.Stderr = &r.stdout, &r.stderr
	r.cmd.ExtraFiles = []*os.File{write}
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	r.cmd.WaitDelay = 5 * time.Second // children of the program may still have its output
	if err := r.cmd.Start(); err != nil {
		read.Close()
		return nil, fmt.Errorf("start %s: %w", c.Program, err)
	}
	return r, nil
}

// Wait waits for the end and returns the usage and standard output. Another exit code than this is an error.
func (r *Running) Wait(code int) (Usage, []byte, error) {
	defer r.usage.Close()
	var usage Usage
	err := r.cmd.Wait()
	if r.cmd.ProcessState.ExitCode() != code {
		return usage, nil, fmt.Errorf("run %v: %v, want exit code %d\n%s%s", r.cmd.Args[1:], err, code, r.stdout.Bytes(), r.stderr.Bytes())
	}
	if err := json.NewDecoder(r.usage).Decode(&usage); err != nil {
		return usage, nil, fmt.Errorf("read the usage of %v: %w", r.cmd.Args[1:], err)
	}
	return usage, r.stdout.Bytes(), nil
}
