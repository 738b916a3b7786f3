package checker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
)

const (
	// RequestTimeout bounds each list request.
	RequestTimeout = 10 * time.Second
	// maxContainers is more than a pod can have: it would be too large for the API server to store.
	maxContainers = 1000
)

// errRequestTimeout is the cause with which a request's context ends.
var errRequestTimeout = fmt.Errorf("no response within %s", RequestTimeout)

// Options say what a [Checker] counts.
type Options struct {
	// Selectors choose the pods. Each is tried while the ones before it have matched nothing; the first that matches is
	// used from then on. At least one is required, and none may be empty.
	Selectors []labels.Selector
	// Ignore says which terminations are not crashes.
	Ignore Ignore
	// BaselineStart subtracts what the first successful check finds. Pods that appear later count from 0.
	BaselineStart bool
}

// Checker makes checks and keeps the ledger between them. It is for one goroutine at a time.
type Checker struct {
	pods          PodLister
	selectors     []labels.Selector // only one, once it has matched
	baselineStart bool
	ledger        *Ledger
	checks        int64      // successful ones
	sightings     []sighting // of the current check; kept between checks for its memory
}

// Tally is the result of a check. Pods are active if they are neither being deleted, nor Succeeded or Failed.
type Tally struct {
	Crashes int64   // since the run began, in total
	New     []Crash // seen for the first time

	Pods     int          // listed, by UID
	Appeared []string     // names of pods that no earlier check has listed
	Gone     []string     // names of pods that the previous check has listed, and this one has not
	Failed   []PodFailure // pods seen with phase Failed for the first time

	Ran        int // pods that have run and have not Failed
	Present    int // of these, pods that are not being deleted and whose node reports
	Deleted    int // pods that are being deleted
	PodsFailed int // pods with phase Failed

	NotRun      []string        // names of active pods that have not run
	Unreported  []UnreportedPod // active pods that have run and whose node has stopped reporting
	CannotStart []CannotStart   // what keeps active pods from starting
	Active      int
	NotReady    []string // names of active pods that are not Ready
}

// UnreportedPod is a pod whose node has stopped reporting: its containers may crash unseen.
type UnreportedPod struct{ Pod, Node string }

// New returns a checker. It returns an error if there is no selector, or an empty one: that would count the crashes of every
// pod in the namespace.
func New(pods PodLister, opts Options) (*Checker, error) {
	if len(opts.Selectors) == 0 {
		return nil, errors.New("no label selector")
	}
	for _, selector := range opts.Selectors {
		if selector == nil || selector.Empty() {
			return nil, errors.New("an empty label selector would match every pod")
		}
	}
	return &Checker{
		pods:          pods,
		selectors:     opts.Selectors,
		baselineStart: opts.BaselineStart,
		ledger:        NewLedger(opts.Ignore),
	}, nil
}

// Ledger returns the crashes counted so far.
func (c *Checker) Ledger() *Ledger { return c.ledger }

// Selector returns the selector in use. While none has matched, it returns all that are tried, joined by " or ".
func (c *Checker) Selector() string {
	texts := make([]string, len(c.selectors))
	for i, selector := range c.selectors {
		texts[i] = selector.String()
	}
	return strings.Join(texts, " or ")
}

// Check lists all matching pods and enters them in the ledger. If it returns an error, the ledger is unchanged. An error of
// the API server is wrapped (apierrors.APIStatus). ctx bounds the whole check, [RequestTimeout] each request.
func (c *Checker) Check(ctx context.Context) (Tally, error) {
	for i, selector := range c.selectors {
		sightings, err := c.list(ctx, selector.String())
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
	panic("unreachable: New requires a selector")
}

// list reads one list.
func (c *Checker) list(ctx context.Context, selector string) ([]sighting, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, RequestTimeout, errRequestTimeout)
	defer cancel()
	clear(c.sightings)
	c.sightings = c.sightings[:0]
	namespace := ""
	err := c.pods.List(ctx, selector, func(pod *corev1.Pod) error {
		if len(c.sightings) == 0 {
			namespace = pod.Namespace
		}
		if err := validate(pod, namespace); err != nil {
			return fmt.Errorf("invalid PodList: %w", err)
		}
		c.sightings = append(c.sightings, c.ledger.sight(pod))
		return nil
	})
	if err != nil && ctx.Err() != nil && !errors.Is(err, context.Cause(ctx)) {
		// The cause says why, "context deadline exceeded" does not; the error may say what the request waited for.
		return nil, fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return c.sightings, err
}

// validate returns an error for a pod that no API server would have in a list of one namespace.
func validate(pod *corev1.Pod, namespace string) error {
	n := len(pod.Status.ContainerStatuses) + len(pod.Status.InitContainerStatuses)
	switch {
	case pod.UID == "":
		return fmt.Errorf("pod %q has no UID", pod.Name)
	case n > maxContainers:
		return fmt.Errorf("pod %q has %d containers", pod.Name, n)
	case pod.Namespace != namespace:
		return fmt.Errorf("it contains pods of two namespaces (%q and %q)", namespace, pod.Namespace)
	}
	return nil
}

// enter updates the ledger with a complete list.
func (c *Checker) enter(sightings []sighting) Tally {
	c.checks++
	var t Tally
	for _, s := range sightings {
		if _, known := c.ledger.pods[s.uid]; !known {
			t.Appeared = append(t.Appeared, s.name)
		}
		pod, crashes := c.ledger.record(s)
		t.New = append(t.New, crashes...)
		if pod.check == c.checks {
			continue // the list has it twice
		}
		pod.check = c.checks
		t.add(s)
		if s.failure != nil && !pod.failed {
			pod.failed = true
			t.Failed = append(t.Failed, *s.failure)
		}
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

// add counts one pod.
func (t *Tally) add(s sighting) {
	t.Pods++
	if s.ran {
		t.Ran++
		if !s.deleted && !s.unreported {
			t.Present++
		}
	}
	if s.deleted {
		t.Deleted++
	}
	if s.failure != nil {
		t.PodsFailed++
	}
	if !s.active {
		return
	}
	t.Active++
	if !s.ready {
		t.NotReady = append(t.NotReady, s.name)
	}
	if !s.ran {
		t.NotRun = append(t.NotRun, s.name)
	} else if s.unreported {
		t.Unreported = append(t.Unreported, UnreportedPod{Pod: s.name, Node: s.node})
	}
	t.CannotStart = append(t.CannotStart, s.cannot...)
}
