// Command bench measures crashcheck and its rivals side by side on a real
// kube-apiserver, and writes tables and charts. See README.md.
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
	"strings"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
)

func main() {
	quick := flag.Bool("quick", false, "fewer pods, gates and runs: to try the suite out")
	only := flag.String("only", "", "comma-separated parts to measure: "+strings.Join(partNames(), ", ")+"; the results of the others are kept")
	render := flag.Bool("render", false, "measure nothing: write the tables and charts of the last results anew")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	klog.SetLogger(logr.Discard()) // client-go logs here what it also returns as errors
	if err := run(ctx, *quick, *only, *render, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// part is one of the suite's measurements. It fills its own part of the results.
type part struct {
	name    string
	measure func(context.Context, *bench, *Results) error
}

var parts = []part{
	{"rivals", measureRivals},
	{"latency", measureLatency},
	{"pages", measurePages},
	{"fleet", measureFleet},
	{"streams", measureStreams},
	{"sizes", measureSizes},
}

func partNames() []string {
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	return names
}

func choose(only string) ([]part, error) {
	if only == "" {
		return parts, nil
	}
	var chosen []part
	for name := range strings.SplitSeq(only, ",") {
		found := false
		for _, p := range parts {
			if p.name == name {
				chosen, found = append(chosen, p), true
			}
		}
		if !found {
			return nil, fmt.Errorf("there is no part %q, only %s", name, strings.Join(partNames(), ", "))
		}
	}
	return chosen, nil
}

func run(ctx context.Context, quick bool, only string, render bool, log io.Writer) error {
	folder, err := os.Getwd()
	if err != nil {
		return err
	}
	chosen, err := choose(only)
	if err != nil {
		return err
	}
	var results Results
	if render || only != "" {
		if results, err = readResults(folder); err != nil {
			return err
		}
	}
	if !render {
		if err := measure(ctx, folder, quick, chosen, &results, log); err != nil {
			return err
		}
		if err := results.write(folder); err != nil {
			return err
		}
	}
	return results.writeReport(folder)
}

func measure(ctx context.Context, folder string, quick bool, chosen []part, results *Results, log io.Writer) (err error) {
	// Package build looks for its module from the working directory upward.
	if err := os.Chdir(filepath.Join(folder, "..", "e2e")); err != nil {
		return err
	}
	begun := time.Now()
	b, err := newBench(ctx, folder, quick, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.world.Close()) }()
	results.Machine = describeMachine()
	results.Quick = quick
	for _, p := range chosen {
		at := time.Now()
		b.logf("%s", p.name)
		if err := p.measure(ctx, b, results); err != nil {
			return fmt.Errorf("measure %s: %w", p.name, errors.Join(err, context.Cause(ctx)))
		}
		b.logf("%s took %s", p.name, time.Since(at).Round(time.Second))
	}
	results.Took = time.Since(begun).Round(time.Second)
	return nil
}
