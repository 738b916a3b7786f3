package runner_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/pkg/runner"
)

// world is a cluster as a run sees it, in the time of a synctest bubble. Times are counted from the run's start. A nil
// function stands for the default.
type world struct {
	pods  func(at time.Duration) []*corev1.Pod  // one healthy, ready pod
	takes func(at time.Duration) time.Duration  // how long a response takes: no time
	fails func(at time.Duration, nth int) error // none; nth counts the requests from 1
	ctx   func(context.Context) context.Context // the context of the run

	workload checker.Workload // none
	baseline bool             // what the first list finds does not count
}

// account is what happened in a run.
type account struct {
	runner.Outcome
	requests []time.Duration // when each was made
	events   []runner.Event
}

// times returns the times of the requests.
func (a account) times() string {
	texts := make([]string, len(a.requests))
	for i, at := range a.requests {
		texts[i] = at.String()
	}
	return strings.Join(texts, " ")
}

// run runs a plan in this world, and in a bubble of time, with the fake clientset.
func (w world) run(t *testing.T, plan runner.Plan) account {
	t.Helper()
	var a account
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		check, err := checker.New(checker.FromClientset(listerFunc(func(ctx context.Context, opts metav1.ListOptions) (*corev1.PodList, error) {
			at := time.Since(start)
			a.requests = append(a.requests, at)
			var took time.Duration
			if w.takes != nil {
				took = w.takes(at)
			}
			if err := sleep(ctx, took); err != nil {
				return nil, err
			}
			if w.fails != nil {
				if err := w.fails(at, len(a.requests)); err != nil {
					return nil, err
				}
			}
			now := []*corev1.Pod{pod(0)}
			if w.pods != nil {
				now = w.pods(time.Since(start))
			}
			objects := make([]runtime.Object, len(now))
			for i, p := range now {
				objects[i] = p
			}
			return fake.NewClientset(objects...).CoreV1().Pods("prod").List(ctx, opts)
		})), w.options(plan))
		if err != nil {
			t.Fatal(err)
		}
		ctx := t.Context()
		if w.ctx != nil {
			ctx = w.ctx(ctx)
		}
		a.Outcome = runner.Run(ctx, plan, check, func(event runner.Event) { a.events = append(a.events, event) })
		if took := time.Since(start); took != a.Elapsed {
			t.Errorf("the run took %s, but says %s", took, a.Elapsed)
		}
	})
	return a
}

func (w world) options(plan runner.Plan) checker.Options {
	options := checker.Options{Workload: w.workload, CrashLimit: plan.CrashLimit, BaselineStart: w.baseline}
	if w.workload == nil {
		options.Selectors = []labels.Selector{labels.Set{"hash": "abc"}.AsSelector()}
	}
	return options
}

// listerFunc is a typed client's list.
type listerFunc func(context.Context, metav1.ListOptions) (*corev1.PodList, error)

func (f listerFunc) List(ctx context.Context, opts metav1.ListOptions) (*corev1.PodList, error) {
	return f(ctx, opts)
}

func sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pod returns a Ready pod whose container has crashed this often.
func pod(crashes int32, changes ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web-1", UID: "1", Namespace: "prod", Labels: map[string]string{"hash": "abc"}},
		Status: corev1.PodStatus{
			Phase:             corev1.PodRunning,
			Conditions:        []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
			ContainerStatuses: []corev1.ContainerStatus{{Name: "app", RestartCount: crashes, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}},
		},
	}
	for _, change := range changes {
		change(p)
	}
	return p
}

func numbered(n int) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Name, p.UID = fmt.Sprint("web-", n), types.UID(fmt.Sprint(n)) }
}

func unready(p *corev1.Pod) { p.Status.Conditions[0].Status = corev1.ConditionFalse }

func stuck(p *corev1.Pod) {
	p.Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff"}}
}

func succeeded(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }

func failed(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }

// unreported: the node of the pod has stopped reporting.
func unreported(p *corev1.Pod) {
	unready(p)
	p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: corev1.ContainersReady, Status: corev1.ConditionTrue})
}

func deleted(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} }

func pods(all ...*corev1.Pod) func(time.Duration) []*corev1.Pod {
	return func(time.Duration) []*corev1.Pod { return all }
}

// crashingAt returns one pod that has crashed once by each of these times.
func crashingAt(times ...time.Duration) func(time.Duration) []*corev1.Pod {
	return func(at time.Duration) []*corev1.Pod {
		var crashes int32
		for _, crash := range times {
			if crash <= at {
				crashes++
			}
		}
		return []*corev1.Pod{pod(crashes)}
	}
}

// between fails with this error from one time to another.
func between(from, to time.Duration, err error) func(time.Duration, int) error {
	return func(at time.Duration, _ int) error {
		if at >= from && at < to {
			return err
		}
		return nil
	}
}

const always = time.Duration(1<<63 - 1)

func status(code int32, reason metav1.StatusReason, retryAfter int32) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: code, Reason: reason, Message: fmt.Sprintf("answer %d", code),
		Details: &metav1.StatusDetails{RetryAfterSeconds: retryAfter},
	}}
}
