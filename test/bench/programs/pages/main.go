// Command pages makes the product's checks with another page size: its lister,
// its checker and its runtime settings, between which the limit is replaced.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/pkg/kube"
)

func main() {
	// As cmd/crashcheck does.
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(25)

	limit := flag.Int64("limit", checker.PageSize, "pods a page; 0: all in one")
	checks := flag.Int("checks", 1, "checks to make")
	selector := flag.String("selector", "", "label selector of the pods")
	pods := flag.Int("pods", 0, "how many pods each check has to find")
	flag.Parse()
	if err := run(*limit, *checks, *pods, *selector); err != nil {
		fmt.Fprintln(os.Stderr, "pages:", err)
		os.Exit(1)
	}
}

func run(limit int64, checks, pods int, selector string) error {
	ctx := context.Background()
	cluster, err := kube.FindCluster(ctx, os.Environ())
	if err != nil {
		return err
	}
	lister, err := kube.NewPodLister(ctx, cluster, cluster.Namespace(), "crashcheck-bench")
	if err != nil {
		return err
	}
	parsed, err := labels.Parse(selector)
	if err != nil {
		return err
	}
	paged := &resized{PodLister: lister, limit: limit}
	check, err := checker.New(paged, checker.Options{Selectors: []labels.Selector{parsed}})
	if err != nil {
		return err
	}
	for range checks {
		tally, err := check.Check(ctx)
		if err != nil {
			return err
		}
		if tally.Pods != pods {
			return fmt.Errorf("found %d pods instead of %d", tally.Pods, pods)
		}
	}
	fmt.Println(paged.requests)
	return nil
}

// resized asks for pages of another size than the checker wants.
type resized struct {
	checker.PodLister
	limit    int64
	requests int
}

func (r *resized) List(ctx context.Context, opts metav1.ListOptions) (*checker.PodList, error) {
	r.requests++
	opts.Limit = r.limit
	return r.PodLister.List(ctx, opts)
}
