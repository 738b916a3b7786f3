// Command cluster starts a real cluster for experiments, and stops it.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/crashcheck/crashcheck/test/e2e/cluster"
)

const usage = `usage: cluster up | down | down test

up         starts a cluster that keeps running, and prints how to reach it
down       stops it and removes all that it has left
down test  does the same for the cluster of a test run that was killed
`

// name differs from that of the test suite, so that both can run at the same time.
const name = "play"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch strings.Join(os.Args[1:], " ") {
	case "up":
		err = up(ctx)
	case "down":
		err = cluster.TakeDown(ctx, name)
	case "down test":
		err = cluster.TakeDown(ctx, "test")
	default:
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func up(ctx context.Context) error {
	c, err := cluster.StartStandard(ctx, name, os.Stderr)
	if err != nil {
		return err
	}
	// Standard output is only this line: eval "$(… up)" works.
	fmt.Printf("export KUBECONFIG=%s\n", c.Kubeconfig)
	return nil
}
