// Package gate runs the crashcheck binary as a user does, as a process with an environment, and reads what a user sees:
// the exit code and both streams.
package gate

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Exit codes of crashcheck.
const (
	Pass         = 0
	Fail         = 1
	Invalid      = 2
	Inconclusive = 3
	NotReady     = 4
	Terminated   = 143 // by SIGTERM
)

// Report is the line on standard output.
type Report struct {
	Crashes           int64
	Verdict           string      `json:"verdict"`
	Reason            string      `json:"reason"`
	Limit             int64       `json:"limit"`
	Checks            int64       `json:"checks"`
	FailedChecks      int64       `json:"failedChecks"`
	Pods              int64       `json:"pods"`
	Namespace         string      `json:"namespace"`
	Workload          *string     `json:"workload"`
	Selector          string      `json:"selector"`
	ElapsedSeconds    float64     `json:"elapsedSeconds"`
	LongestGapSeconds float64     `json:"longestGapSeconds"`
	Containers        []Container `json:"containers"`
}

// Container is one crashed container of a Report.
type Container struct {
	Pod        string  `json:"pod"`
	Container  string  `json:"container"`
	Kind       string  `json:"kind"`
	Crashes    int64   `json:"crashes"`
	ExitCode   *int32  `json:"exitCode"`
	Signal     *int32  `json:"signal"`
	Reason     *string `json:"reason"`
	Message    *string `json:"message"`
	FinishedAt *string `json:"finishedAt"`
}

// Result is the visible result of a finished run.
type Result struct {
	ExitCode int
	Report   Report
	Stdout   string
	Stderr   string
	Took     time.Duration
}

// String is for the messages of failed tests.
func (r Result) String() string {
	return fmt.Sprintf("exit code %d after %s\nstdout: %s\nstderr:\n%s", r.ExitCode, r.Took.Round(time.Millisecond), r.Stdout, r.Stderr)
}

// Run is a crashcheck process.
type Run struct {
	cmd            *exec.Cmd
	begun          time.Time
	stdout, stderr output
}

// Start starts binary with exactly the given environment. When ctx ends, the
// process is killed.
func Start(ctx context.Context, binary string, environment map[string]string) (*Run, error) {
	run := &Run{cmd: exec.CommandContext(ctx, binary)}
	run.cmd.Env = []string{}
	for name, value := range environment {
		run.cmd.Env = append(run.cmd.Env, name+"="+value)
	}
	run.cmd.Stdout, run.cmd.Stderr = &run.stdout, &run.stderr
	run.begun = time.Now()
	if err := run.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start crashcheck: %w", err)
	}
	return run, nil
}

// Signal sends a signal to the process.
func (r *Run) Signal(signal syscall.Signal) error { return r.cmd.Process.Signal(signal) }

// Stderr is what the process has logged so far.
func (r *Run) Stderr() string { return r.stderr.String() }

// Wait waits until the process has ended and reads its report. It returns an error if standard output is not exactly one
// line.
func (r *Run) Wait() (Result, error) {
	waited := r.cmd.Wait()
	result := Result{
		ExitCode: r.cmd.ProcessState.ExitCode(),
		Stdout:   r.stdout.String(),
		Stderr:   r.stderr.String(),
		Took:     time.Since(r.begun),
	}
	if !r.cmd.ProcessState.Exited() {
		return result, fmt.Errorf("crashcheck was killed: %w", waited)
	}
	report, err := ParseReport(result.Stdout)
	result.Report = report
	return result, err
}

var firstKey = regexp.MustCompile(`^\{\s*"Crashes"\s*:`)

// ParseReport parses all of standard output.
func ParseReport(stdout string) (Report, error) {
	var report Report
	line, found := strings.CutSuffix(stdout, "\n")
	if !found || line == "" || strings.Contains(line, "\n") {
		return report, fmt.Errorf("standard output is not exactly one line: %q", stdout)
	}
	if !firstKey.MatchString(line) {
		return report, fmt.Errorf("the first key of the report is not Crashes: %s", line)
	}
	decoder := json.NewDecoder(strings.NewReader(line))
	// An unknown key is a change of the contract.
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&report); err != nil {
		return report, fmt.Errorf("read the report %s: %w", line, err)
	}
	return report, nil
}

// output is a buffer that can be read while the process writes.
type output struct {
	mutex  sync.Mutex
	buffer bytes.Buffer
}

func (o *output) Write(data []byte) (int, error) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.buffer.Write(data)
}

func (o *output) String() string {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.buffer.String()
}
