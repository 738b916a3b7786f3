// Command image builds the product's Dockerfile for an architecture and writes the image's only file, the binary, to a
// folder, so that it can run under emulation.
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
	// A folder beside the file, so that the file can be renamed.
	content, err := os.MkdirTemp(filepath.Dir(out), "image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(content)
	if err := build.ImageContent(ctx, arch, content); err != nil {
		return err
	}
	files, err := os.ReadDir(content)
	if err != nil {
		return err
	}
	if len(files) != 1 {
		return fmt.Errorf("the image contains %v, want one file", files)
	}
	return os.Rename(filepath.Join(content, files[0].Name()), out)
}
