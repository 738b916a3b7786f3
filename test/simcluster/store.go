package simcluster

import (
	"cmp"
	"slices"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// A workload is a source of pods: a pure function of the time since the server was given it.
type workload interface {
	Pods(at time.Duration) []corev1.Pod
}

type fixedPods []corev1.Pod

func (p fixedPods) Pods(time.Duration) []corev1.Pod { return p }

type store struct {
	mu        sync.Mutex
	workloads []placedWorkload
	writes    int64 // changes of workloads
}

type placedWorkload struct {
	workload
	begin time.Duration
}

func (s *store) add(w workload, now time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.workloads = append(s.workloads, placedWorkload{w, now})
	s.writes++
}

func (s *store) replace(w workload, now time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.workloads = []placedWorkload{{w, now}}
	s.writes++
}

// pods are all pods at the given simulated time, in the API's order, and the resourceVersion of that state: it grows with
// the time, as that of a real cluster grows with its writes.
func (s *store) pods(now time.Duration) (pods []corev1.Pod, resourceVersion string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.workloads {
		pods = append(pods, w.Pods(now-w.begin)...)
	}
	slices.SortStableFunc(pods, func(a, b corev1.Pod) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return pods, strconv.FormatInt(now.Milliseconds()+1+s.writes, 10)
}
