// Package e2e tests crashcheck on a real cluster: a control plane, a node and the Argo Rollouts controller, built from
// source and run on this machine.
//
// With E2E_KUBERNETES=oldest, the tests start the oldest control plane, and skip what needs a node.
package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/crashcheck/crashcheck/test/e2e/build"
	"github.com/crashcheck/crashcheck/test/e2e/cluster"
)

// suite is what all tests share.
type suite struct {
	*cluster.Cluster
	// binary is crashcheck, and kubectl the client of the cluster's version.
	binary, kubectl string
}

// the is the running suite; TestMain sets it up.
var the *suite

func TestMain(m *testing.M) {
	// More tests than there are processors run at the same time: they mostly wait. With too many, two processors need too
	// long to start all their pods.
	if err := flag.Set("test.parallel", "10"); err != nil {
		panic(err)
	}
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if the, err = setUp(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "e2e: set up:", err)
		return 1
	}
	finished := make(chan int, 1)
	go func() { finished <- m.Run() }()
	code := 1
	select {
	case code = <-finished:
	case <-ctx.Done():
		fmt.Fprintln(os.Stderr, "e2e: interrupted")
	}
	if code != 0 {
		fmt.Fprint(os.Stderr, the.Tails(15))
	}
	if err := the.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "e2e: stop the cluster:", err)
		return 1
	}
	return code
}

func setUp(ctx context.Context) (*suite, error) {
	var s suite
	kubectl, err := build.Kubernetes.Build(ctx, os.Stderr)
	if err != nil {
		return nil, err
	}
	s.kubectl = filepath.Join(kubectl, "kubectl")
	if os.Getenv("E2E_KUBERNETES") == "oldest" {
		s.Cluster, err = cluster.StartControlPlane(ctx, "oldest", os.Stderr)
	} else {
		s.Cluster, err = cluster.StartStandard(ctx, "test", os.Stderr)
	}
	if err != nil {
		return nil, err
	}
	if s.binary, err = build.Crashcheck(ctx, s.Dir); err != nil {
		return nil, fmt.Errorf("%w, and %v", err, s.Close())
	}
	return &s, nil
}
