package checker_test

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/crashcheck/crashcheck/pkg/checker"
)

// release returns pods with two containers each; one of a hundred has crashed.
func release(n int) []*corev1.Pod {
	pods := make([]*corev1.Pod, n)
	for i := range pods {
		var crashes int32
		if i%100 == 0 {
			crashes = 3
		}
		pods[i] = pod(uid(types.UID(fmt.Sprintf("%036d", i))), named(fmt.Sprint("web-", i)),
			main("app", crashes, running("containerd://b"), last("containerd://a", 1)), main("proxy", 0, running("containerd://c")))
	}
	return pods
}

func BenchmarkLedger(b *testing.B) {
	pods := release(1000)
	ledger := checker.NewLedger(checker.Ignore{})
	b.ReportAllocs()
	for b.Loop() {
		for _, p := range pods {
			ledger.Record(p)
		}
	}
}

// A check without the network: what is left is the reading of pods and the ledger.
func BenchmarkCheck(b *testing.B) {
	for _, n := range []int{10, 1000, 5000} {
		list := listOf(release(n)...)
		b.Run(fmt.Sprint(n, "-pods"), func(b *testing.B) {
			l := listerFunc(func(context.Context, metav1.ListOptions) (*corev1.PodList, error) { return list, nil })
			c, err := checker.New(checker.FromClientset(l), checker.Options{Selectors: selector(b, "app=web")})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Check(b.Context(), false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

type listerFunc func(context.Context, metav1.ListOptions) (*corev1.PodList, error)

func (f listerFunc) List(ctx context.Context, opts metav1.ListOptions) (*corev1.PodList, error) {
	return f(ctx, opts)
}
