package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/crashcheck/crashcheck/test/simcluster"
)

// A run that takes longer than this hangs, which is the one thing crashcheck must not do.
const timeout = 20 * time.Second

// A result is what one run ended with.
type result struct {
	scenario scenario
	exitCode int
	verdict  string // of the JSON line on standard output; if there is no such line, why not
}

func (r result) asExpected() bool {
	return r.exitCode == r.scenario.exitCode && r.verdict == r.scenario.verdict
}

// run deploys the scenario's release and runs the binary as a process; its output is shown as it comes.
func run(ctx context.Context, out io.Writer, server *simcluster.Server, scenario scenario, binary, kubeconfig string) (result, error) {
	env := append([]string{"KUBECONFIG=" + kubeconfig}, scenario.settings...)
	fmt.Fprintf(out, "$ %s %s\n", strings.Join(env, " "), binary)
	deploy(server, scenario)
	if scenario.outage > 0 {
		goAway := time.AfterFunc(scenario.outage, server.GoAway)
		defer goAway.Stop()
	}

	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var lines sync.Mutex
	stdout := &labelled{out: out, lines: &lines, label: "stdout"}
	stderr := &labelled{out: out, lines: &lines, label: "stderr"}
	var kept bytes.Buffer // standard output, which is shown after the log: its one line comes at the end
	command, err := process(limited, binary, env)
	if err != nil {
		return result{}, err
	}
	command.Stdout, command.Stderr = &kept, stderr
	err = command.Run()
	stderr.flush()
	stdout.Write(kept.Bytes())
	stdout.flush()
	switch {
	case ctx.Err() != nil:
		return result{}, errors.New("interrupted")
	case limited.Err() != nil:
		return result{}, fmt.Errorf("it still ran after %v", timeout)
	case command.ProcessState == nil:
		return result{}, fmt.Errorf("starting it: %w", err)
	}
	ended := result{scenario: scenario, exitCode: command.ProcessState.ExitCode(), verdict: verdict(kept.Bytes())}
	fmt.Fprintf(out, "exit code %d: %s\n", ended.exitCode, meaning(ended.exitCode))
	return ended, nil
}

// deploy adds the scenario's release, if it has one. The cluster's clock is a second ahead by the first check.
func deploy(server *simcluster.Server, scenario scenario) {
	if scenario.release.Hash != "" {
		scenario.release.Created = time.Now().Add(-time.Second)
		server.Deploy(scenario.release)
	}
}

// process is the binary with nothing in its environment but env and what a program needs to run at all: the caller's
// own settings would tell another story than the command line shown.
func process(ctx context.Context, binary string, env []string) (*exec.Cmd, error) {
	if _, err := os.Stat(binary); err != nil {
		return nil, fmt.Errorf("finding the binary: %w", err)
	}
	path, err := filepath.Abs(binary) // exec looks a bare name up in PATH
	if err != nil {
		return nil, fmt.Errorf("finding the binary: %w", err)
	}
	command := exec.CommandContext(ctx, path)
	command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}, env...)
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = 2 * time.Second
	return command, nil
}

// verdict reads the JSON line, which has to be all of the standard output.
func verdict(stdout []byte) string {
	var line struct {
		Crashes *int64
		Verdict string `json:"verdict"`
	}
	switch {
	case len(stdout) == 0:
		return "(no output)"
	case bytes.Count(stdout, []byte("\n")) != 1 || !bytes.HasSuffix(stdout, []byte("\n")):
		return "(not one line)"
	case json.Unmarshal(stdout, &line) != nil || line.Crashes == nil || line.Verdict == "":
		return "(no JSON with Crashes and verdict)"
	}
	return line.Verdict
}

// meaning is what the exit code tells a pipeline.
func meaning(exitCode int) string {
	switch exitCode {
	case 0:
		return "pass, the release may go on"
	case 1:
		return "fail, too many crashes"
	case 2:
		return "invalid configuration"
	case 3:
		return "inconclusive, what could not be observed is not vouched for"
	case 4:
		return "not ready"
	default:
		return "not one of crashcheck's verdicts"
	}
}
