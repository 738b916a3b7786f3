package checker_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/crashcheck/crashcheck/pkg/checker"
)

// lister responds with a function, and keeps the requests.
type lister struct {
	respond  func(ctx context.Context, opts metav1.ListOptions) (*corev1.PodList, error)
	requests []metav1.ListOptions
}

func (l *lister) List(ctx context.Context, opts metav1.ListOptions) (*corev1.PodList, error) {
	l.requests = append(l.requests, opts)
	return l.respond(ctx, opts)
}

// listing responds with the pods that a function returns.
func listing(pods func() []*corev1.Pod) *lister {
	return &lister{respond: func(context.Context, metav1.ListOptions) (*corev1.PodList, error) { return listOf(pods()...), nil }}
}

func listOf(pods ...*corev1.Pod) *corev1.PodList {
	list := &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "7"}}
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

func newChecker(t *testing.T, pods checker.PodInterface, selectors ...string) *checker.Checker {
	t.Helper()
	c, err := checker.New(checker.FromClientset(pods), checker.Options{Selectors: selector(t, selectors...)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// check makes a check that has to succeed.
func check(t *testing.T, c *checker.Checker) checker.Tally {
	t.Helper()
	tally, err := c.Check(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	return tally
}

func TestNoCheckWithoutASelector(t *testing.T) {
	for claim, selectors := range map[string][]labels.Selector{
		"none is given":        nil,
		"it is nil":            {nil},
		"it is empty":          {labels.Everything()},
		"one of them is empty": {labels.Set{"a": "b"}.AsSelector(), labels.NewSelector()},
	} {
		if c, err := checker.New(checker.FromClientset(&lister{}), checker.Options{Selectors: selectors}); err == nil || c != nil {
			t.Errorf("%s: got no error", claim)
		}
	}
}

func TestACheckIsOneConsistentListWithoutLimit(t *testing.T) {
	l := listing(func() []*corev1.Pod { return []*corev1.Pod{crashed(1), crashed(2), crashed(2), crashed(3)} })
	tally := check(t, newChecker(t, l, "app=web"))
	if tally.Pods != 3 || tally.Crashes != 3 || len(tally.New) != 3 || tally.Active != 3 {
		t.Errorf("a pod that is listed twice must count once: got %+v", tally)
	}
	if want := []string{"web-1", "web-2", "web-3"}; !slices.Equal(tally.Appeared, want) {
		t.Errorf("appeared: got %v, want %v", tally.Appeared, want)
	}
	if want := []metav1.ListOptions{{LabelSelector: "app=web"}}; !reflect.DeepEqual(l.requests, want) {
		t.Errorf("got the requests %+v, want %+v", l.requests, want)
	}
}

// streaming visits pods before it fails.
type streaming struct {
	pods []*corev1.Pod
	err  error
}

func (s *streaming) List(_ context.Context, _ string, visit func(*corev1.Pod) error) error {
	for _, p := range s.pods {
		if err := visit(p); err != nil {
			return err
		}
	}
	return s.err
}

func TestPodsBeforeAnErrorDoNotCount(t *testing.T) {
	l := &streaming{[]*corev1.Pod{crashed(1)}, errors.New("connection reset by peer")}
	c, err := checker.New(l, checker.Options{Selectors: selector(t, "a=b", "c=d")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Check(t.Context(), false); err == nil || err.Error() != "list pods with a=b: connection reset by peer" {
		t.Fatalf("got %v", err)
	}
	if c.Ledger().Total() != 0 || c.Ledger().Pods() != 0 || c.Selector() != "a=b or c=d" {
		t.Errorf("the failed check left %d crashes of %d pods, selector %q", c.Ledger().Total(), c.Ledger().Pods(), c.Selector())
	}
	l.pods, l.err = []*corev1.Pod{crashed(2), crashed(3)}, nil
	if tally := check(t, c); tally.Crashes != 2 || !slices.Equal(tally.Appeared, []string{"web-2", "web-3"}) {
		t.Errorf("got %+v", tally)
	}
}

func TestInvalidLists(t *testing.T) {
	tests := []struct {
		claim string
		list  *corev1.PodList
		want  string
	}{
		{"no list at all", nil, "list pods with a=b: invalid PodList: no resourceVersion"},
		{"the empty list that a typed client makes of {}", &corev1.PodList{}, "list pods with a=b: invalid PodList: no resourceVersion"},
		{"a part of a list", &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "7", Continue: "next"}},
			"list pods with a=b: incomplete list: the server returned only its first part"},
		{"a pod without UID", listOf(pod(uid(""))), `list pods with a=b: invalid PodList: pod "web-1" has no UID`},
		{"a pod with more containers than fit into one", listOf(pod(func(p *corev1.Pod) {
			p.Status.ContainerStatuses, p.Status.InitContainerStatuses = make([]corev1.ContainerStatus, 501), make([]corev1.ContainerStatus, 500)
		})),
			`list pods with a=b: invalid PodList: pod "web-1" has 1001 containers`},
		{"pods of two namespaces", listOf(crashed(1), pod(func(p *corev1.Pod) { p.Namespace = "other" })),
			`list pods with a=b: invalid PodList: it contains pods of two namespaces ("prod" and "other")`},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			c := newChecker(t, &lister{respond: func(context.Context, metav1.ListOptions) (*corev1.PodList, error) { return test.list, nil }}, "a=b")
			if _, err := c.Check(t.Context(), false); err == nil || err.Error() != test.want {
				t.Errorf("\n got %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestTheSecondLabelIsOnlyTriedWhileTheFirstHasMatchedNothing(t *testing.T) {
	matching := map[string][]*corev1.Pod{}
	failing := map[string]bool{}
	l := &lister{respond: func(_ context.Context, opts metav1.ListOptions) (*corev1.PodList, error) {
		if failing[opts.LabelSelector] {
			return nil, errors.New("connection refused")
		}
		return listOf(matching[opts.LabelSelector]...), nil
	}}
	c := newChecker(t, l, "rollouts=h", "plain=h")
	expect := func(wantRequests string, wantPods int, wantSelector string) {
		t.Helper()
		l.requests = nil
		tally := check(t, c)
		var requests []string
		for _, opts := range l.requests {
			requests = append(requests, opts.LabelSelector)
		}
		if got := strings.Join(requests, " "); got != wantRequests || tally.Pods != wantPods || c.Selector() != wantSelector {
			t.Errorf("got requests %q, %d pods, selector %q; want %q, %d, %q", got, tally.Pods, c.Selector(), wantRequests, wantPods, wantSelector)
		}
	}
	expect("rollouts=h plain=h", 0, "rollouts=h or plain=h")

	failing["plain=h"] = true // then the check as a whole fails: that label may have the pods
	if _, err := c.Check(t.Context(), false); err == nil {
		t.Error("a check succeeded that could not list the pods with the second label")
	}
	failing["plain=h"] = false

	matching["plain=h"] = []*corev1.Pod{crashed(1)}
	expect("rollouts=h plain=h", 1, "plain=h")
	matching["rollouts=h"] = []*corev1.Pod{crashed(2)}
	expect("plain=h", 1, "plain=h")
	matching["plain=h"] = nil
	expect("plain=h", 0, "plain=h")
}

func TestPodsComeAndGo(t *testing.T) {
	var now []*corev1.Pod
	c := newChecker(t, listing(func() []*corev1.Pod { return now }), "a=b")
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
		tally := check(t, c)
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

func TestBaselineStartSubtractsWhatTheFirstSuccessfulCheckFinds(t *testing.T) {
	own := failed("Evicted")
	own.UID, own.Name = "own", "web-8"
	now := []*corev1.Pod{pod(main("app", 2, terminated("c", 1))), own}
	var err error
	l := &lister{respond: func(context.Context, metav1.ListOptions) (*corev1.PodList, error) { return listOf(now...), err }}
	c, _ := checker.New(checker.FromClientset(l), checker.Options{Selectors: selector(t, "a=b"), BaselineStart: true})
	err = errors.New("connection refused")
	if _, err := c.Check(t.Context(), false); err == nil {
		t.Fatal("no error")
	}
	err = nil
	if tally := check(t, c); tally.Crashes != 0 || len(tally.New) != 0 || !tally.Baseline {
		t.Errorf("at the first successful check: %+v", tally)
	}
	now = []*corev1.Pod{pod(main("app", 3, running("d"), last("c", 1))), own, crashed(9)}
	if tally := check(t, c); tally.Crashes != 1 || len(tally.New) != 1 || tally.New[0].Pod != "web-9" || tally.Baseline {
		t.Errorf("the pending crash was in the baseline, the new pod was not: %+v", tally)
	}
}

// ready adds the conditions Ready and ContainersReady.
func ready(ready, containers corev1.ConditionStatus, reason string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Conditions = append(p.Status.Conditions,
			corev1.PodCondition{Type: corev1.PodReady, Status: ready, Reason: reason},
			corev1.PodCondition{Type: corev1.ContainersReady, Status: containers})
	}
}

func failed(reason string) *corev1.Pod {
	return pod(phase(corev1.PodFailed), func(p *corev1.Pod) { p.Status.Reason, p.Status.Message = reason, "message" })
}

func TestTheStateOfEachPod(t *testing.T) {
	const yes, no, unknown = corev1.ConditionTrue, corev1.ConditionFalse, corev1.ConditionUnknown
	stuck := func(reason, message string) func(*corev1.ContainerStatus) {
		return func(s *corev1.ContainerStatus) {
			s.State.Waiting = &corev1.ContainerStateWaiting{Reason: reason, Message: message}
		}
	}
	up := main("app", 0, running("a"))
	inSpec := func(names ...string) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Spec.NodeName = "node-1"
			for _, name := range names {
				p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: name})
			}
		}
	}
	unreported := []checker.UnreportedPod{{Pod: "web-1", Node: "node-1"}}
	web := []string{"web-1"}
	tests := []struct {
		claim string
		pod   *corev1.Pod
		want  checker.Tally
	}{
		{"a pod that runs and is Ready", pod(up, ready(yes, yes, "")), checker.Tally{Ran: 1, Present: 1, Active: 1}},
		{"a pod that runs and is not Ready", pod(up, ready(no, no, "ContainersNotReady")), checker.Tally{Ran: 1, Present: 1, Active: 1, NotReady: web}},
		{"a pod without conditions is not Ready", pod(up), checker.Tally{Ran: 1, Present: 1, Active: 1, NotReady: web}},
		{"a pod that is being deleted", pod(deleted, up, ready(no, no, "")), checker.Tally{Ran: 1, Deleted: 1}},
		{"a pod that is being deleted is not expected to start", pod(deleted, main("app", 0, stuck("ErrImagePull", ""))), checker.Tally{Deleted: 1}},
		{"a Succeeded pod has run", pod(phase(corev1.PodSucceeded), main("app", 0, terminated("a", 0)), ready(no, no, "PodCompleted")), checker.Tally{Ran: 1, Present: 1}},
		{"one whose containers should always run has failed", pod(podPolicy(corev1.RestartPolicyAlways), inSpec("app"), phase(corev1.PodSucceeded), main("app", 0, terminated("a", 0))),
			checker.Tally{PodsFailed: 1, Crashes: 1, Failed: []checker.PodFailure{
				{Pod: "web-1", Reason: "Succeeded", Message: "the kubelet ended the pod, although its containers should always run", Crash: true}}}},
		{"a Failed pod has not", pod(phase(corev1.PodFailed), main("app", 0, terminated("a", 1))),
			checker.Tally{PodsFailed: 1, Failed: []checker.PodFailure{{Pod: "web-1"}}}},

		{"a Pending pod without statuses has not run", pod(phase(corev1.PodPending)), checker.Tally{Active: 1, NotReady: web, NotRun: web}},
		{"a pod whose container is created has not", pod(main("app", 0, stuck("ContainerCreating", ""))), checker.Tally{Active: 1, NotReady: web, NotRun: web}},
		{"a pod whose image cannot be pulled has not", pod(main("app", 0, stuck("ImagePullBackOff", "Back-off pulling image")), initial("setup", 0, stuck("PodInitializing", ""))),
			checker.Tally{Active: 1, NotReady: web, NotRun: web, CannotStart: []checker.CannotStart{{"web-1", "app", "ImagePullBackOff", "Back-off pulling image"}}}},
		{"a pod of which only an init container has started has not", pod(initial("setup", 2, running("a")), main("app", 0, stuck("PodInitializing", ""))),
			checker.Tally{Crashes: 2, Active: 1, NotReady: web, NotRun: web}},
		{"an unschedulable pod has not", pod(func(p *corev1.Pod) {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: no, Reason: "Unschedulable", Message: "0/3 nodes are available"}}
		}), checker.Tally{Active: 1, NotReady: web, NotRun: web, CannotStart: []checker.CannotStart{{"web-1", "", "Unschedulable", "0/3 nodes are available"}}}},
		{"a pod whose second container cannot start has not", pod(up, main("web", 0, stuck("CreateContainerConfigError", "no secret"))),
			checker.Tally{Active: 1, NotReady: web, NotRun: web, CannotStart: []checker.CannotStart{{"web-1", "web", "CreateContainerConfigError", "no secret"}}}},
		{"a pod whose second container has no status has not", pod(inSpec("app", "web"), up), checker.Tally{Active: 1, NotReady: web, NotRun: web}},
		{"an ignored container need not start", pod(inSpec("app", "ignored"), up, main("ignored", 0, stuck("ContainerCreating", "")), ready(yes, yes, "")),
			checker.Tally{Ran: 1, Present: 1, Active: 1}},
		{"an ignored container need not have a status", pod(inSpec("app", "ignored"), up, ready(yes, yes, "")), checker.Tally{Ran: 1, Present: 1, Active: 1}},
		{"if all are ignored, one that has started is enough", pod(inSpec("ignored"), main("ignored", 0, running("a")), ready(yes, yes, "")),
			checker.Tally{Ran: 1, Present: 1, Active: 1}},
		{"if all are ignored, and none has started, it has not", pod(inSpec("ignored"), main("ignored", 0, stuck("ContainerCreating", "")), ready(yes, yes, "")),
			checker.Tally{Active: 1, NotRun: web}},
		{"a container in back-off has started", pod(main("app", 1, stuck("CrashLoopBackOff", "back-off 10s")), ready(yes, yes, "")),
			checker.Tally{Crashes: 1, Ran: 1, Present: 1, Active: 1}},
		{"a container that terminated before has started", pod(main("app", 0, stuck("ImagePullBackOff", ""), last("a", 1), names("b")), ready(yes, yes, "")),
			checker.Tally{Ran: 1, Present: 1, Active: 1, CannotStart: []checker.CannotStart{{"web-1", "app", "ImagePullBackOff", ""}}}},
		{"a pod whose containers are all restarted is not stuck", pod(main("app", 0, stuck("RestartingAllContainers", ""), last("", 137)), ready(yes, yes, "")),
			checker.Tally{Ran: 1, Present: 1, Active: 1}},

		{"a node that has stopped reporting: Ready is False, ContainersReady stays True", pod(inSpec("app"), up, ready(no, yes, "")),
			checker.Tally{Ran: 1, Active: 1, NotReady: web, Unreported: unreported}},
		{"a node that has stopped reporting: Ready is Unknown", pod(inSpec("app"), up, ready(unknown, yes, "NodeStatusUnknown")),
			checker.Tally{Ran: 1, Active: 1, NotReady: web, Unreported: unreported}},
		{"readiness gates are another reason", pod(inSpec("app"), up, ready(no, yes, "ReadinessGatesNotReady")),
			checker.Tally{Ran: 1, Present: 1, Active: 1, NotReady: web}},
		{"a pod that is being deleted is not reported on, or is: it is not present either way", pod(inSpec("app"), deleted, up, ready(no, yes, "")),
			checker.Tally{Ran: 1, Deleted: 1}},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			l := listing(func() []*corev1.Pod { return []*corev1.Pod{test.pod} })
			c, err := checker.New(checker.FromClientset(l), checker.Options{Selectors: selector(t, "a=b"), Ignore: checker.Ignore{Containers: []string{"ignored"}}})
			if err != nil {
				t.Fatal(err)
			}
			got := check(t, c)
			got.New = nil
			test.want.Pods, test.want.Appeared = 1, web
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("\n got %+v\nwant %+v", got, test.want)
			}
		})
	}
}

func TestAFailedPodIsToldOnce(t *testing.T) {
	now := []*corev1.Pod{failed("Preempting")}
	c := newChecker(t, listing(func() []*corev1.Pod { return now }), "a=b")
	want := []checker.PodFailure{{Pod: "web-1", Reason: "Preempting", Message: "message"}}
	if got := check(t, c); !slices.Equal(got.Failed, want) || got.PodsFailed != 1 {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := check(t, c); len(got.Failed) > 0 || got.PodsFailed != 1 {
		t.Errorf("at the second check, got %+v", got)
	}
}

func TestEachRequestHasADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		l := &lister{respond: func(ctx context.Context, _ metav1.ListOptions) (*corev1.PodList, error) {
			<-ctx.Done()
			return nil, fmt.Errorf("dial 192.0.2.1: %w", ctx.Err())
		}}
		_, err := newChecker(t, l, "a=b").Check(t.Context(), false)
		if want := "list pods with a=b: no response within 10s: dial 192.0.2.1: context deadline exceeded"; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("took %s", took)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		l := &lister{respond: func(ctx context.Context, opts metav1.ListOptions) (*corev1.PodList, error) {
			time.Sleep(9 * time.Second) // in the bubble's time
			return listOf(), ctx.Err()
		}}
		if _, err := newChecker(t, l, "a=b", "c=d").Check(t.Context(), false); err != nil || len(l.requests) != 2 {
			t.Errorf("the second request must have a deadline of its own: %d requests, %v", len(l.requests), err)
		}
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("ended by SIGTERM"))
	l := &lister{respond: func(ctx context.Context, _ metav1.ListOptions) (*corev1.PodList, error) { return nil, ctx.Err() }}
	if _, err := newChecker(t, l, "a=b").Check(ctx, false); err == nil || !strings.Contains(err.Error(), "ended by SIGTERM") {
		t.Errorf("the error does not have the cause of the caller's context: %v", err)
	}
}

func TestTheFakeClientsetIsAPodLister(t *testing.T) {
	matching, other := crashed(1), crashed(2)
	matching.Labels = map[string]string{"pod-template-hash": "abc"}
	client := fake.NewClientset(matching, other)
	if tally := check(t, newChecker(t, client.CoreV1().Pods("prod"), "pod-template-hash=abc")); tally.Pods != 1 || tally.Crashes != 1 {
		t.Errorf("got %+v", tally)
	}
}
