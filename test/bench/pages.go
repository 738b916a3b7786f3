package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/crashcheck/crashcheck/test/bench/child"
	"github.com/crashcheck/crashcheck/test/bench/stats"
)

// PageCost is what a check costs at one size of pages.
type PageCost struct {
	Pods, Limit     int
	Requests        float64
	CPU, API, Store time.Duration // each check
	Wall            time.Duration // each check
	Bytes           float64       // each check
	Peak            int64
}

// measurePages measures the product's check at several sizes of pages.
func measurePages(ctx context.Context, b *bench, results *Results) error {
	counts, limits, runs := []int{1000, 5000}, []int{50, 100, 250, 500, 1000, 0}, 3
	if b.quick {
		counts, limits, runs = []int{300}, []int{100, 0}, 2
	}
	results.Pages = nil
	for _, pods := range counts {
		if _, err := b.set(ctx, pods); err != nil {
			return err
		}
	}
	if err := b.settle(ctx); err != nil {
		return err
	}
	for _, pods := range counts {
		set := b.sets[pods]
		checks := max(5, 10_000/pods)
		taken := make([][]PageCost, len(limits))
		for range runs {
			for i, limit := range limits {
				one, err := b.pages(ctx, set, limit, checks)
				if err != nil {
					return err
				}
				taken[i] = append(taken[i], one)
			}
		}
		for i := range limits {
			middle := medianPageCost(taken[i])
			bytes, err := b.pageBytes(ctx, set, limits[i], checks)
			if err != nil {
				return err
			}
			middle.Bytes = bytes
			results.Pages = append(results.Pages, middle)
		}
	}
	return nil
}

// pages makes one run of a single check and one of many, which leaves out the
// start of the program.
func (b *bench) pages(ctx context.Context, set measuredSet, limit, checks int) (PageCost, error) {
	one, err := b.run(ctx, b.pagesCommand(set, set.direct.Kubeconfig, limit, 1))
	if err != nil {
		return PageCost{}, err
	}
	many, err := b.run(ctx, b.pagesCommand(set, set.direct.Kubeconfig, limit, checks))
	if err != nil {
		return PageCost{}, err
	}
	requests, err := strconv.Atoi(strings.TrimSpace(string(many.stdout)))
	if err != nil {
		return PageCost{}, fmt.Errorf("read the number of requests: %w", err)
	}
	each := func(many, one time.Duration) time.Duration { return time.Duration(stats.Each(many, one, checks)) }
	return PageCost{
		Pods: set.Pods, Limit: limit, Requests: float64(requests) / float64(checks),
		CPU: each(many.CPU, one.CPU), API: each(many.api, one.api), Store: each(many.store, one.store),
		Wall: each(many.Wall, one.Wall), Peak: many.Peak,
	}, nil
}

// pageBytes counts bytes in runs of their own: the relay takes time.
func (b *bench) pageBytes(ctx context.Context, set measuredSet, limit, checks int) (float64, error) {
	return b.bytesPerCheck(ctx, set, checks, func(checks int) child.Command {
		return b.pagesCommand(set, set.relayed.Kubeconfig, limit, checks)
	})
}

// bytesPerCheck runs one check and many through the relay.
func (b *bench) bytesPerCheck(ctx context.Context, set measuredSet, checks int, command func(checks int) child.Command) (float64, error) {
	var counted [2]int64
	for i, n := range []int{1, checks} {
		before := set.relay.Bytes()
		if _, _, err := command(n).Run(ctx); err != nil {
			return 0, err
		}
		counted[i] = set.relay.Bytes() - before
	}
	return stats.Each(counted[1], counted[0], checks), nil
}

func (b *bench) pagesCommand(set measuredSet, kubeconfig string, limit, checks int) child.Command {
	return b.command([]string{"KUBECONFIG=" + kubeconfig}, b.program("pages"),
		"-limit", strconv.Itoa(limit), "-checks", strconv.Itoa(checks), "-pods", strconv.Itoa(set.Pods), "-selector", set.Selector())
}

func medianPageCost(runs []PageCost) PageCost {
	middle := runs[0]
	middle.CPU = medianOf(runs, func(p PageCost) time.Duration { return p.CPU })
	middle.API = medianOf(runs, func(p PageCost) time.Duration { return p.API })
	middle.Store = medianOf(runs, func(p PageCost) time.Duration { return p.Store })
	middle.Wall = medianOf(runs, func(p PageCost) time.Duration { return p.Wall })
	middle.Peak = medianOf(runs, func(p PageCost) int64 { return p.Peak })
	return middle
}
