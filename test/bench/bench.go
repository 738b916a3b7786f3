package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/crashcheck/crashcheck/test/bench/child"
	"github.com/crashcheck/crashcheck/test/bench/world"
)

// bench is what all measurements share.
type bench struct {
	quick bool
	temp  string // the programs that are measured, and their files
	log   io.Writer
	world *world.World
	// created are the numbers of pods that there are, each in its namespace.
	created map[int]bool
}

func newBench(ctx context.Context, folder string, quick bool, log io.Writer) (*bench, error) {
	temp, err := os.MkdirTemp("", "crashcheck-bench-")
	if err != nil {
		return nil, err
	}
	b := &bench{quick: quick, temp: temp, log: log, created: map[int]bool{}}
	if err := b.start(ctx, folder); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

func (b *bench) start(ctx context.Context, folder string) error {
	product := filepath.Join(folder, "..", "..")
	if err := errors.Join(
		goBuild(ctx, folder, b.temp, "./programs/..."),
		goBuild(ctx, product, b.temp, "./cmd/crashcheck"),
		os.Symlink(filepath.Join(folder, "programs", kubectlJQ.program), filepath.Join(b.temp, kubectlJQ.program)),
		// Package build looks for its module from the working directory upward.
		os.Chdir(filepath.Join(product, "test", "e2e")),
	); err != nil {
		return err
	}
	var err error
	b.world, err = world.Start(ctx, b.temp, b.log)
	return err
}

// goBuild builds programs as `make build` builds the product.
func goBuild(ctx context.Context, dir, to, packages string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", to+"/", packages)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", packages, err, out)
	}
	return nil
}

func (b *bench) close() error {
	var err error
	if b.world != nil {
		err = b.world.Close()
	}
	return errors.Join(err, os.RemoveAll(b.temp))
}

func (b *bench) logf(format string, args ...any) {
	fmt.Fprintf(b.log, "bench: "+format+"\n", args...)
}

func namespace(pods int) string { return fmt.Sprintf("shop-%d", pods) }

// prepare creates a number of pods, once, and waits until the API server has
// finished its work on them.
func (b *bench) prepare(ctx context.Context, pods int) error {
	if b.created[pods] {
		return nil
	}
	b.created[pods] = true
	b.logf("creating %d pods", pods)
	if err := b.world.CreatePods(ctx, namespace(pods), pods); err != nil {
		return err
	}
	const busy, attempts = 0.1, 30
	for range attempts {
		idle, err := b.idle(ctx)
		if err != nil {
			return err
		}
		if idle.api < busy*idle.elapsed {
			break
		}
	}
	return nil
}

// usage is what one gate, the API server and etcd have used: processor time in
// seconds, and bytes.
type usage struct {
	gate, api, etcd, elapsed float64
	bytes, peak              float64
}

// servers is what the servers have used so far, and the bytes that were relayed.
func (b *bench) servers() (usage, error) {
	now := float64(time.Now().UnixNano()) / 1e9
	api, errAPI := processCPU(b.world.APIServer.PID())
	etcd, errEtcd := processCPU(b.world.Etcd.PID())
	return usage{api: api, etcd: etcd, elapsed: now, bytes: float64(b.world.Relay.Bytes())}, errors.Join(errAPI, errEtcd)
}

// processCPU is the processor time in seconds, user and system, that all threads of a running process have used.
// It is read from the process's CPU clock: the same value as in /proc/PID/stat, which is rounded to 10 ms.
func processCPU(pid int) (float64, error) {
	// The clock's id, as clock_getcpuclockid(3) makes it: CPUCLOCK_SCHED is 2.
	var at unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|2), &at); err != nil {
		return 0, fmt.Errorf("read the CPU clock of process %d: %w", pid, err)
	}
	return float64(at.Nano()) / 1e9, nil
}

// idle measures what the servers use without requests. Most of their periodic
// work comes every 10 s or more often.
func (b *bench) idle(ctx context.Context) (usage, error) {
	before, err := b.servers()
	if err != nil {
		return usage{}, err
	}
	wait(ctx, 2*time.Second)
	after, err := b.servers()
	return per(1, before, after), errors.Join(err, ctx.Err())
}

// run runs a number of the same gates, started evenly over one interval, while
// nothing else runs, and returns the usage of one of them.
func (b *bench) run(ctx context.Context, r rival, g gate, gates int) (usage, error) {
	before, err := b.servers()
	if err != nil {
		return usage{}, err
	}
	running, err := b.startGates(ctx, r, g, gates)
	if err != nil {
		return usage{}, err
	}
	var cpu time.Duration
	var peak int64
	for _, gate := range running {
		used, stdout, err := gate.Wait(0)
		if err := errors.Join(err, r.checkReport(g.pods, stdout)); err != nil {
			return usage{}, err
		}
		cpu += used.CPU
		peak = max(peak, used.Peak)
	}
	after, err := b.servers()
	one := per(gates, before, after)
	one.gate = cpu.Seconds() / float64(gates)
	one.peak = float64(peak)
	return one, err
}

// startGates starts gates evenly over one interval.
func (b *bench) startGates(ctx context.Context, r rival, g gate, gates int) ([]*child.Running, error) {
	var running []*child.Running
	for range gates {
		started, err := b.command(r, g).Start(ctx)
		if err != nil {
			return nil, err
		}
		running = append(running, started)
		if gates > 1 {
			wait(ctx, g.interval/time.Duration(gates))
		}
	}
	return running, nil
}

// per is the share of one gate in what was used between two readings.
func per(gates int, before, after usage) usage {
	return sum(usage{}, sum(after, before, -1), 1/float64(gates))
}

// wait waits, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
