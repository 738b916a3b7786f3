package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/crashcheck/crashcheck/test/bench/child"
	"github.com/crashcheck/crashcheck/test/bench/metrics"
	"github.com/crashcheck/crashcheck/test/bench/proc"
	"github.com/crashcheck/crashcheck/test/bench/stats"
	"github.com/crashcheck/crashcheck/test/bench/watching"
)

// WatchFindings are what the watch prototype has seen.
type WatchFindings struct {
	Processes int
	Lists     int
	Events    int
	Broken    int
	Failed    int
	// Bookmarks is how many there were; BookmarkGap the time between two.
	Bookmarks                                                  int
	ShortestBookmarkGap, MedianBookmarkGap, LongestBookmarkGap time.Duration
	// Silence is the longest time for which a watch has said nothing: the
	// median of the gates, and the longest of all.
	MedianSilence, LongestSilence time.Duration
	// EndAPI is the processor time that the closing lists took, each gate's.
	EndAPI time.Duration
}

// watchProcesses is over how many processes the watching gates are spread. One
// process for each, with a whole clientset, would not fit into memory.
const watchProcesses = 4

// endOver is the time over which the closing lists are spread: releases do not
// end at one moment.
const endOver = 10 * time.Second

// watch runs the watch prototype: many gates in a few processes.
func (b *bench) watch(ctx context.Context, f *fleet, window, changeAPI time.Duration) ([]FleetCost, WatchFindings, error) {
	var none WatchFindings
	// A bookmark comes once a minute: the window with nothing else holds one,
	// and the gates live long enough to see two.
	quietWindow := 70 * time.Second
	if b.quick {
		quietWindow = window
	}
	running, err := b.startWatchers(ctx, f)
	if err != nil {
		return nil, none, err
	}
	if err := b.awaitWatches(ctx, len(f.gates)); err != nil {
		return nil, none, err
	}
	cpu := func() (time.Duration, error) {
		var sum time.Duration
		for _, r := range running {
			pid, err := r.PID()
			if err != nil {
				return 0, err
			}
			used, err := proc.CPU(pid)
			if err != nil {
				return 0, err
			}
			sum += used
		}
		return sum, nil
	}
	quiet, err := b.observe(ctx, f, quietWindow, cpu)
	if err != nil {
		return nil, none, err
	}
	stop := b.change(ctx, f)
	wait(ctx, 2*time.Second)
	busy, err := b.observe(ctx, f, window, cpu)
	var stopErr error
	busy.Changes, stopErr = stop()
	if err := errors.Join(err, stopErr); err != nil {
		return nil, none, err
	}
	busy.leaveOut(changeAPI)
	quiet.Way, busy.Way = "watch", "watch"
	findings, err := b.endWatchers(running, f)
	return []FleetCost{quiet, busy}, findings, err
}

func (b *bench) startWatchers(ctx context.Context, f *fleet) ([]*child.Running, error) {
	var running []*child.Running
	for i := range watchProcesses {
		var gates []watching.Gate
		for j := i; j < len(f.gates); j += watchProcesses {
			g := f.gates[j]
			gates = append(gates, watching.Gate{Kubeconfig: g.access.Kubeconfig, Namespace: g.set.Namespace, Selector: g.set.Selector()})
		}
		data, err := json.Marshal(gates)
		if err != nil {
			return nil, err
		}
		file := filepath.Join(b.world.Work, fmt.Sprintf("watchers-%d.json", i))
		if err := os.WriteFile(file, data, 0o644); err != nil {
			return nil, err
		}
		r, err := b.command(nil, b.program("watch"), "-gates", file, "-over", startOver.String(), "-end", endOver.String()).Start(ctx)
		if err != nil {
			return nil, err
		}
		running = append(running, r)
	}
	return running, nil
}

// awaitWatches waits until so many watches of pods are open, and the lists
// before them done.
func (b *bench) awaitWatches(ctx context.Context, gates int) error {
	for range 60 {
		wait(ctx, 2*time.Second)
		text, err := b.metrics(ctx)
		if err != nil {
			return err
		}
		open, err := metrics.Sum(text, "apiserver_longrunning_requests", `resource="pods"`, `verb="WATCH"`)
		if err != nil || int(open) >= gates {
			return err
		}
	}
	return fmt.Errorf("the %d gates do not all watch", gates)
}

// endWatchers lets the gates make their closing lists, and reads what they saw.
func (b *bench) endWatchers(running []*child.Running, f *fleet) (WatchFindings, error) {
	findings := WatchFindings{Processes: len(running)}
	before, err := b.server()
	if err != nil {
		return findings, err
	}
	for _, r := range running {
		if err := r.Signal(syscall.SIGTERM); err != nil {
			return findings, err
		}
	}
	var all watching.Report
	for _, r := range running {
		_, stdout, err := r.Wait()
		if err != nil {
			return findings, err
		}
		var report watching.Report
		if err := json.Unmarshal(stdout, &report); err != nil {
			return findings, fmt.Errorf("read what the watch has seen: %w", err)
		}
		all.Add(report)
	}
	api, _, err := b.since(before)
	if err != nil {
		return findings, err
	}
	if want := len(f.gates) * fleetPods; all.Pods != want && all.Failed == 0 {
		return findings, fmt.Errorf("the closing lists hold %d pods instead of %d", all.Pods, want)
	}
	findings.Lists, findings.Events, findings.Broken, findings.Failed, findings.Bookmarks = all.Lists, all.Events, all.Broken, all.Failed, all.Bookmarks
	findings.EndAPI = api / time.Duration(len(f.gates))
	if len(all.BookmarkGaps) > 0 {
		findings.ShortestBookmarkGap, findings.LongestBookmarkGap = slices.Min(all.BookmarkGaps), slices.Max(all.BookmarkGaps)
		findings.MedianBookmarkGap = stats.Median(all.BookmarkGaps)
	}
	findings.MedianSilence, findings.LongestSilence = stats.Median(all.Silences), slices.Max(all.Silences)
	return findings, nil
}
