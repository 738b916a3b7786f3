// Command bench measures crashcheck and its rivals side by side on a real
// kube-apiserver, and writes tables. See README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
)

func main() {
	quick := flag.Bool("quick", false, "try the suite with fewer pods and shorter runs, and print the tables instead of writing them")
	render := flag.Bool("render", false, "measure nothing: write the tables of the last results again")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	klog.SetLogger(logr.Discard()) // client-go logs what it also returns as errors
	if err := run(ctx, *quick, *render); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, quick, render bool) error {
	folder, err := os.Getwd()
	if err != nil {
		return err
	}
	if render {
		results, err := readResults(folder)
		if err != nil {
			return err
		}
		return results.writeReport(folder)
	}
	results, err := measure(ctx, folder, quick, os.Stderr)
	if err != nil {
		return err
	}
	if quick {
		fmt.Print(results.summary(), "\n", results.streamPage())
		return nil
	}
	return errors.Join(results.write(folder), results.writeReport(folder))
}

func measure(ctx context.Context, folder string, quick bool, log io.Writer) (results Results, err error) {
	if results.Streams, err = readStreams(filepath.Join(folder, recordings)); err != nil {
		return results, err
	}
	b, err := newBench(ctx, folder, quick, log)
	if err != nil {
		return results, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	results.Machine, results.Server = describeMachine(), b.world.Version
	if results.Checks, err = b.checks(ctx); err != nil {
		return results, fmt.Errorf("measure checks: %w", err)
	}
	if results.Runs, err = b.runs(ctx); err != nil {
		return results, fmt.Errorf("measure whole runs: %w", err)
	}
	if results.Latency, err = b.latencies(ctx); err != nil {
		return results, fmt.Errorf("measure latency: %w", err)
	}
	return results, nil
}
