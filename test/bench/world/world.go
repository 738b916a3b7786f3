// Package world is what the suite measures against: a real etcd and
// kube-apiserver without controllers and without a node, pods as a busy cluster
// has them, credentials as gates have them, and a relay that counts bytes.
package world

import (
	"context"
	"io"
	"os"
	"path/filepath"

	"github.com/crashcheck/crashcheck/test/e2e/build"
	"github.com/crashcheck/crashcheck/test/e2e/cluster"
)

// name distinguishes this cluster from those of the end-to-end tests.
const name = "bench"

// Kubernetes is a version to measure against.
type Kubernetes struct{ component build.Component }

// The versions that the suite measures against.
var (
	Newest = Kubernetes{build.Kubernetes}
	Oldest = Kubernetes{build.KubernetesOldest}
)

// World is a running control plane.
type World struct {
	*cluster.Cluster
	// Version is the API server's, such as v1.37.2.
	Version string
	// Kubectl is the kubectl of the same version; the oldest has none.
	Kubectl string
	// Work is a folder for temporary files.
	Work string
}

// Start starts etcd and the API server. It builds them if the cache of the
// end-to-end tests does not have them. The working directory has to be inside
// test/e2e, where package build looks for its module.
func Start(ctx context.Context, kubernetes Kubernetes, log io.Writer) (*World, error) {
	options := cluster.Options{Name: name, WithoutControllers: true, Log: log}
	var err error
	if options.Etcd, err = build.Etcd.Build(ctx, log); err != nil {
		return nil, err
	}
	if options.Kubernetes, err = kubernetes.component.Build(ctx, log); err != nil {
		return nil, err
	}
	c, err := cluster.Start(ctx, options)
	if err != nil {
		return nil, err
	}
	w := &World{
		Cluster: c,
		Kubectl: filepath.Join(options.Kubernetes, "kubectl"),
		Work:    filepath.Join(c.Dir, "work"), // Close removes it
	}
	version, err := c.Client.Discovery().ServerVersion()
	if err == nil {
		w.Version = version.GitVersion
		err = os.MkdirAll(w.Work, 0o755)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return w, nil
}
