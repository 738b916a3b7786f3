// Command image builds the product's Dockerfile for an architecture and writes
// the image's binary to a file, so that it can run under emulation.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/crashcheck/crashcheck/test/e2e/build"
)

func main() {
	arch := flag.String("arch", runtime.GOARCH, "architecture of the image")
	out := flag.String("out", "crashcheck", "the file to write")
	flag.Parse()
	if err := run(*arch, *out); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(arch, out string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	work, err := os.MkdirTemp("", "crashcheck-e2e-image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	tarball := filepath.Join(work, "crashcheck.tar")
	if err := build.Image(ctx, arch, tarball, "crashcheck.e2e/crashcheck:"+arch); err != nil {
		return err
	}
	return extract(tarball, arch, out)
}
