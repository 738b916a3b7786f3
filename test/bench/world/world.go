// Package world is what is measured against: a real control plane without
// controllers or a node, pods as a busy cluster has them, identities as gates
// have them, and a relay that counts bytes.
package world

import (
	"context"
	"io"
	"os"
	"path/filepath"

	"github.com/crashcheck/crashcheck/test/e2e/build"
	"github.com/crashcheck/crashcheck/test/e2e/cluster"
)

// name tells this cluster from those of the end-to-end tests.
const name = "bench"

// World is a running control plane.
type World struct {
	*cluster.Cluster
	// Kubectl is the client of the cluster's version.
	Kubectl string
	// Work is a folder for what is made on the way.
	Work string

	log io.Writer
}

// Start starts the control plane, building its components where the cache of
// the end-to-end tests does not have them. It has to run inside test/e2e,
// where package build looks for its module.
func Start(ctx context.Context, log io.Writer) (*World, error) {
	options := cluster.Options{Name: name, WithoutControllers: true, Log: log}
	var err error
	if options.Etcd, err = build.Etcd.Build(ctx, log); err != nil {
		return nil, err
	}
	if options.Kubernetes, err = build.Kubernetes.Build(ctx, log); err != nil {
		return nil, err
	}
	c, err := cluster.Start(ctx, options)
	if err != nil {
		return nil, err
	}
	w := &World{
		Cluster: c,
		Kubectl: filepath.Join(options.Kubernetes, "kubectl"),
		// Below the run folder, which Close removes.
		Work: filepath.Join(c.Dir, "work"),
		log:  log,
	}
	if err := os.MkdirAll(w.Work, 0o755); err != nil {
		c.Close()
		return nil, err
	}
	return w, nil
}
