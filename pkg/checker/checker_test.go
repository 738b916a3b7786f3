package checker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/pkg/typed"
)

// lister answers with a function, and keeps what it was asked.
type lister struct {
	answer func(ctx context.Context, opts metav1.ListOptions) (*corev1.PodList, error)
	asked  []metav1.ListOptions
}

func (l *lister) List(ctx context.Context, opts metav1.ListOptions) (*corev1.PodList, error) {
	l.asked = append(l.asked, opts)
	return l.answer(ctx, opts)
}

// page makes a page of a list; next is its continue token.
func page(next string, pods ...*corev1.Pod) *corev1.PodList {
	list := &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "7", Continue: next}}
	for _, p := range pods {
		list.Items = append(list.Items, *p)
	}
	return list
}

func crashed(n int) *corev1.Pod {
	return pod(uid(types.UID(fmt.Sprint("uid", n))), named(fmt.Sprint("web-", n)), main("app", 1, running("b")))
}

func selector(t testing.TB, texts ...string) (all []labels.Selector) {
	t.Helper()
	for _, text := range texts {
		s, err := labels.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

func newChecker(t *testing.T, pods typed.PodInterface, selectors ...string) *checker.Checker {
	t.Helper()
	c, err := checker.New(typed.Pods(pods), checker.Options{Selectors: selector(t, selectors...)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestNoCheckWithoutASelector(t *testing.T) {
	for claim, selectors := range map[string][]labels.Selector{
		"none is given":  nil,
		"it is nil":      {nil},
		"it is empty":    {labels.Everything()},
		"one of them is": {labels.Set{"a": "b"}.AsSelector(), labels.NewSelector()},
	} {
		if c, err := checker.New(typed.Pods(&lister{}), checker.Options{Selectors: selectors}); err == nil || c != nil {
			t.Errorf("%s: got no error", claim)
		}
	}
}

func TestOneCheckReadsAllPages(t *testing.T) {
	pages := map[string]*corev1.PodList{
		"": page("p2", crashed(1), crashed(2)), "p2": page("p3", crashed(3)), "p3": page("", crashed(3), crashed(4)),
	}
	l := &lister{answer: func(_ context.Context, opts metav1.ListOptions) (*corev1.PodList, error) {
		return pages[opts.Continue], nil
	}}
	c := newChecker(t, l, "app=web")
	tally, err := c.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if tally.Pods != 4 || tally.Crashes != 4 || len(tally.New) != 4 || tally.Judged != 4 {
		t.Errorf("a pod on two pages must count once: got %+v", tally)
	}
	if want := []string{"web-1", "web-2", "web-3", "web-4"}; !slices.Equal(tally.Appeared, want) {
		t.Errorf("appeared: got %v, want %v", tally.Appeared, want)
	}
	for i, opts := range l.asked {
		if opts.LabelSelector != "app=web" || opts.Limit != checker.PageSize || opts.ResourceVersion != "" {
			t.Errorf("request %d was made with %+v", i+1, opts)
		}
	}
}

func TestPagesBeforeAFaultCountForNothing(t *testing.T) {
	broken := true
	l := &lister{answer: func(_ context.Context, opts metav1.ListOptions) (*corev1.PodList, error) {
		if opts.Continue == "" {
			return page("p2", crashed(1)), nil
		}
		if broken {
			return nil, errors.New("reset by peer")
		}
		return page("", crashed(2)), nil
	}}
	c := newChecker(t, l, "a=b", "c=d")
	if _, err := c.Check(t.Context()); err == nil || err.Error() != "list pods with a=b: reset by peer" {
		t.Fatalf("got %v", err)
	}
	if c.Ledger().Total() != 0 || c.Ledger().Pods() != 0 || c.Selector() != "a=b or c=d" {
		t.Errorf("the failed check left %d crashes of %d pods, selector %q", c.Ledger().Total(), c.Ledger().Pods(), c.Selector())
	}
	broken = false
	if tally, err := c.Check(t.Context()); err != nil || tally.Crashes != 2 {
		t.Errorf("got %+v, %v", tally, err)
	}
}

func TestListsThatAreNotBelieved(t *testing.T) {
	endless := 0
	tests := []struct {
		claim  string
		answer func(opts metav1.ListOptions) *corev1.PodList
		want   string
	}{
		{"no list at all", func(metav1.ListOptions) *corev1.PodList { return nil },
			"list pods with a=b: the answer is no list of pods (it has no resourceVersion): it is not believed"},
		{"the empty list that a typed client makes of {}", func(metav1.ListOptions) *corev1.PodList { return &corev1.PodList{} },
			"list pods with a=b: the answer is no list of pods (it has no resourceVersion): it is not believed"},
		{"a pod without UID", func(metav1.ListOptions) *corev1.PodList { return page("", pod(uid(""))) },
			`list pods with a=b: the list holds a pod without UID ("web-1"): it is not believed`},
		{"a pod of more containers than fit into one", func(metav1.ListOptions) *corev1.PodList {
			return page("", pod(func(p *corev1.Pod) { p.Status.ContainerStatuses = make([]corev1.ContainerStatus, 1001) }))
		}, `list pods with a=b: the list holds a pod of 1001 containers ("web-1"): it is not believed`},
		{"pods of two namespaces", func(metav1.ListOptions) *corev1.PodList {
			return page("", crashed(1), pod(func(p *corev1.Pod) { p.Namespace = "other" }))
		}, `list pods with a=b: the list holds pods of two namespaces ("prod" and "other"): it is not believed`},
		{"a continue token that repeats", func(metav1.ListOptions) *corev1.PodList { return page("again") },
			"list pods with a=b: the server repeats a continue token: the list has no end"},
		{"tokens without end", func(metav1.ListOptions) *corev1.PodList { endless++; return page(fmt.Sprint(endless)) },
			"list pods with a=b: the list has no end: more than 4000 pages"},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			c := newChecker(t, &lister{answer: func(_ context.Context, opts metav1.ListOptions) (*corev1.PodList, error) {
				return test.answer(opts), nil
			}}, "a=b")
			if _, err := c.Check(t.Context()); err == nil || err.Error() != test.want {
				t.Errorf("\n got %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestAnExpiredTokenStartsTheCheckOver(t *testing.T) {
	gone := apierrors.NewResourceExpired("the provided continue parameter is too old")
	for expired, want := range map[int]struct {
		requests int
		fails    bool
	}{0: {2, false}, 1: {4, false}, 2: {6, false}, 3: {6, true}} {
		left := expired
		l := &lister{answer: func(_ context.Context, opts metav1.ListOptions) (*corev1.PodList, error) {
			if opts.Continue == "" {
				return page("p2", crashed(1)), nil
			}
			if left > 0 {
				left--
				return nil, gone
			}
			return page("", crashed(2)), nil
		}}
		tally, err := newChecker(t, l, "a=b").Check(t.Context())
		if (err != nil) != want.fails || len(l.asked) != want.requests {
			t.Errorf("expired %d times: got %d requests and error %v", expired, len(l.asked), err)
		}
		if err == nil && tally.Pods != 2 {
			t.Errorf("expired %d times: the pages of two tries were mixed: %+v", expired, tally)
		}
	}
	l := &lister{answer: func(context.Context, metav1.ListOptions) (*corev1.PodList, error) { return nil, gone }}
	if _, err := newChecker(t, l, "a=b").Check(t.Context()); !apierrors.IsResourceExpired(err) || len(l.asked) != 1 {
		t.Errorf("for page one itself it is a fault: got %d requests and %v", len(l.asked), err)
	}
}

func TestTheSecondLabelIsOnlyForWhenTheFirstHasMatchedNothing(t *testing.T) {
	matching := map[string][]*corev1.Pod{}
	failing := map[string]bool{}
	l := &lister{answer: func(_ context.Context, opts metav1.ListOptions) (*corev1.PodList, error) {
		if failing[opts.LabelSelector] {
			return nil, errors.New("no answer")
		}
		return page("", matching[opts.LabelSelector]...), nil
	}}
	c := newChecker(t, l, "rollouts=h", "plain=h")
	check := func(wantAsked string, wantPods int, wantSelector string) {
		t.Helper()
		l.asked = nil
		tally, err := c.Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var asked []string
		for _, opts := range l.asked {
			asked = append(asked, opts.LabelSelector)
		}
		if got := strings.Join(asked, " "); got != wantAsked || tally.Pods != wantPods || c.Selector() != wantSelector {
			t.Errorf("asked %q, got %d pods, selector %q; want %q, %d, %q", got, tally.Pods, c.Selector(), wantAsked, wantPods, wantSelector)
		}
	}
	check("rollouts=h plain=h", 0, "rollouts=h or plain=h")

	failing["plain=h"] = true // then the check as a whole fails: the pods may be there
	if _, err := c.Check(t.Context()); err == nil {
		t.Error("a check passed that could not look for the second label")
	}
	failing["plain=h"] = false

	matching["plain=h"] = []*corev1.Pod{crashed(1)}
	check("rollouts=h plain=h", 1, "plain=h")
	matching["rollouts=h"] = []*corev1.Pod{crashed(2)}
	check("plain=h", 1, "plain=h")
	matching["plain=h"] = nil
	check("plain=h", 0, "plain=h")
}

func TestPodsComeAndGo(t *testing.T) {
	var now []*corev1.Pod
	l := &lister{answer: func(context.Context, metav1.ListOptions) (*corev1.PodList, error) { return page("", now...), nil }}
	c := newChecker(t, l, "a=b")
	for i, step := range []struct {
		pods           []*corev1.Pod
		appeared, gone string
		crashes        int64
	}{
		{[]*corev1.Pod{crashed(1), crashed(2)}, "web-1 web-2", "", 2},
		{[]*corev1.Pod{crashed(1), crashed(2)}, "", "", 2},
		{[]*corev1.Pod{crashed(3)}, "web-3", "web-1 web-2", 3},
		{nil, "", "web-3", 3},
		{[]*corev1.Pod{crashed(1)}, "", "", 3}, // a pod that comes back is not new
		{nil, "", "web-1", 3},
	} {
		now = step.pods
		tally, err := c.Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(tally.Appeared, " "); got != step.appeared {
			t.Errorf("check %d: appeared %q, want %q", i+1, got, step.appeared)
		}
		if got := strings.Join(tally.Gone, " "); got != step.gone {
			t.Errorf("check %d: gone %q, want %q", i+1, got, step.gone)
		}
		if tally.Crashes != step.crashes || c.Ledger().Total() != step.crashes {
			t.Errorf("check %d: %d crashes, want %d", i+1, tally.Crashes, step.crashes)
		}
	}
}

func TestBaselineStartLeavesOutWhatTheFirstSuccessfulCheckFinds(t *testing.T) {
	var fail bool
	now := []*corev1.Pod{pod(main("app", 2, ended("c", 1)))}
	l := &lister{answer: func(context.Context, metav1.ListOptions) (*corev1.PodList, error) {
		if fail {
			return nil, errors.New("no answer")
		}
		return page("", now...), nil
	}}
	c, err := checker.New(typed.Pods(l), checker.Options{Selectors: selector(t, "a=b"), BaselineStart: true})
	if err != nil {
		t.Fatal(err)
	}
	fail = true
	if _, err := c.Check(t.Context()); err == nil {
		t.Fatal("no error")
	}
	fail = false
	if tally, err := c.Check(t.Context()); err != nil || tally.Crashes != 0 || len(tally.New) != 0 {
		t.Errorf("at the first successful check: %+v, %v", tally, err)
	}
	now = []*corev1.Pod{pod(main("app", 3, running("d"), last("c", 1))), crashed(9)}
	if tally, err := c.Check(t.Context()); err != nil || tally.Crashes != 1 || len(tally.New) != 1 || tally.New[0].Pod != "web-9" {
		t.Errorf("the pending end was in the baseline, the new pod was not: %+v, %v", tally, err)
	}
}

func TestReadinessAndWhatCannotStart(t *testing.T) {
	ready := func(status corev1.ConditionStatus) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: corev1.PodReady, Status: status})
		}
	}
	stuck := func(reason, message string) func(*corev1.ContainerStatus) {
		return func(s *corev1.ContainerStatus) {
			s.State.Waiting = &corev1.ContainerStateWaiting{Reason: reason, Message: message}
		}
	}
	now := []*corev1.Pod{
		pod(uid("1"), named("ready"), ready(corev1.ConditionTrue)),
		pod(uid("2"), named("not-ready"), ready(corev1.ConditionFalse), main("app", 0, stuck("ContainerCreating", ""))),
		pod(uid("3"), named("no-condition"), main("app", 0, stuck("ImagePullBackOff", "Back-off pulling image")), initial("setup", 0, stuck("PodInitializing", ""))),
		pod(uid("4"), named("deleted"), deleted, main("app", 0, stuck("ErrImagePull", ""))),
		pod(uid("5"), named("succeeded"), phase(corev1.PodSucceeded)),
		pod(uid("6"), named("failed"), phase(corev1.PodFailed)),
		pod(uid("7"), named("unschedulable"), func(p *corev1.Pod) {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/3 nodes are available"}}
		}),
		pod(uid("8"), named("looping"), main("app", 1, stuck("CrashLoopBackOff", "back-off 10s"))),
	}
	l := &lister{answer: func(context.Context, metav1.ListOptions) (*corev1.PodList, error) { return page("", now...), nil }}
	tally, err := newChecker(t, l, "a=b").Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"not-ready", "no-condition", "unschedulable", "looping"}; !slices.Equal(tally.NotReady, want) || tally.Judged != 5 || tally.Pods != 8 {
		t.Errorf("got %d of %d pods judged, not ready %v, want %v", tally.Judged, tally.Pods, tally.NotReady, want)
	}
	var blocked []string
	for _, b := range tally.Blocked {
		blocked = append(blocked, b.String())
	}
	if want := []string{
		"no-condition/app cannot start: ImagePullBackOff: Back-off pulling image",
		"pod unschedulable cannot start: Unschedulable: 0/3 nodes are available",
	}; !slices.Equal(blocked, want) {
		t.Errorf("got  %q\nwant %q", blocked, want)
	}
}

func TestEachRequestHasADeadline(t *testing.T) {
	t.Run("a lister that ends with its context", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			l := &lister{answer: func(ctx context.Context, _ metav1.ListOptions) (*corev1.PodList, error) {
				<-ctx.Done()
				return nil, fmt.Errorf("dial 192.0.2.1: %w", ctx.Err())
			}}
			_, err := newChecker(t, l, "a=b").Check(t.Context())
			if want := "list pods with a=b: no answer within 10s: dial 192.0.2.1: context deadline exceeded"; err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
			if took := time.Since(start); took != 10*time.Second {
				t.Errorf("took %s", took)
			}
		})
	})
	t.Run("a lister that hangs is abandoned", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			start, release := time.Now(), make(chan struct{})
			l := &lister{answer: func(context.Context, metav1.ListOptions) (*corev1.PodList, error) {
				<-release
				return page("", crashed(1)), nil
			}}
			c := newChecker(t, l, "a=b")
			_, err := c.Check(t.Context())
			if err == nil || err.Error() != "list pods with a=b: no answer within 10s" {
				t.Errorf("got %v", err)
			}
			if took := time.Since(start); took > 11*time.Second {
				t.Errorf("took %s", took)
			}
			close(release)
			synctest.Wait()
			if c.Ledger().Total() != 0 {
				t.Error("an answer that came too late was counted")
			}
		})
	})
	t.Run("each page has its own", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := &lister{}
			l.answer = func(ctx context.Context, opts metav1.ListOptions) (*corev1.PodList, error) {
				time.Sleep(9 * time.Second) // in the bubble's time
				if len(l.asked) < 5 {
					return page(fmt.Sprint("p", len(l.asked))), nil
				}
				return page("", crashed(1)), nil
			}
			if tally, err := newChecker(t, l, "a=b").Check(t.Context()); err != nil || tally.Pods != 1 {
				t.Errorf("got %+v, %v", tally, err)
			}
		})
	})
	t.Run("the cause of the caller's context is told", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("ended by SIGTERM"))
		l := &lister{answer: func(ctx context.Context, _ metav1.ListOptions) (*corev1.PodList, error) { return nil, ctx.Err() }}
		if _, err := newChecker(t, l, "a=b").Check(ctx); err == nil || !strings.Contains(err.Error(), "ended by SIGTERM") {
			t.Errorf("got %v", err)
		}
	})
}

func TestTheFakeClientsetIsAPodLister(t *testing.T) {
	matching, other := crashed(1), crashed(2)
	matching.Labels = map[string]string{"pod-template-hash": "abc"}
	client := fake.NewClientset(matching, other)
	tally, err := newChecker(t, client.CoreV1().Pods("prod"), "pod-template-hash=abc").Check(t.Context())
	if err != nil || tally.Pods != 1 || tally.Crashes != 1 {
		t.Errorf("got %+v, %v", tally, err)
	}
}
