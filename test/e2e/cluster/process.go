package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// pollInterval is the time between two checks of a condition.
const pollInterval = 100 * time.Millisecond

// Process is one component of the cluster, a child process that tests may kill, stop and start again.
type Process struct {
	name string
	log  string // the file with the output of the component, also of earlier starts
	argv []string
	env  []string
	// ready reports whether the process is ready. If it is nil, nobody waits.
	ready func(context.Context) error

	cmd  *exec.Cmd
	done chan struct{}
}

// start starts the process and waits until it is ready.
func (p *Process) start(ctx context.Context) error {
	if err := p.Launch(); err != nil {
		return err
	}
	if err := p.WaitReady(ctx); err != nil {
		return fmt.Errorf("start %s: %w\n%s", p.name, err, tail(p.log, 30))
	}
	return nil
}

// Launch starts the process.
func (p *Process) Launch() error {
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()

	cmd := exec.Command(p.argv[0], p.argv[1:]...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, p.env...)
	cmd.Dir = filepath.Dir(p.log)
	cmd.Stdout, cmd.Stderr = log, log
	// A session of its own: only the suite receives Ctrl-C, and then stops the components.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	done := make(chan struct{})
	go func() {
		cmd.Wait()
		close(done)
	}()
	p.cmd, p.done = cmd, done
	return nil
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
		last = p.ready(attempt)
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("wait until it is ready: %w (last: %w)", err, last)
	}
	return nil
}

// PID is the ID of the process that was started last.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends a signal. A process that is stopped (SIGSTOP) keeps its connections open.
func (p *Process) Signal(signal syscall.Signal) error {
	if err := p.cmd.Process.Signal(signal); err != nil {
		return fmt.Errorf("send %s to %s: %w", signal, p.name, err)
	}
	return nil
}

// Kill ends the process at once (SIGKILL) and waits until it is gone.
func (p *Process) Kill() error {
	if err := p.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.done
	return nil
}

// Restart kills the process if it runs, and starts it again with the same arguments, ports and data.
func (p *Process) Restart(ctx context.Context) error {
	if err := p.Kill(); err != nil {
		return err
	}
	return p.start(ctx)
}

// tail returns the last lines of a log, indented under its path.
func tail(path string, lines int) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	all := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
	all = all[max(0, len(all)-lines):]
	return fmt.Sprintf("the end of %s:\n    %s\n", path, bytes.Join(all, []byte("\n    ")))
}

// freePorts returns n different free ports on loopback. It holds all of them until the last one is found, so that no port
// is returned twice.
func freePorts(n int) ([]int, error) {
	ports := make([]int, 0, n)
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer listener.Close()
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
