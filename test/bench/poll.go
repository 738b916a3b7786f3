package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/crashcheck/crashcheck/test/bench/proc"
	"github.com/crashcheck/crashcheck/test/e2e/gate"
)

// startOver is the time over which a fleet starts: all at once would measure
// the start of programs.
const startOver = 20 * time.Second

// poller is one crashcheck process of a fleet.
type poller struct {
	cmd    *exec.Cmd
	stdout bytes.Buffer
}

// poll runs crashcheck, one process for each gate, with pods that do not
// change and, where asked for, with pods that do.
func (b *bench) poll(ctx context.Context, f *fleet, interval, window time.Duration, changing bool, changeAPI time.Duration) ([]FleetCost, error) {
	pollers, err := b.startPollers(ctx, f, interval)
	defer func() { endPollers(pollers) }()
	if err != nil {
		return nil, err
	}
	cpu := func() (time.Duration, error) { return cpuOf(pollers), nil }
	wait(ctx, 2*time.Second)
	quiet, err := b.observe(ctx, f, window, cpu)
	if err != nil {
		return nil, err
	}
	quiet.Memory = memoryOf(pollers)
	costs := []FleetCost{quiet}
	if changing {
		stop := b.change(ctx, f)
		wait(ctx, 2*time.Second)
		busy, err := b.observe(ctx, f, window, cpu)
		var stopErr error
		busy.Changes, stopErr = stop()
		if err := errors.Join(err, stopErr); err != nil {
			return nil, err
		}
		busy.leaveOut(changeAPI)
		busy.Memory = quiet.Memory
		costs = append(costs, busy)
	}
	end, err := endPollers(pollers)
	if err != nil {
		return nil, err
	}
	for i := range costs {
		c := &costs[i]
		c.Way, c.Interval = "poll", interval
		c.FailedChecks, c.LongestGap, c.GaveUp, c.Silent = end.failedChecks, end.longestGap, end.gaveUp, end.silent
	}
	return costs, nil
}

// startPollers starts the gates evenly over a while, and returns those that it
// has started even after an error.
func (b *bench) startPollers(ctx context.Context, f *fleet, interval time.Duration) ([]*poller, error) {
	over := max(startOver, interval)
	if b.quick {
		over = interval
	}
	var pollers []*poller
	begun := time.Now()
	for i, g := range f.gates {
		wait(ctx, time.Until(begun.Add(over*time.Duration(i)/time.Duration(len(f.gates)))))
		p := &poller{cmd: exec.CommandContext(ctx, b.program("crashcheck"))}
		p.cmd.Env = []string{
			"KUBECONFIG=" + g.access.Kubeconfig, "NAMESPACE=" + g.set.Namespace, "HASH=" + g.set.Hash,
			"INTERVAL=" + interval.String(), "DURATION=1h", fmt.Sprint("CRASH_LIMIT=", noLimit),
		}
		p.cmd.Stdout = &p.stdout
		p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := p.cmd.Start(); err != nil {
			return pollers, fmt.Errorf("start gate %d: %w", i, err)
		}
		pollers = append(pollers, p)
	}
	return pollers, ctx.Err()
}

func cpuOf(pollers []*poller) time.Duration {
	var sum time.Duration
	for _, p := range pollers {
		// One that has given up meanwhile is counted at the end.
		if cpu, err := proc.CPU(p.cmd.Process.Pid); err == nil {
			sum += cpu
		}
	}
	return sum
}

// memoryOf is the median over some of the processes: the kernel takes a while
// to add up each.
func memoryOf(pollers []*poller) proc.Memory {
	var some []proc.Memory
	for i := 0; i < len(pollers); i += 10 {
		if memory, err := proc.MemoryOf(pollers[i].cmd.Process.Pid); err == nil {
			some = append(some, memory)
		}
	}
	return medianMemory(some)
}

// pollerEnd is what the gates' reports say together.
type pollerEnd struct {
	failedChecks int64
	longestGap   time.Duration
	gaveUp       int
	silent       int
}

// endPollers ends all gates and reads their reports. A second call does nothing.
func endPollers(pollers []*poller) (end pollerEnd, err error) {
	for _, p := range pollers {
		if p.cmd.ProcessState == nil {
			p.cmd.Process.Signal(syscall.SIGTERM)
		}
	}
	for _, p := range pollers {
		if p.cmd.ProcessState != nil {
			continue
		}
		p.cmd.Wait() // its exit code is that of a run that was ended
		report, parseErr := gate.ParseReport(p.stdout.String())
		switch {
		case p.stdout.Len() == 0:
			end.silent++
		case parseErr != nil:
			err = parseErr
		case report.Verdict == "inconclusive":
			end.gaveUp++
		case report.Verdict != "interrupted" || report.Pods != fleetPods:
			err = fmt.Errorf("a gate says: %s", strings.TrimSpace(p.stdout.String()))
		}
		end.failedChecks += report.FailedChecks
		end.longestGap = max(end.longestGap, time.Duration(report.LongestGapSeconds*float64(time.Second)))
	}
	return end, err
}
