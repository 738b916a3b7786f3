package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/crashcheck/crashcheck/test/bench/child"
	"github.com/crashcheck/crashcheck/test/bench/proc"
	"github.com/crashcheck/crashcheck/test/bench/world"
)

// bench is what all parts of the suite share.
type bench struct {
	world *world.World
	// folder is this module's.
	folder string
	quick  bool
	log    io.Writer
	// bin is the folder of the programs that are measured.
	bin string
	// sets are the ReplicaSets that there are, by their number of pods.
	sets map[int]measuredSet
	// idle is what API server and etcd use when nobody asks anything.
	idle serverRate
}

// measuredSet is a ReplicaSet in a namespace of its own, and the ways to it.
type measuredSet struct {
	world.ReplicaSet
	direct, relayed world.Access
	relay           *world.Relay
}

// access is the way to the pods: straight, or where bytes are counted.
func (s measuredSet) access(relayed bool) world.Access {
	if relayed {
		return s.relayed
	}
	return s.direct
}

// serverRate is processor time per second of time, in seconds.
type serverRate struct{ api, store float64 }

// serverCPU is the processor time that API server and etcd have used.
type serverCPU struct {
	api, store time.Duration
	at         time.Time
}

func newBench(ctx context.Context, folder string, quick bool, log io.Writer) (*bench, error) {
	w, err := world.Start(ctx, log)
	if err != nil {
		return nil, err
	}
	b := &bench{world: w, folder: folder, quick: quick, log: log, bin: filepath.Join(w.Work, "bin"), sets: map[int]measuredSet{}}
	if err := b.buildPrograms(ctx, folder); err != nil {
		w.Close()
		return nil, err
	}
	return b, nil
}

func (b *bench) logf(format string, args ...any) {
	fmt.Fprintf(b.log, "bench: "+format+"\n", args...)
}

// buildPrograms builds the product as `make build` does, and this module's
// programs in the same way.
func (b *bench) buildPrograms(ctx context.Context, folder string) error {
	if err := os.MkdirAll(b.bin, 0o755); err != nil {
		return err
	}
	if err := goBuild(ctx, filepath.Join(folder, "..", ".."), b.bin, "./cmd/crashcheck"); err != nil {
		return err
	}
	return goBuild(ctx, folder, b.bin, "./programs/...")
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

func (b *bench) command(env []string, argv ...string) child.Command {
	return child.Command{Launcher: b.program("launch"), Argv: argv, Env: env}
}

// set makes a ReplicaSet of this many pods, once.
func (b *bench) set(ctx context.Context, pods int) (measuredSet, error) {
	if set, found := b.sets[pods]; found {
		return set, nil
	}
	begun := time.Now()
	set := measuredSet{ReplicaSet: world.ReplicaSet{Namespace: fmt.Sprintf("shop-%d", pods), Hash: "7f5b9c6d48", Pods: pods}}
	err := b.world.CreateNamespace(ctx, set.Namespace)
	if err != nil {
		return set, err
	}
	if set.relay, err = b.world.NewRelay(); err != nil {
		return set, err
	}
	if set.direct, err = b.world.NewAccess(ctx, set.Namespace, "direct", ""); err != nil {
		return set, err
	}
	if set.relayed, err = b.world.NewAccess(ctx, set.Namespace, "relayed", set.relay.Address); err != nil {
		return set, err
	}
	if err := b.world.CreatePods(ctx, set.ReplicaSet); err != nil {
		return set, err
	}
	size, err := b.world.PodSize(ctx, set.ReplicaSet)
	if err != nil {
		return set, err
	}
	b.logf("created %d pods of %.1f kB in JSON in %s", pods, float64(size)/1e3, time.Since(begun).Round(100*time.Millisecond))
	b.sets[pods] = set
	return set, nil
}

// settle waits until the API server is quiet again, and learns what it uses
// then.
func (b *bench) settle(ctx context.Context) error {
	const least, most = 3 * time.Second, 20 * time.Second
	for begun := time.Now(); ; {
		before, err := b.server()
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(least):
		}
		after, err := b.server()
		if err != nil {
			return err
		}
		wall := after.at.Sub(before.at).Seconds()
		b.idle = serverRate{(after.api - before.api).Seconds() / wall, (after.store - before.store).Seconds() / wall}
		// A collection of garbage after all that creating takes a while.
		if b.idle.api < 0.1 || time.Since(begun) > most {
			b.logf("idle: the API server uses %.1f %% of a processor, etcd %.1f %%", 100*b.idle.api, 100*b.idle.store)
			return nil
		}
	}
}

func (b *bench) server() (serverCPU, error) {
	at := time.Now()
	api, err := proc.CPU(b.world.APIServer.PID())
	if err != nil {
		return serverCPU{}, err
	}
	store, err := proc.CPU(b.world.Etcd.PID())
	return serverCPU{api, store, at}, err
}

// since is what API server and etcd have used beyond what they use idle.
func (b *bench) since(before serverCPU) (api, store time.Duration, err error) {
	now, err := b.server()
	if err != nil {
		return 0, 0, err
	}
	wall := now.at.Sub(before.at).Seconds()
	beyond := func(used time.Duration, idle float64) time.Duration {
		return used - time.Duration(idle*wall*float64(time.Second))
	}
	return beyond(now.api-before.api, b.idle.api), beyond(now.store-before.store, b.idle.store), nil
}

// cost is what a run has cost the program, the API server and its store.
type cost struct {
	child.Usage
	api, store time.Duration
	stdout     []byte
}

// run runs a command while nothing else goes on.
func (b *bench) run(ctx context.Context, command child.Command) (cost, error) {
	before, err := b.server()
	if err != nil {
		return cost{}, err
	}
	usage, stdout, err := command.Run(ctx)
	if err != nil {
		return cost{}, err
	}
	api, store, err := b.since(before)
	return cost{usage, api, store, stdout}, err
}
