package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/crashcheck/crashcheck/test/e2e/build"
)

// References of the images that every node of this package holds.
const (
	// CrasherImage is the program of programs/crasher. It is also the image of the pods' sandboxes, because it waits for
	// SIGTERM if it has no environment.
	CrasherImage = "crashcheck.e2e/crasher:1"
	// GateImage is crashcheck, built from its own Dockerfile.
	GateImage = "crashcheck.e2e/crashcheck:1"
)

// StartStandard builds what is not built yet and starts a cluster with a node and Argo Rollouts.
func StartStandard(ctx context.Context, name string, log io.Writer) (*Cluster, error) {
	// Missing packages should be known before minutes of building.
	if err := prerequisites(); err != nil {
		return nil, err
	}
	options := Options{Name: name, Log: log}
	for component, bin := range map[*build.Component]*string{
		&build.Etcd:         &options.Etcd,
		&build.Kubernetes:   &options.Kubernetes,
		&build.Containerd:   &options.Containerd,
		&build.ArgoRollouts: &options.ArgoRollouts,
	} {
		var err error
		if *bin, err = component.Build(ctx, log); err != nil {
			return nil, err
		}
	}
	work, err := os.MkdirTemp("", "crashcheck-e2e-images-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	options.Images = []string{filepath.Join(work, "crashcheck.tar"), filepath.Join(work, "crasher.tar")}
	err = errors.Join(
		build.Image(ctx, options.Images[0], GateImage),
		build.Crasher(ctx, work, options.Images[1], CrasherImage),
	)
	if err != nil {
		return nil, err
	}
	return Start(ctx, options)
}

// StartControlPlane starts a cluster of the oldest Kubernetes: without a node, without a scheduler, and without Argo
// Rollouts.
func StartControlPlane(ctx context.Context, name string, log io.Writer) (*Cluster, error) {
	options := Options{Name: name, Log: log}
	var err error
	if options.Etcd, err = build.Etcd.Build(ctx, log); err != nil {
		return nil, err
	}
	if options.Kubernetes, err = build.KubernetesOldest.Build(ctx, log); err != nil {
		return nil, err
	}
	return Start(ctx, options)
}

// prerequisites names the Debian packages that a node needs and this machine does not have.
func prerequisites() error {
	if os.Geteuid() != 0 {
		return errors.New("a node starts containers: run this as root")
	}
	var faults []error
	for program, debian := range map[string]string{
		"runc":                "runc",
		"ip":                  "iproute2",
		"buildah":             "buildah",
		"/bin/busybox":        "busybox-static",
		"/usr/lib/cni/bridge": "containernetworking-plugins",
	} {
		if _, err := exec.LookPath(program); err != nil {
			faults = append(faults, fmt.Errorf("%s is missing: install the Debian package %s", program, debian))
		}
	}
	return errors.Join(faults...)
}
