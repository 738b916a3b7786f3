// Arm64 runs two binaries of crashcheck, for different architectures, on the recorded status streams: as processes, against
// the simulated API server. Each check of a run lists the pods as they were at the next recorded event. Both binaries must
// report the same, and must fail a release at its last recorded crash.
//
//	go run ./test/arm64 bin/crashcheck bin/arm64/crashcheck
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/crashcheck/crashcheck/test/simcluster"
)

const (
	streams = "pkg/checker/testdata/traces"
	// timeout is much longer than a run takes, even in an emulator: a run that takes longer hangs.
	timeout = 2 * time.Minute
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := errors.New("usage: arm64 BINARY OTHER-BINARY")
	if len(os.Args) == 3 {
		err = compareAll(ctx, os.Args[1], os.Args[2])
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "arm64:", err)
		os.Exit(1)
	}
}

func compareAll(ctx context.Context, binary, other string) error {
	content, err := os.ReadFile(streams + "/expected.json")
	if err != nil {
		return err
	}
	var expected map[string]struct {
		CrashAt []float64 `json:"crash_at"`
	}
	if err := json.Unmarshal(content, &expected); err != nil || len(expected) == 0 {
		return fmt.Errorf("read the expected crashes: %d streams, %w", len(expected), err)
	}
	var failures []error
	for _, name := range slices.Sorted(maps.Keys(expected)) {
		crashAt := expected[name].CrashAt
		verdict, err := compare(ctx, filepath.Join(streams, name+".jsonl.gz"), crashAt, binary, other)
		if err != nil {
			verdict = "NOT AS EXPECTED"
			failures = append(failures, fmt.Errorf("%s: %w", name, err))
		}
		fmt.Printf("%-18s %3d crashes  %s\n", name, len(crashAt), verdict)
	}
	return errors.Join(failures...)
}

// compare runs both binaries on a stream, with a limit that the last of its crashes reaches.
func compare(ctx context.Context, file string, crashAt []float64, binary, other string) (verdict string, err error) {
	reader, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer reader.Close()
	stream, err := simcluster.LoadTrace(reader)
	if err != nil {
		return "", err
	}
	first, err := run(ctx, binary, stream, len(crashAt))
	if err != nil {
		return "", fmt.Errorf("%s: %w", binary, err)
	}
	second, err := run(ctx, other, stream, len(crashAt))
	if err != nil {
		return "", fmt.Errorf("%s: %w", other, err)
	}
	if first != second {
		return "", fmt.Errorf("the binaries differ\n%s: %v\n%s: %v", binary, first, other, second)
	}
	return first.judge(stream, crashAt)
}

// A result is what a run reports, without its times.
type result struct {
	exitCode int
	line     string // the JSON line
}

// judge returns the verdict. It is an error if crashes were not counted at the event that shows them.
func (r result) judge(stream simcluster.Trace, crashAt []float64) (verdict string, err error) {
	var line struct {
		Crashes, Checks int
		Verdict         string
	}
	if err := json.Unmarshal([]byte(r.line), &line); err != nil {
		return "", err
	}
	failed := r.exitCode == 1 && line.Verdict == "fail"
	checks := line.Checks
	if len(crashAt) > 0 {
		last := slices.Max(crashAt)
		checks = len(slices.DeleteFunc(times(stream), func(at time.Duration) bool { return at.Seconds() > last }))
	}
	if failed != (len(crashAt) > 0) || line.Crashes != len(crashAt) || line.Checks != checks {
		return "", fmt.Errorf("want %d crashes after %d checks: %v", len(crashAt), checks, r)
	}
	return line.Verdict, nil
}

// run runs a binary as a process, with one check for each time at which something was recorded.
func run(ctx context.Context, binary string, stream simcluster.Trace, crashes int) (result, error) {
	folder, err := os.MkdirTemp("", "crashcheck-arm64-")
	if err != nil {
		return result{}, err
	}
	defer os.RemoveAll(folder)
	server := simcluster.Start(simcluster.WithTLS(), simcluster.WithSpeed(0))
	defer server.Close()
	server.Replay(stream)
	times := times(stream)
	next := make(chan time.Duration, len(times))
	for _, at := range times {
		next <- at
	}
	server.Handle(func(w http.ResponseWriter, r *http.Request, handler http.Handler) {
		select {
		case at := <-next:
			server.Advance(at - server.Now())
		default: // a request too many shows in the number of checks
		}
		handler.ServeHTTP(w, r)
	})
	pod := stream[0].Pod
	kubeconfig := filepath.Join(folder, "kubeconfig")
	if err := server.WriteKubeconfig(kubeconfig, pod.Namespace); err != nil {
		return result{}, err
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var stdout, stderr bytes.Buffer
	command := exec.CommandContext(limited, binary)
	command.Env = []string{
		"PATH=" + os.Getenv("PATH"), "KUBECONFIG=" + kubeconfig, "SELECTOR=app=" + pod.Labels["app"],
		"INTERVAL=10ms", fmt.Sprint("COUNT=", len(times)), fmt.Sprint("CRASH_LIMIT=", max(1, crashes)),
	}
	command.Stdout, command.Stderr = &stdout, &stderr
	command.WaitDelay = 2 * time.Second
	err = command.Run()
	if exit := (*exec.ExitError)(nil); err != nil && (!errors.As(err, &exit) || !exit.Exited()) {
		return result{}, fmt.Errorf("run it: %w\n%s", err, &stderr)
	}
	return result{command.ProcessState.ExitCode(), elapsed.ReplaceAllString(stdout.String(), "")}, nil
}

// elapsed are the times that a line contains.
var elapsed = regexp.MustCompile(`"(elapsed|longestGap)Seconds":[\d.]+,|within \d[\w.]*`)

// times are the different times of the events.
func times(stream simcluster.Trace) []time.Duration {
	var times []time.Duration
	for _, event := range stream {
		if len(times) == 0 || event.At() > times[len(times)-1] {
			times = append(times, event.At())
		}
	}
	return times
}
