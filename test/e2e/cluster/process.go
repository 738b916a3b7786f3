package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// pollInterval is the time between two checks of a condition.
const pollInterval = 100 * time.Millisecond

// Process is one component of the cluster, a child process that tests may
// kill, stop and start again.
type Process struct {
	// Name of the component, such as kube-apiserver.
	Name string
	// LogPath is the file with the output of the component, also of earlier starts.
	LogPath string

	argv  []string
	env   []string
	dir   string
	ready func(context.Context) error

	cmd  *exec.Cmd
	done chan struct{}
}

// start starts the process and waits until it is ready.
func (p *Process) start(ctx context.Context) error {
	if err := p.launch(); err != nil {
		return err
	}
	if err := p.WaitReady(ctx); err != nil {
		return fmt.Errorf("start %s: %w\n%s", p.Name, err, p.Tail(30))
	}
	return nil
}

// launch starts the process.
func (p *Process) launch() error {
	log, err := os.OpenFile(p.LogPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()

	cmd := exec.Command(p.argv[0], p.argv[1:]...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir}, p.env...)
	cmd.Dir = p.dir
	cmd.Stdout, cmd.Stderr = log, log
	// A session of its own: only the suite receives Ctrl-C, and then stops the components in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	done := make(chan struct{})
	go func() {
		cmd.Wait()
		close(done)
	}()
	p.cmd, p.done = cmd, done
	return recordProcess(p.dir, p.Name, cmd.Process.Pid)
}

// WaitReady waits until the process is ready.
func (p *Process) WaitReady(ctx context.Context) error {
	if p.ready == nil {
		return nil
	}
	last := errors.New("not asked yet")
	err := wait.PollUntilContextTimeout(ctx, pollInterval, 2*time.Minute, true, func(ctx context.Context) (bool, error) {
		select {
		case <-p.done:
			return false, fmt.Errorf("it ended: %s", p.cmd.ProcessState)
		default:
		}
		attempt, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		err := p.ready(attempt)
		// An error because the wait is over means nothing.
		if ctx.Err() == nil {
			last = err
		}
		return err == nil, nil
	})
	if err != nil {
		return fmt.Errorf("wait until it is ready: %w (last: %w)", err, last)
	}
	return nil
}

// PID is the ID of the process that was started last.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Running reports whether the process has been started and has not ended.
func (p *Process) Running() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Kill ends the process at once (SIGKILL) and waits until it is gone.
func (p *Process) Kill() error {
	if !p.Running() {
		return nil
	}
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", p.Name, err)
	}
	<-p.done
	return nil
}

// Terminate asks the process to end (SIGTERM) and kills it after grace.
func (p *Process) Terminate(grace time.Duration) error {
	if !p.Running() {
		return nil
	}
	// A stopped process does not handle signals.
	p.signal(syscall.SIGCONT)
	if err := p.signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(grace):
		return p.Kill()
	}
}

// AskToEnd asks the process to end (SIGTERM) and does not wait.
func (p *Process) AskToEnd() error { return p.signal(syscall.SIGTERM) }

// Stop stops the process (SIGSTOP). Its connections stay open.
func (p *Process) Stop() error { return p.signal(syscall.SIGSTOP) }

// Cont resumes a stopped process (SIGCONT).
func (p *Process) Cont() error { return p.signal(syscall.SIGCONT) }

// Restart kills the process if it runs, and starts it again with the same
// arguments, ports and data.
func (p *Process) Restart(ctx context.Context) error {
	if err := p.Kill(); err != nil {
		return err
	}
	return p.start(ctx)
}

// Relaunch is Restart, but does not wait until the process is ready.
func (p *Process) Relaunch() error {
	if err := p.Kill(); err != nil {
		return err
	}
	return p.launch()
}

func (p *Process) signal(sig syscall.Signal) error {
	if !p.Running() {
		return fmt.Errorf("send %s to %s: it does not run", sig, p.Name)
	}
	if err := p.cmd.Process.Signal(sig); err != nil {
		return fmt.Errorf("send %s to %s: %w", sig, p.Name, err)
	}
	return nil
}

// Tail returns the last lines of the process's log, indented under its path.
func (p *Process) Tail(lines int) string {
	data, err := os.ReadFile(p.LogPath)
	if err != nil {
		return err.Error()
	}
	all := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
	all = all[max(0, len(all)-lines):]
	var out strings.Builder
	fmt.Fprintf(&out, "the end of %s:\n", p.LogPath)
	for _, line := range all {
		fmt.Fprintf(&out, "    %s\n", line)
	}
	return out.String()
}

// A processRecord is stored for each process, so that another run can end what a crashed run has left. The start time
// distinguishes a process from a later one with the same ID.
type processRecord struct {
	PID       int
	StartTime uint64
}

func recordProcess(dir, name string, pid int) error {
	started, err := startTime(pid)
	if err != nil {
		// It has ended already: nothing to record.
		return nil
	}
	data, err := json.Marshal(processRecord{pid, started})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+processSuffix), data, 0o644)
}

const processSuffix = ".process.json"

// recordedProcess reads a record and returns the process ID, or 0 if that process has ended.
func recordedProcess(path string) (int, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	var record processRecord
	if err := json.Unmarshal(data, &record); err != nil {
		return 0, fmt.Errorf("read %s: %w", path, err)
	}
	if started, err := startTime(record.PID); err != nil || started != record.StartTime {
		return 0, nil
	}
	return record.PID, nil
}

// startTime is field 22 of /proc/PID/stat, in clock ticks since boot. A zombie
// counts as ended.
func startTime(pid int) (uint64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The second field, the name in parentheses, may contain spaces.
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" {
		return 0, fmt.Errorf("process %d has ended", pid)
	}
	return strconv.ParseUint(fields[19], 10, 64)
}

// endProcess sends SIGTERM (without grace: SIGKILL) to a process that is not a child of this one, and waits until it has
// ended.
func endProcess(ctx context.Context, pid int, grace time.Duration) error {
	started, err := startTime(pid)
	if err != nil {
		return nil
	}
	gone := func(context.Context) (bool, error) {
		now, err := startTime(pid)
		return err != nil || now != started, nil
	}
	if grace > 0 {
		syscall.Kill(pid, syscall.SIGCONT)
		syscall.Kill(pid, syscall.SIGTERM)
		if wait.PollUntilContextTimeout(ctx, pollInterval, grace, true, gone) == nil {
			return nil
		}
	}
	syscall.Kill(pid, syscall.SIGKILL)
	if err := wait.PollUntilContextTimeout(ctx, pollInterval, 10*time.Second, true, gone); err != nil {
		return fmt.Errorf("end process %d: %w", pid, err)
	}
	return nil
}
