package checker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

const (
	// RequestTimeout bounds each request for a page.
	RequestTimeout = 10 * time.Second
	// PageSize is the number of pods asked for at once: it bounds the memory that a check takes.
	PageSize = 250

	// abandonAfter is how long a lister may take to notice that its context has ended.
	abandonAfter = 100 * time.Millisecond
	// maxStartOvers is how often a check starts over because its continue token has expired.
	maxStartOvers = 2
	// maxPages is more than any cluster has: a server that goes on after it would go on for ever.
	maxPages = 4000
	// maxContainers is more than a pod can have: it would be too large for the API server's store.
	maxContainers = 1000
)

// PodLister lists pods of one namespace. kube.PodLister is one; of a typed client, or a fake one, typed.Pods makes one.
type PodLister interface {
	List(ctx context.Context, opts metav1.ListOptions) (*PodList, error)
}

// Options say what a [Checker] counts.
type Options struct {
	// Selectors choose the pods. Each is tried while those before it have matched nothing; the first that matches
	// is used from then on. At least one, and none of them empty.
	Selectors []labels.Selector
	// IgnoreContainers names containers, of any kind, whose crashes are not counted.
	IgnoreContainers []string
	// BaselineStart leaves out what the first successful check finds. Pods that appear later count whole.
	BaselineStart bool
}

// Checker makes checks and keeps the ledger between them. It is for one goroutine at a time.
type Checker struct {
	pods          PodLister
	selectors     []labels.Selector // one, once it has matched
	baselineStart bool
	ledger        *Ledger
	checks        int64      // successful ones
	sightings     []sighting // of the check at hand: kept for the sake of its memory
}

// Tally is the result of a check.
type Tally struct {
	Crashes  int64    // seen since the run began, in all
	New      []Crash  // seen for the first time
	Pods     int      // listed, by UID
	Appeared []string // names of pods that no check before has seen
	Gone     []string // names of pods that the last check has seen, and this one has not
	Judged   int      // pods whose readiness counts: neither being deleted, nor Succeeded or Failed
	NotReady []string // names of those among them that are not Ready
	Blocked  []Blocked
}

// New returns a checker of the pods of this lister. It is an error if no selector is given, or an empty one: that
// would count the crashes of every pod there is.
func New(pods PodLister, opts Options) (*Checker, error) {
	if len(opts.Selectors) == 0 {
		return nil, errors.New("no selector to choose the pods by")
	}
	for _, selector := range opts.Selectors {
		if selector == nil || selector.Empty() {
			return nil, errors.New("an empty selector would match every pod")
		}
	}
	return &Checker{
		pods:          pods,
		selectors:     opts.Selectors,
		baselineStart: opts.BaselineStart,
		ledger:        NewLedger(opts.IgnoreContainers...),
	}, nil
}

// Ledger returns the crashes counted so far.
func (c *Checker) Ledger() *Ledger { return c.ledger }

// Selector returns the selector in use; while none has matched, all that are tried, joined by " or ".
func (c *Checker) Selector() string {
	texts := make([]string, len(c.selectors))
	for i, selector := range c.selectors {
		texts[i] = selector.String()
	}
	return strings.Join(texts, " or ")
}

// Check lists all matching pods and enters them in the ledger. After an error the ledger is as it was before.
// An error of the API server is wrapped (apierrors.APIStatus); ctx bounds the whole check, [RequestTimeout] each page.
func (c *Checker) Check(ctx context.Context) (Tally, error) {
	startOvers := 0
	for i, selector := range c.selectors {
		sightings, err := c.list(ctx, selector.String(), &startOvers)
		if err != nil {
			return Tally{}, fmt.Errorf("list pods with %s: %w", selector, err)
		}
		if len(sightings) == 0 && i < len(c.selectors)-1 {
			continue
		}
		if len(sightings) > 0 {
			c.selectors = c.selectors[i : i+1]
		}
		return c.enter(sightings), nil
	}
	panic("unreachable: New wants a selector")
}

// list reads all pages of one list.
func (c *Checker) list(ctx context.Context, selector string, startOvers *int) ([]sighting, error) {
	clear(c.sightings)
	sightings := c.sightings[:0]
	defer func() { c.sightings = sightings }()
	opts := metav1.ListOptions{LabelSelector: selector, Limit: PageSize} // no resourceVersion: the list is consistent
	tokens := map[string]bool{}
	for pages := 1; ; pages++ {
		page, err := c.page(ctx, opts)
		if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
			if opts.Continue != "" && *startOvers < maxStartOvers {
				*startOvers++
				opts.Continue, sightings, pages = "", sightings[:0], 0
				clear(tokens)
				continue
			}
		}
		if err != nil {
			return nil, err
		}
		for i := range page.Items {
			pod := &page.Items[i]
			if pod.UID == "" {
				return nil, fmt.Errorf("the list holds a pod without UID (%q): it is not believed", pod.Name)
			}
			if n := len(pod.Status.ContainerStatuses) + len(pod.Status.InitContainerStatuses); n > maxContainers {
				return nil, fmt.Errorf("the list holds a pod of %d containers (%q): it is not believed", n, pod.Name)
			}
			if pod.Namespace != page.Items[0].Namespace {
				return nil, fmt.Errorf("the list holds pods of two namespaces (%q and %q): it is not believed", page.Items[0].Namespace, pod.Namespace)
			}
			sightings = append(sightings, c.ledger.sight(pod))
		}
		if page.Continue == "" {
			return sightings, nil
		}
		if tokens[page.Continue] {
			return nil, errors.New("the server repeats a continue token: the list has no end")
		}
		if pages == maxPages {
			return nil, fmt.Errorf("the list has no end: more than %d pages", maxPages)
		}
		tokens[page.Continue] = true
		opts.Continue = page.Continue
	}
}

// errRequestTimeout is what a request's context ends with.
var errRequestTimeout = fmt.Errorf("no answer within %s", RequestTimeout)

// page makes one request. It returns when ctx ends, even if the lister does not (a credential plugin may hang).
func (c *Checker) page(ctx context.Context, opts metav1.ListOptions) (*PodList, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, RequestTimeout, errRequestTimeout)
	defer cancel()
	type answer struct {
		list *PodList
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		list, err := c.pods.List(ctx, opts)
		answers <- answer{list, err}
	}()
	var a answer
	select {
	case a = <-answers:
	case <-ctx.Done():
		select {
		case a = <-answers:
		case <-time.After(abandonAfter):
			return nil, context.Cause(ctx)
		}
	}
	switch {
	case a.err != nil && ctx.Err() != nil && !errors.Is(a.err, context.Cause(ctx)):
		// The cause says why, where "context deadline exceeded" does not; the error may say what it was busy with.
		return nil, fmt.Errorf("%w: %w", context.Cause(ctx), a.err)
	case a.err != nil:
		return nil, a.err
	case a.list == nil || a.list.ResourceVersion == "":
		// The typed client decodes {} and null to an empty list without an error.
		return nil, errors.New("the answer is no list of pods (it has no resourceVersion): it is not believed")
	}
	return a.list, nil
}

// enter brings the ledger up to a whole list.
func (c *Checker) enter(sightings []sighting) Tally {
	c.checks++
	var t Tally
	for _, s := range sightings {
		_, known := c.ledger.pods[s.uid]
		if !known {
			t.Appeared = append(t.Appeared, s.name)
		}
		pod, crashes := c.ledger.record(s)
		t.New = append(t.New, crashes...)
		if pod.check == c.checks {
			continue // pages may overlap
		}
		pod.check = c.checks
		t.Pods++
		if s.judged {
			t.Judged++
			if !s.ready {
				t.NotReady = append(t.NotReady, s.name)
			}
		}
		t.Blocked = append(t.Blocked, s.blocked...)
	}
	for _, pod := range c.ledger.pods {
		if pod.check == c.checks-1 && c.checks > 1 {
			t.Gone = append(t.Gone, pod.name)
		}
	}
	slices.Sort(t.Gone)
	if c.baselineStart && c.checks == 1 {
		c.ledger.SetBaseline()
		t.New = nil
	}
	t.Crashes = c.ledger.Total()
	return t
}
