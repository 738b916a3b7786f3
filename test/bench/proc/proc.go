// Package proc reads from Linux how much processor time a process has used.
package proc

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// CPU is the processor time, user and system, that all threads of a running
// process have used since it started. It is read from the process's CPU clock:
// the same value as in /proc/PID/stat, which is rounded to 10 ms.
func CPU(pid int) (time.Duration, error) {
	// The clock's id, as clock_getcpuclockid(3) makes it: CPUCLOCK_SCHED is 2.
	var at unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|2), &at); err != nil {
		return 0, fmt.Errorf("read the CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(at.Nano()), nil
}
