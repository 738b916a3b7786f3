// Command cluster starts a real cluster for experiments, and stops it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/crashcheck/crashcheck/test/e2e/cluster"
)

const usage = `usage: cluster up | down [NAME]

up      starts a cluster that stays, and prints how to reach it
down    ends it and removes all it has left; with NAME, the cluster of that
        name ("test" is the test suite's)
`

// name differs from that of the test suite, so that both can run at the same time.
const name = "play"

func main() {
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch {
	case len(args) == 1 && args[0] == "up":
		err = up(ctx)
	case len(args) == 1 && args[0] == "down":
		err = cluster.TakeDown(ctx, name, os.Stderr)
	case len(args) == 2 && args[0] == "down":
		err = cluster.TakeDown(ctx, args[1], os.Stderr)
	default:
		fmt.Fprint(os.Stderr, usage)
		return 2
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		return 1
	}
	return 0
}

func up(ctx context.Context) error {
	running, err := cluster.IsUp(name)
	if err != nil {
		return err
	}
	if running {
		fmt.Fprintf(os.Stderr, "e2e: cluster %s runs already\n", name)
		fmt.Printf("export KUBECONFIG=%s/kubeconfig\n", cluster.Dir(name))
		return nil
	}
	work, err := os.MkdirTemp("", "crashcheck-e2e-images-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	c, err := cluster.StartStandard(ctx, name, work, os.Stderr)
	if err != nil {
		return err
	}
	c.Release()
	// Standard output is only this line: eval "$(… up)" works.
	fmt.Printf("export KUBECONFIG=%s\n", c.Kubeconfig)
	return nil
}
