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
	"syscall"
	"time"

	"github.com/crashcheck/crashcheck/test/simcluster"
)

// timeout is much longer than the settings of a run allow: a run that takes longer hangs.
const timeout = 20 * time.Second

// A result is the outcome of one run.
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
	stdout, stderr := &labelled{out: out, label: "stdout"}, &labelled{out: out, label: "stderr"}
	var kept bytes.Buffer // standard output, which is shown after the log: its one line comes at the end
	exitCode, err := execute(ctx, server, scenario, binary, env, &kept, stderr)
	stderr.flush()
	stdout.Write(kept.Bytes())
	stdout.flush()
	if err != nil {
		return result{}, err
	}
	fmt.Fprintf(out, "exit code %d: %s\n", exitCode, meaning(exitCode))
	return result{scenario: scenario, exitCode: exitCode, verdict: verdict(kept.Bytes())}, nil
}

// runAlone runs the binary with this process's own standard output and error, after a line that shows the command.
func runAlone(ctx context.Context, server *simcluster.Server, scenario scenario, binary, kubeconfig string) (exitCode int, err error) {
	fmt.Fprintf(os.Stderr, "$ %s crashcheck\n", strings.Join(scenario.settings, " "))
	env := append([]string{"KUBECONFIG=" + kubeconfig, "TERM=" + os.Getenv("TERM"), "TZ=" + os.Getenv("TZ")}, scenario.settings...)
	return execute(ctx, server, scenario, binary, env, os.Stdout, os.Stderr)
}

// execute deploys the scenario's release, runs the binary to its end and returns its exit code. The environment contains
// only env and the variables that every program needs: with the caller's own settings, the result could differ from that of
// the command line shown.
func execute(ctx context.Context, server *simcluster.Server, scenario scenario, binary string, env []string, stdout, stderr io.Writer) (exitCode int, err error) {
	path, err := filepath.Abs(binary) // exec looks a bare name up in PATH
	if err != nil {
		return 0, fmt.Errorf("find the binary: %w", err)
	}
	if scenario.release.Hash != "" {
		scenario.release.Created = time.Now().Add(-time.Second) // the cluster's clock is a second ahead by the first check
		server.Deploy(scenario.release)
	}
	if scenario.outage > 0 {
		defer time.AfterFunc(scenario.outage, server.Stop).Stop()
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	command := exec.CommandContext(limited, path)
	command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}, env...)
	command.Stdout, command.Stderr = stdout, stderr
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = 2 * time.Second
	err = command.Run()
	switch {
	case ctx.Err() != nil:
		return 0, errors.New("interrupted")
	case limited.Err() != nil:
		return 0, fmt.Errorf("it was still running after %v", timeout)
	case command.ProcessState == nil:
		return 0, fmt.Errorf("start it: %w", err)
	}
	return command.ProcessState.ExitCode(), nil
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

// meaning is the meaning of the exit code for a pipeline.
func meaning(exitCode int) string {
	switch exitCode {
	case 0:
		return "pass, the release may proceed"
	case 1:
		return "fail, too many crashes"
	case 2:
		return "invalid configuration"
	case 3:
		return "inconclusive, no verdict was reached"
	case 4:
		return "not ready"
	default:
		return "not one of crashcheck's verdicts"
	}
}
