// Package proc reads from Linux what a process has used.
package proc

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// CPU is the processor time that a running process has used since it started,
// user and system, of all its threads. It is read from the process's CPU
// clock: the same figure as in /proc/PID/stat, which is cut to 10 ms.
func CPU(pid int) (time.Duration, error) {
	// The clock's id, as clock_getcpuclockid(3) makes it: CPUCLOCK_SCHED is 2.
	var at unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|2), &at); err != nil {
		return 0, fmt.Errorf("read the CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(at.Nano()), nil
}

// Memory is what a process holds in memory now, in bytes.
type Memory struct {
	// RSS counts every page in full, PSS a page that n processes share (the
	// program's text, mostly) as 1/n of it.
	RSS, PSS int64
	// Private is what would be free if the process ended.
	Private int64
}

// MemoryOf reads /proc/PID/smaps_rollup.
func MemoryOf(pid int) (Memory, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return Memory{}, err
	}
	return parseMemory(data)
}

func parseMemory(data []byte) (Memory, error) {
	fields, err := kilobytes(data)
	if err != nil {
		return Memory{}, err
	}
	for _, name := range []string{"Rss", "Pss", "Private_Clean", "Private_Dirty"} {
		if _, found := fields[name]; !found {
			return Memory{}, fmt.Errorf("smaps_rollup has no %s", name)
		}
	}
	return Memory{RSS: fields["Rss"], PSS: fields["Pss"], Private: fields["Private_Clean"] + fields["Private_Dirty"]}, nil
}

// kilobytes reads the lines "Name:   123 kB", in bytes.
func kilobytes(data []byte) (map[string]int64, error) {
	fields := map[string]int64{}
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		number, found := strings.CutSuffix(strings.TrimSpace(value), " kB")
		if !found {
			continue
		}
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read the line %q: %w", lines.Text(), err)
		}
		fields[name] = n << 10
	}
	return fields, nil
}

// Available is how much memory the machine has to give, in bytes.
func Available() (int64, error) {
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	fields, err := kilobytes(data)
	if err != nil {
		return 0, err
	}
	available, found := fields["MemAvailable"]
	if !found {
		return 0, fmt.Errorf("/proc/meminfo has no MemAvailable")
	}
	return available, nil
}
