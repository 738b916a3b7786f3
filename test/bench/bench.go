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

	"github.com/crashcheck/crashcheck/test/bench/child"
	"github.com/crashcheck/crashcheck/test/bench/proc"
	"github.com/crashcheck/crashcheck/test/bench/stats"
	"github.com/crashcheck/crashcheck/test/bench/world"
)

// bench is what all parts of the suite share.
type bench struct {
	settings
	folder string // of this module
	bin    string // the programs that are measured
	log    io.Writer

	// The control plane at hand, the namespaces in it, and their ReplicaSets.
	kubernetes *world.Kubernetes
	world      *world.World
	sites      map[string]*world.Site
	sets       map[Scenario]podSet
}

// Scenario is how many pods of the release there are, and how many others in the
// same namespace.
type Scenario struct{ Pods, Others int }

// podSet is the pods of a scenario and the ways to reach them.
type podSet struct {
	world.ReplicaSet
	*world.Site
}

func newBench(ctx context.Context, folder string, s settings, log io.Writer) (*bench, error) {
	bin, err := os.MkdirTemp("", "crashcheck-bench-")
	if err != nil {
		return nil, err
	}
	b := &bench{settings: s, folder: folder, bin: bin, log: log}
	if err := b.buildPrograms(ctx); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

func (b *bench) logf(format string, args ...any) {
	fmt.Fprintf(b.log, "bench: "+format+"\n", args...)
}

// buildPrograms builds the product as `make build` does, and this module's
// programs in the same way.
func (b *bench) buildPrograms(ctx context.Context) error {
	if err := goBuild(ctx, b.folder, b.bin, "./programs/..."); err != nil {
		return err
	}
	if b.crashcheck != "" {
		return os.Symlink(b.crashcheck, b.program("crashcheck"))
	}
	return goBuild(ctx, filepath.Join(b.folder, "..", ".."), b.bin, "./cmd/crashcheck")
}

func goBuild(ctx context.Context, dir, bin, packages string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", bin+"/", packages)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", packages, err, out)
	}
	return nil
}

// program is the path of a program that has been built.
func (b *bench) program(name string) string { return filepath.Join(b.bin, name) }

// start starts a control plane, unless it already runs, and ends the previous one.
func (b *bench) start(ctx context.Context, kubernetes *world.Kubernetes) error {
	if kubernetes == nil || kubernetes == b.kubernetes {
		return nil
	}
	if err := b.stop(); err != nil {
		return err
	}
	w, err := world.Start(ctx, *kubernetes, b.log)
	if err != nil {
		return err
	}
	b.kubernetes, b.world, b.sites, b.sets = kubernetes, w, map[string]*world.Site{}, map[Scenario]podSet{}
	return nil
}

func (b *bench) stop() error {
	if b.world == nil {
		return nil
	}
	w := b.world
	b.world, b.kubernetes = nil, nil
	return w.Close()
}

func (b *bench) close() error { return errors.Join(b.stop(), os.RemoveAll(b.bin)) }

// set makes the pods of a scenario, once.
func (b *bench) set(ctx context.Context, s Scenario) (podSet, error) {
	if set, found := b.sets[s]; found {
		return set, nil
	}
	hash := "7f5b9c6d48"
	namespace := fmt.Sprintf("shop-%d", s.Pods)
	if s.Others > 0 {
		// The others are the pods of another scenario.
		others, err := b.set(ctx, Scenario{Pods: s.Others})
		if err != nil {
			return podSet{}, err
		}
		hash, namespace = "5d8f7c9b64", others.Site.Namespace
	}
	begun := time.Now()
	site := b.sites[namespace]
	if site == nil {
		var err error
		if site, err = b.world.NewSite(ctx, namespace); err != nil {
			return podSet{}, err
		}
		b.sites[namespace] = site
	}
	set := podSet{world.ReplicaSet{Namespace: namespace, Hash: hash, Pods: s.Pods}, site}
	if err := b.world.CreatePods(ctx, set.ReplicaSet); err != nil {
		return podSet{}, err
	}
	b.logf("%s: created %d pods in namespace %s in %s", b.world.Version, s.Pods, namespace, time.Since(begun).Round(100*time.Millisecond))
	b.sets[s] = set
	return set, nil
}

// serverCPU is the processor time that API server and etcd have used until at.
type serverCPU struct {
	api, etcd time.Duration
	at        time.Time
}

func (b *bench) server() (serverCPU, error) {
	at := time.Now()
	api, err := proc.CPU(b.world.APIServer.PID())
	if err != nil {
		return serverCPU{}, err
	}
	etcd, err := proc.CPU(b.world.Etcd.PID())
	return serverCPU{api, etcd, at}, err
}

// total is what some gates, the API server and etcd have used in a time.
type total struct {
	gates, api, etcd, elapsed time.Duration
	// wall is the time that the slowest gate took.
	wall time.Duration
	peak int64
}

func (now serverCPU) since(before serverCPU) total {
	return total{api: now.api - before.api, etcd: now.etcd - before.etcd, elapsed: now.at.Sub(before.at)}
}

// idle is what API server and etcd use without requests, in processors, with the
// standard error of the measurements.
type idle struct{ api, apiError, etcd, etcdError float64 }

func newIdle(rests []total) idle {
	var api, etcd []float64
	for _, rest := range rests {
		api = append(api, rest.api.Seconds()/rest.elapsed.Seconds())
		etcd = append(etcd, rest.etcd.Seconds()/rest.elapsed.Seconds())
	}
	return idle{stats.Mean(api), stats.Error(api), stats.Mean(etcd), stats.Error(etcd)}
}

// rest measures what the servers use without requests.
func (b *bench) rest(ctx context.Context, d time.Duration) (total, error) {
	before, err := b.server()
	if err != nil {
		return total{}, err
	}
	wait(ctx, d)
	after, err := b.server()
	return after.since(before), errors.Join(err, ctx.Err())
}

// settle waits until the API server has finished its work on what was created.
func (b *bench) settle(ctx context.Context) error {
	const busy, attempts = 0.1, 20
	for range attempts {
		rest, err := b.rest(ctx, 3*time.Second)
		if err != nil {
			return err
		}
		if rest.api.Seconds() < busy*rest.elapsed.Seconds() {
			break
		}
	}
	return nil
}

// run runs gates, started evenly over a time, while nothing else runs, and gives
// the output of each to check.
func (b *bench) run(ctx context.Context, commands []child.Command, over time.Duration, check func(stdout []byte) error) (total, error) {
	before, err := b.server()
	if err != nil {
		return total{}, err
	}
	var running []*child.Running
	for i, command := range commands {
		wait(ctx, time.Until(before.at.Add(over*time.Duration(i)/time.Duration(len(commands)))))
		gate, err := command.Start(ctx)
		if err != nil {
			return total{}, err
		}
		running = append(running, gate)
	}
	var gates total
	for _, gate := range running {
		usage, stdout, err := gate.Wait()
		if err := errors.Join(err, check(stdout)); err != nil {
			return total{}, err
		}
		gates.gates += usage.CPU
		gates.wall = max(gates.wall, usage.Wall)
		gates.peak = max(gates.peak, usage.Peak)
	}
	after, err := b.server()
	sum := after.since(before)
	sum.gates, sum.wall, sum.peak = gates.gates, gates.wall, gates.peak
	return sum, err
}

// wait waits, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
