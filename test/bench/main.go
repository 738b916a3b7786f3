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
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"

	"github.com/crashcheck/crashcheck/test/bench/world"
)

// settings are the command line.
type settings struct {
	quick, render            bool
	only, crashcheck, output string
}

func main() {
	var s settings
	flag.BoolVar(&s.quick, "quick", false, "fewer pods and shorter runs, to try the suite")
	flag.StringVar(&s.only, "only", "", "comma-separated parts to measure: "+strings.Join(partNames(), ", ")+"; the results of the others are kept")
	flag.BoolVar(&s.render, "render", false, "measure nothing: write the tables and charts of the last results again")
	flag.StringVar(&s.crashcheck, "crashcheck", "", "measure this binary instead of building crashcheck")
	flag.StringVar(&s.output, "out", ".", "folder to write to")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	klog.SetLogger(logr.Discard()) // client-go logs what it also returns as errors
	if err := run(ctx, s, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// part is one of the suite's measurements. It fills its own part of the results.
type part struct {
	name    string
	server  *world.Kubernetes // nil if it needs none
	measure func(context.Context, *bench, *Results) error
}

// parts with the same server are neighbours, because each server starts once.
var parts = []part{
	{"streams", nil, measureStreams},
	{"checks", &world.Newest, measureChecks},
	{"runs", &world.Newest, measureRuns},
	{"latency", &world.Newest, measureLatency},
	{"compression", &world.Newest, measureCompression},
	{"oldest", &world.Oldest, measureOldest},
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
	names := strings.Split(only, ",")
	for _, name := range names {
		if !slices.Contains(partNames(), name) {
			return nil, fmt.Errorf("there is no part %q, only %s", name, strings.Join(partNames(), ", "))
		}
	}
	return slices.DeleteFunc(slices.Clone(parts), func(p part) bool { return !slices.Contains(names, p.name) }), nil
}

func run(ctx context.Context, s settings, log io.Writer) error {
	folder, err := os.Getwd()
	if err != nil {
		return err
	}
	// The working directory changes.
	if s.output, err = filepath.Abs(s.output); err != nil {
		return err
	}
	if s.crashcheck != "" && !filepath.IsAbs(s.crashcheck) {
		s.crashcheck = filepath.Join(folder, s.crashcheck)
	}
	chosen, err := choose(s.only)
	if err != nil {
		return err
	}
	var results Results
	if s.render || s.only != "" {
		if results, err = readResults(s.output); err != nil {
			return err
		}
	}
	if !s.render {
		if err := measure(ctx, folder, s, chosen, &results, log); err != nil {
			return err
		}
	}
	return results.writeReport(s.output)
}

func measure(ctx context.Context, folder string, s settings, chosen []part, results *Results, log io.Writer) (err error) {
	// Package build looks for its module from the working directory upward.
	if err := os.Chdir(filepath.Join(folder, "..", "e2e")); err != nil {
		return err
	}
	begun := time.Now()
	b, err := newBench(ctx, folder, s, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	results.Machine = describeMachine()
	results.Quick = s.quick
	for _, p := range chosen {
		at := time.Now()
		if err := b.start(ctx, p.server); err != nil {
			return err
		}
		if err := p.measure(ctx, b, results); err != nil {
			return fmt.Errorf("measure %s: %w", p.name, errors.Join(err, context.Cause(ctx)))
		}
		b.logf("%s took %s", p.name, time.Since(at).Round(time.Second))
		if s.only == "" {
			results.Took = time.Since(begun).Round(time.Second)
		}
		// What is measured is kept if a later part fails.
		if err := results.write(s.output); err != nil {
			return err
		}
	}
	return nil
}
