package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// loopingOne in so many pods crash-loops while pods change.
	loopingOne = 20
	// changeEvery is how often such a pod's status changes: a crash, its
	// back-off, the next start and readiness, in a back-off of a minute.
	changeEvery = 15 * time.Second
	// patchers work at once: one alone may be slower than the changes come.
	patchers = 4
)

// change lets a part of the fleet's pods crash-loop until stop is called, which
// returns how many changes a second there have been since.
func (b *bench) change(ctx context.Context, f *fleet) (stop func() (perSecond float64, err error)) {
	ctx, cancel := context.WithCancel(ctx)
	looping := fleetPods / loopingOne
	every := changeEvery / time.Duration(len(f.sets)*looping)
	begun, changes := time.Now(), 0
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(patchers)
	var feeding sync.WaitGroup
	feeding.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for n := 0; ; n++ {
			select {
			case <-working.Done():
				return
			case <-ticker.C:
			}
			set, pod := f.sets[n%len(f.sets)], n/len(f.sets)%looping
			round := n / len(f.sets) / looping
			changes++
			group.Go(func() error {
				// It waits in back-off, then runs again, then waits.
				err := b.world.Crash(working, set, pod, int32(round/2+1), round%2 == 0)
				if ctx.Err() != nil {
					return nil
				}
				return err
			})
		}
	})
	return func() (float64, error) {
		took := time.Since(begun)
		cancel()
		feeding.Wait()
		return float64(changes) / took.Seconds(), group.Wait()
	}
}

// changesAlone is what a change costs the API server.
func (b *bench) changesAlone(ctx context.Context, f *fleet, window time.Duration) (time.Duration, error) {
	stop := b.change(ctx, f)
	wait(ctx, 2*time.Second)
	before, err := b.server()
	if err != nil {
		return 0, err
	}
	wait(ctx, window)
	api, _, err := b.since(before)
	seconds := time.Since(before.at).Seconds()
	perSecond, stopErr := stop()
	if err := errors.Join(err, stopErr); err != nil {
		return 0, err
	}
	return time.Duration(float64(api) / (perSecond * seconds)), nil
}
