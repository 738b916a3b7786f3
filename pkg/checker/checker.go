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
	// maxContainers is more containers than a pod can have: the API server does not store such a large object.
	maxContainers = 1000
)

var (
	// errRequestTimeout is the cause with which a request's context ends.
	errRequestTimeout = fmt.Errorf("no response within %s", RequestTimeout)
	errEmptySelector  = errors.New("an empty label selector would match every pod")
)

// Options say what a [Checker] counts.
type Options struct {
	// Selectors select the pods. They are tried in order until one matches, which is then used in all later checks. At least
	// one is required, unless there is a Workload, and none may be empty.
	Selectors []labels.Selector
	// Workload selects the pods of its current version, in place of Selectors. nil: none.
	Workload Workload
	// CrashLimit is the number of crashes at which the caller fails the release. If a check reaches it, the check does not
	// read the workload again.
	CrashLimit int64
	// Ignore says which terminations are not crashes.
	Ignore Ignore
	// BaselineStart subtracts what the first successful check finds. Pods that appear later count from 0.
	BaselineStart bool
}

// Checker makes checks and keeps the ledger between them. It is not safe for concurrent use.
type Checker struct {
	pods          PodLister
	workload      Workload // nil: none
	version       Version
	selectors     []labels.Selector // only one, once it has matched; with a workload none, until the version is known
	limit         int64
	baselineStart bool
	ledger        *Ledger
	lists         int64      // that have been entered
	sightings     []sighting // of the current check; kept between checks for its memory
	carried       Tally      // what is new in lists whose check failed afterwards
	vanished      bool       // the last list was empty, and one before it was not; the workload has not been read since
}

// Tally is the result of a check. Pods are active if they are neither being deleted, nor Succeeded or Failed.
type Tally struct {
	// New since the last check that succeeded.

	New      []ContainerCrashes
	Appeared []string     // names of pods that were listed for the first time
	Gone     []string     // names of pods that were listed before, and are not any more
	Failed   []PodFailure // pods that were seen to have failed for the first time

	// The current state.

	Crashes int64 // since the run began, in total
	Pods    int   // listed, by UID

	Ran        int // pods that have run and have not Failed
	Present    int // of these, pods that are not being deleted and whose node reports
	Deleted    int // pods that are being deleted
	PodsFailed int // pods that have failed, see [PodFailure]

	NotRun      []string        // names of active pods that have not run
	Unreported  []UnreportedPod // active pods that have run and whose node has stopped reporting
	CannotStart []CannotStart   // what keeps active pods from starting
	Active      int
	NotReady    []string // names of active pods that are not Ready

	Baseline bool // this check set the baseline: the crashes that it found are not counted

	Version    Version // of the workload, if there is one
	Superseded string  // why the workload no longer releases that version; empty: it does, or has not been read again
}

// UnreportedPod is a pod whose node has stopped reporting: its containers may crash unseen.
type UnreportedPod struct{ Pod, Node string }

// New returns a checker. It returns an error if there is no selector, or an empty one: that would count the crashes of every
// pod in the namespace.
func New(pods PodLister, opts Options) (*Checker, error) {
	switch {
	case opts.Workload != nil && len(opts.Selectors) > 0:
		return nil, errors.New("both a workload and label selectors")
	case opts.Workload == nil && len(opts.Selectors) == 0:
		return nil, errors.New("no label selector")
	}
	for _, selector := range opts.Selectors {
		if selector == nil || selector.Empty() {
			return nil, errEmptySelector
		}
	}
	return &Checker{
		pods:          pods,
		workload:      opts.Workload,
		selectors:     opts.Selectors,
		limit:         opts.CrashLimit,
		baselineStart: opts.BaselineStart,
		ledger:        NewLedger(opts.Ignore),
	}, nil
}

// Ledger returns the crashes counted so far.
func (c *Checker) Ledger() *Ledger { return c.ledger }

// Version returns the version of the workload that is checked. It is the zero value without a workload.
func (c *Checker) Version() Version { return c.version }

// Selector returns the selector in use. While none has matched, it returns all that are tried, joined by " or ". It is empty
// until the version of a workload is known.
func (c *Checker) Selector() string {
	texts := make([]string, len(c.selectors))
	for i, selector := range c.selectors {
		texts[i] = selector.String()
	}
	return strings.Join(texts, " or ")
}

// Check lists all matching pods and enters them in the ledger. If a request fails, the ledger is unchanged. An error of the API
// server is wrapped (apierrors.APIStatus). ctx bounds the whole check, [RequestTimeout] each list request.
//
// With a workload, a check first finds its version. It reads the workload again if it is the final check, or if all pods
// have disappeared. If that fails, the check fails, but the ledger already contains the pods. The next tally then includes
// what is new about them.
func (c *Checker) Check(ctx context.Context, final bool) (Tally, error) {
	if c.workload != nil && c.version.Selector == nil {
		if err := c.findVersion(ctx); err != nil {
			return Tally{}, fmt.Errorf("find the version of %s: %w", c.workload, err)
		}
	}
	sightings, err := c.listFirstMatch(ctx)
	if err != nil {
		return Tally{}, err
	}
	tally := c.enter(sightings)
	if c.version.Selector != nil && tally.Crashes < c.limit && (final || c.vanished) {
		if tally.Superseded, err = c.workload.Superseded(ctx); err != nil {
			c.carried = Tally{New: tally.New, Appeared: tally.Appeared, Gone: tally.Gone, Failed: tally.Failed, Baseline: tally.Baseline}
			return Tally{}, fmt.Errorf("read %s again: %w", c.workload, err)
		}
		c.vanished = false
	}
	c.carried = Tally{}
	return tally, nil
}

// findVersion finds the version that the workload is releasing, if it is known yet.
func (c *Checker) findVersion(ctx context.Context) (err error) {
	if c.version, err = c.workload.Resolve(ctx); err != nil || c.version.Selector == nil {
		return err
	}
	if c.version.Selector.Empty() {
		c.version.Selector = nil
		return errEmptySelector
	}
	c.selectors = []labels.Selector{c.version.Selector}
	return nil
}

// listFirstMatch lists the pods of the first selector that matches any.
func (c *Checker) listFirstMatch(ctx context.Context) (sightings []sighting, err error) {
	for i, selector := range c.selectors {
		if sightings, err = c.list(ctx, selector.String()); err != nil {
			return nil, fmt.Errorf("list pods with %s: %w", selector, err)
		}
		if len(sightings) > 0 {
			c.selectors = c.selectors[i : i+1]
			break
		}
	}
	return sightings, nil
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
		// Unlike "context deadline exceeded", the cause says why the request ended. The error may say what the request
		// waited for.
		return nil, fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return c.sightings, err
}

// validate returns an error for a pod that cannot occur in an API server's list of one namespace.
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
	c.lists++
	t := c.carried
	t.Version = c.version
	for _, s := range sightings {
		if _, known := c.ledger.pods[s.uid]; !known {
			t.Appeared = append(t.Appeared, s.name)
		}
		pod, crashes := c.ledger.record(s)
		t.New = append(t.New, crashes...)
		if pod.list == c.lists {
			continue // the list contains it twice
		}
		pod.list = c.lists
		t.add(s)
		if s.failure != nil && !pod.failed {
			pod.failed = true
			t.Failed = append(t.Failed, *s.failure)
		}
	}
	gone := len(t.Gone)
	for _, pod := range c.ledger.pods {
		if pod.list == c.lists-1 && c.lists > 1 {
			t.Gone = append(t.Gone, pod.name)
		}
	}
	slices.Sort(t.Gone)
	c.vanished = t.Pods == 0 && (c.vanished || len(t.Gone) > gone)
	if c.baselineStart && c.lists == 1 {
		c.ledger.SetBaseline()
		t.New, t.Baseline = nil, true
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
