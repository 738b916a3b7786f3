package simcluster

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// A workload is where pods come from: a pure function of the time since the server was given it.
type workload interface {
	Pods(at time.Duration) []corev1.Pod
}

type fixedPods []corev1.Pod

func (p fixedPods) Pods(time.Duration) []corev1.Pod { return p }

// store holds the workloads, and the snapshots of them whose pages may still be asked for.
type store struct {
	mu        sync.Mutex
	workloads []placedWorkload
	changed   bool // since latest
	latest    *snapshot
	paged     []*snapshot // oldest first
}

type placedWorkload struct {
	workload
	begin time.Duration
}

// pagedSnapshots is how many lists can be paged through side by side before the oldest one's tokens expire.
const pagedSnapshots = 8

func (s *store) add(w workload, now time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.workloads = append(s.workloads, placedWorkload{w, now})
	s.changed = true
}

func (s *store) replace(w workload, now time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.workloads = []placedWorkload{{w, now}}
	s.changed = true
}

func (s *store) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paged = nil
}

// snapshot is the state at the given simulated time. While time stands still and nothing is deployed, it is the same one.
func (s *store) snapshot(now time.Duration) *snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.latest != nil && !s.changed && s.latest.at >= now {
		return s.latest
	}
	next := &snapshot{at: now, version: now.Milliseconds() + 1}
	if s.latest != nil {
		next.version = max(next.version, s.latest.version+1)
	}
	for _, w := range s.workloads {
		next.pods = append(next.pods, w.Pods(now-w.begin)...)
	}
	slices.SortStableFunc(next.pods, func(a, b corev1.Pod) int { return strings.Compare(key(&a), key(&b)) })
	s.latest, s.changed = next, false
	return next
}

// keep makes sure that later pages of the snapshot can be asked for.
func (s *store) keep(shot *snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Contains(s.paged, shot) {
		return
	}
	s.paged = append(s.paged, shot)
	if len(s.paged) > pagedSnapshots {
		s.paged = slices.Delete(s.paged, 0, 1)
	}
}

// kept is the snapshot of that version, nil if it was never kept or has expired.
func (s *store) kept(version int64) *snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, shot := range s.paged {
		if shot.version == version {
			return shot
		}
	}
	return nil
}

// A snapshot is never written to once it is made, so that requests can share it.
type snapshot struct {
	at      time.Duration
	version int64
	pods    []corev1.Pod // sorted by key, which is the order of the API
}

func (s *snapshot) resourceVersion() string { return strconv.FormatInt(s.version, 10) }

// page is at most limit matching pods after the key start (0: all of them), and how many matching pods are left.
func (s *snapshot) page(namespace string, selector labels.Selector, start string, limit int) (pods []corev1.Pod, left int64) {
	pods = []corev1.Pod{}
	for i := range s.pods { // by index: a Pod is a large value
		pod := &s.pods[i]
		if pod.Namespace != namespace || key(pod) <= start || !selector.Matches(labels.Set(pod.Labels)) {
			continue
		}
		if limit > 0 && len(pods) == limit {
			left++
			continue
		}
		pods = append(pods, *pod)
	}
	return pods, left
}

// pod is the one of that name, or nil.
func (s *snapshot) pod(namespace, name string) *corev1.Pod {
	for i := range s.pods {
		if pod := &s.pods[i]; pod.Namespace == namespace && pod.Name == name {
			return pod
		}
	}
	return nil
}

func key(pod *corev1.Pod) string { return pod.Namespace + "/" + pod.Name }
