package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/crashcheck/crashcheck/test/e2e/build"
	"github.com/crashcheck/crashcheck/test/e2e/image"
)

// References of the images that every node of this package holds.
const (
	PauseImage   = "crashcheck.e2e/pause:1"
	CrasherImage = "crashcheck.e2e/crasher:1"
	// GateImage is crashcheck, built from its own Dockerfile.
	GateImage = "crashcheck.e2e/crashcheck:1"
)

// StartStandard builds what is not built yet and starts a cluster with a node
// and Argo Rollouts. work is a folder for things made on the way.
func StartStandard(ctx context.Context, name, work string, log io.Writer) (*Cluster, error) {
	// Missing packages should be known before minutes of building.
	_, _, missing := nodePrerequisites()
	if err := errors.Join(missing, build.ImagePrerequisites()); err != nil {
		return nil, fmt.Errorf("check what this machine has: %w", err)
	}
	options := Options{Name: name, SandboxImage: PauseImage, Log: log}
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
	var err error
	if options.Images, err = makeImages(ctx, work, log); err != nil {
		return nil, err
	}
	return Start(ctx, options)
}

// StartControlPlane starts a cluster of the oldest Kubernetes: without a node,
// without a scheduler, and without Argo Rollouts.
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

func makeImages(ctx context.Context, work string, log io.Writer) ([]string, error) {
	begun := time.Now()
	gate := filepath.Join(work, "crashcheck.tar")
	if err := build.Image(ctx, runtime.GOARCH, gate, GateImage); err != nil {
		return nil, err
	}
	size, err := os.Stat(gate)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(log, "e2e: built the image of crashcheck in %s: %.1f MB\n", time.Since(begun).Round(100*time.Millisecond), float64(size.Size())/1e6)
	tarballs := []string{gate}
	var faults []error
	for program, ref := range map[string]string{"pause": PauseImage, "crasher": CrasherImage} {
		binary, err := build.Program(ctx, program, work)
		if err != nil {
			return nil, err
		}
		tarball := filepath.Join(work, program+".tar")
		faults = append(faults, image.WriteTarball(tarball, ref, binary), os.Remove(binary))
		tarballs = append(tarballs, tarball)
	}
	return tarballs, errors.Join(faults...)
}
