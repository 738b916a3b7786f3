package simcluster

import (
	"cmp"
	"slices"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// A source has pods: a pure function of the time since the server was given it.
type source interface {
	Pods(at time.Duration) []corev1.Pod
}

type fixedPods []corev1.Pod

func (p fixedPods) Pods(time.Duration) []corev1.Pod { return p }

type store struct {
	mu      sync.Mutex
	sources []placed
	writes  int64 // changes of sources
}

type placed struct {
	source
	begin time.Duration
}

func (s *store) add(from source, now time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sources = append(s.sources, placed{from, now})
	s.writes++
}

func (s *store) replace(from source, now time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sources = []placed{{from, now}}
	s.writes++
}

// pods are all pods at the given simulated time, in the API's order, and the resourceVersion of that state.
func (s *store) pods(now time.Duration) (pods []corev1.Pod, resourceVersion string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, from := range s.sources {
		pods = append(pods, from.Pods(now-from.begin)...)
	}
	slices.SortStableFunc(pods, func(a, b corev1.Pod) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return pods, s.resourceVersion(now)
}

// aged is a release, with its defaults, and its age.
type aged struct {
	Release
	age time.Duration
}

// releases are the releases of a namespace at the given simulated time, and the resourceVersion of that state.
func (s *store) releases(namespace string, now time.Duration) (releases []aged, resourceVersion string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, from := range s.sources {
		release, _ := from.source.(Release)
		if release = release.withDefaults(); release.Workload.Kind != "" && release.Namespace == namespace {
			releases = append(releases, aged{release, now - from.begin + release.Age})
		}
	}
	return releases, s.resourceVersion(now)
}

// resourceVersion grows with the time, as that of a real cluster grows with its writes.
func (s *store) resourceVersion(now time.Duration) string {
	return strconv.FormatInt(now.Milliseconds()+1+s.writes, 10)
}
