package checker_test

import (
	"context"
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/crashcheck/crashcheck/pkg/checker"
)

// workload is a deployment whose answers can be set.
type workload struct {
	version    checker.Version
	superseded string
	err        error
	resolved   int // times
	reread     int // times
}

func (*workload) String() string { return "deployment/shop" }

func (w *workload) Resolve(context.Context) (checker.Version, error) {
	w.resolved++
	return w.version, w.err
}

func (w *workload) Superseded(context.Context) (string, error) {
	w.reread++
	return w.superseded, w.err
}

var known = checker.Version{Name: "abc", Selector: labels.Set{"hash": "abc"}.AsSelector()}

func ofWorkload(t *testing.T, w checker.Workload, l checker.PodInterface) *checker.Checker {
	t.Helper()
	c, err := checker.New(checker.FromClientset(l), checker.Options{Workload: w, CrashLimit: 3})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheVersionOfAWorkloadIsFoundOnce(t *testing.T) {
	w := &workload{version: checker.Version{Pending: "deployment shop is paused"}}
	l := listing(func() []*corev1.Pod { return []*corev1.Pod{crashed(1)} })
	c := ofWorkload(t, w, l)
	for range 2 {
		if tally := check(t, c); tally.Pods != 0 || tally.Version.Pending != "deployment shop is paused" || len(l.requests) > 0 || c.Selector() != "" {
			t.Errorf("got %+v after %d lists, selector %q", tally, len(l.requests), c.Selector())
		}
	}
	w.err = errors.New("connection refused")
	if _, err := c.Check(t.Context(), false); err == nil || err.Error() != "find the version of deployment/shop: connection refused" {
		t.Errorf("got %v", err)
	}
	w.version, w.err = known, nil
	for range 2 {
		if tally := check(t, c); tally.Pods != 1 || tally.Version.Name != "abc" || c.Selector() != "hash=abc" || c.Version().Name != "abc" {
			t.Errorf("got %+v, selector %q", tally, c.Selector())
		}
	}
	if w.resolved != 4 || w.reread != 0 || len(l.requests) != 2 {
		t.Errorf("found the version %d times, read the workload again %d times, %d lists", w.resolved, w.reread, len(l.requests))
	}
}

func TestNoCheckWithAnEmptySelectorOfAWorkload(t *testing.T) {
	l := listing(func() []*corev1.Pod { return nil })
	c := ofWorkload(t, &workload{version: checker.Version{Name: "abc", Selector: labels.Everything()}}, l)
	for range 2 {
		if _, err := c.Check(t.Context(), true); err == nil || len(l.requests) > 0 {
			t.Errorf("got %v after %d lists", err, len(l.requests))
		}
	}
	opts := checker.Options{Workload: &workload{}, Selectors: selector(t, "a=b")}
	if c, err := checker.New(checker.FromClientset(l), opts); err == nil || c != nil {
		t.Error("both a workload and a selector choose the pods, but got no error")
	}
}

func TestWhenAWorkloadIsReadAgain(t *testing.T) {
	one := []*corev1.Pod{crashed(1)}
	limit := []*corev1.Pod{pod(main("app", 3, running("d")))}
	type step struct {
		pods   []*corev1.Pod
		final  bool
		reread int // times so far
	}
	tests := []struct {
		claim string
		steps []step
	}{
		{"not at every check", []step{{one, false, 0}, {one, false, 0}}},
		{"at the final check", []step{{one, false, 0}, {one, true, 1}}},
		{"at a final check without pods", []step{{nil, true, 1}}},
		{"when the pods have disappeared, once", []step{{one, false, 0}, {nil, false, 1}, {nil, false, 1}, {one, false, 1}, {nil, false, 2}}},
		{"not before there were any", []step{{nil, false, 0}, {nil, false, 0}}},
		{"not when the limit is reached", []step{{limit, true, 0}}},
		{"not when the limit was reached before the pods disappeared", []step{{limit, false, 0}, {nil, false, 0}}},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			w := &workload{version: known, superseded: "superseded by def"}
			var now []*corev1.Pod
			c := ofWorkload(t, w, listing(func() []*corev1.Pod { return now }))
			for i, step := range test.steps {
				now = step.pods
				before := w.reread
				tally, err := c.Check(t.Context(), step.final)
				if err != nil {
					t.Fatal(err)
				}
				if w.reread != step.reread || (tally.Superseded != "") != (w.reread > before) {
					t.Errorf("step %d: read again %d times, want %d; superseded %q", i+1, w.reread, step.reread, tally.Superseded)
				}
			}
		})
	}
}

// The pods of such a check have been seen: what was new about them is not lost.
func TestACheckWhoseWorkloadCannotBeReadAgainFails(t *testing.T) {
	w := &workload{version: known}
	now := []*corev1.Pod{crashed(1)}
	c := ofWorkload(t, w, listing(func() []*corev1.Pod { return now }))
	check(t, c)
	now, w.err = nil, errors.New("connection refused")
	for range 2 {
		if _, err := c.Check(t.Context(), false); err == nil || err.Error() != "read deployment/shop again: connection refused" {
			t.Errorf("got %v", err)
		}
	}
	now = []*corev1.Pod{crashed(2)}
	if _, err := c.Check(t.Context(), true); err == nil {
		t.Error("no error")
	}
	w.err = nil
	tally, err := c.Check(t.Context(), true)
	if err != nil || len(tally.New) != 1 || len(tally.Appeared) != 1 || len(tally.Gone) != 1 || tally.Crashes != 2 || w.reread != 4 {
		t.Errorf("got %+v, %v after reading again %d times", tally, err, w.reread)
	}
	if tally := check(t, c); len(tally.New)+len(tally.Appeared)+len(tally.Gone) > 0 {
		t.Errorf("told again: %+v", tally)
	}
}

func TestACheckThatSetsTheBaselineAndFailsSaysSoLater(t *testing.T) {
	w := &workload{version: known}
	refused := errors.New("connection refused")
	l := listing(func() []*corev1.Pod {
		w.err = refused // from the list on
		return []*corev1.Pod{crashed(1)}
	})
	c, err := checker.New(checker.FromClientset(l), checker.Options{Workload: w, CrashLimit: 3, BaselineStart: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Check(t.Context(), true); !errors.Is(err, refused) {
		t.Errorf("got %v", err)
	}
	refused = nil
	if tally, err := c.Check(t.Context(), true); err != nil || !tally.Baseline {
		t.Errorf("got %+v, %v", tally, err)
	}
}
