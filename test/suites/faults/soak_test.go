package faults

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/pkg/config"
	"github.com/crashcheck/crashcheck/pkg/kube"
	"github.com/crashcheck/crashcheck/pkg/runner"
	"github.com/crashcheck/crashcheck/test/simcluster"
)

// A soakKind is a sort of run, and what may come of it whatever the faults are.
type soakKind struct {
	name     string
	settings []string
	may      []runner.Verdict
	// doomedFrom is the first request from which on every answer is a fault: the closing check cannot succeed. 0: none.
	doomedFrom int
	signal     bool // SIGTERM comes at a random time
}

// HASH_LABEL leaves one selector, so that a check is one request.
var soakKinds = []soakKind{
	{name: "healthy", settings: []string{"HASH=good", "DURATION=1s"}, may: []runner.Verdict{runner.Pass, runner.Inconclusive}},
	{name: "healthy, by count", settings: []string{"HASH=good", "COUNT=8", "MAX_DURATION=5s"}, may: []runner.Verdict{runner.Pass, runner.Inconclusive}},
	{name: "crash loop", settings: []string{"HASH=bad", "DURATION=1s"}, may: []runner.Verdict{runner.Fail, runner.Inconclusive}},
	{name: "crash loop, by count", settings: []string{"HASH=bad", "COUNT=8", "MAX_DURATION=5s"}, may: []runner.Verdict{runner.Fail, runner.Inconclusive}},
	{name: "no pods", settings: []string{"HASH=ugly", "DURATION=1s"}, may: []runner.Verdict{runner.Inconclusive}},
	{name: "closing check doomed", settings: []string{"HASH=good", "DURATION=300ms", "INTERVAL=1h"}, may: []runner.Verdict{runner.Inconclusive}, doomedFrom: 2},
	{name: "last check doomed", settings: []string{"HASH=good", "COUNT=4"}, may: []runner.Verdict{runner.Inconclusive}, doomedFrom: 4},
	{name: "signalled", settings: []string{"HASH=good", "DURATION=1h", "API_GRACE=1h"}, may: []runner.Verdict{runner.Interrupted}, signal: true},
	{name: "signalled, crash loop", settings: []string{"HASH=bad", "DURATION=1s"}, may: []runner.Verdict{runner.Interrupted, runner.Fail, runner.Inconclusive}, signal: true},
}

const (
	soakWorkers = 40
	// soakFaulty is how many of 100 requests meet a fault.
	soakFaulty = 40
)

// soak injects faults into the requests of runs that name themselves in their user agent.
type soak struct {
	seed   uint64
	server *simcluster.Server
	faults map[string]simcluster.Middleware

	mu       sync.Mutex
	rngs     map[string]*rand.Rand // of each run: its faults do not depend on the others
	requests map[string]int        // of each run
	injected map[string]int        // by fault
	verdicts map[string]int        // by kind and verdict
	doomed   map[string]int        // by run
}

func newSoak(seed uint64) *soak {
	s := &soak{
		seed: seed, server: simcluster.Start(), rngs: map[string]*rand.Rand{},
		requests: map[string]int{}, injected: map[string]int{}, verdicts: map[string]int{}, doomed: map[string]int{},
	}
	abort := func(http.Handler) http.Handler {
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	}
	s.faults = map[string]simcluster.Middleware{
		"500": s.server.Fail(500, 0), "503": s.server.Fail(503, 0), "429 with Retry-After": s.server.Fail(429, time.Second),
		"401": s.server.Fail(401, 0), "403": s.server.Fail(403, 0), "404": s.server.Fail(404, 0), "410": s.server.Fail(410, 0),
		"{}": simcluster.Answer(200, asJSON, "{}"), "null": simcluster.Answer(200, asJSON, "null"), "204": simcluster.Answer(204, asJSON, ""),
		"empty 200":   simcluster.Answer(200, asJSON, ""),
		"HTML":        simcluster.Answer(200, "text/html", "<html></html>"),
		"no version":  simcluster.Answer(200, asJSON, `{"kind":"PodList","apiVersion":"v1","items":[]}`),
		"ServiceList": simcluster.Answer(200, asJSON, `{"kind":"ServiceList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[]}`),
		"truncated":   simcluster.Truncate(300),
		"aborted":     abort,
		"silent for a while": func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				select { // the fault itself takes time
				case <-time.After(200 * time.Millisecond):
				case <-r.Context().Done():
				}
				abort(next).ServeHTTP(w, r)
			})
		},
	}
	good := simcluster.Release{Namespace: namespace, Name: "good", Hash: "good", Replicas: 2, Age: time.Minute}
	bad := simcluster.Release{Namespace: namespace, Name: "bad", Hash: "bad", Replicas: 2, Age: 5 * time.Minute, App: simcluster.CrashLoop(time.Second, 1)}
	s.server.Deploy(good)
	s.server.Deploy(bad)
	s.server.Handle(s.inject)
	return s
}

func (s *soak) inject(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name := s.draw(r.UserAgent()); name != "" {
			s.faults[name](next).ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// draw returns the fault that the next request of a run meets, or "".
func (s *soak) draw(run string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests[run]++
	rng := s.rngs[run]
	doomed := s.doomed[run] > 0 && s.requests[run] >= s.doomed[run]
	if rng == nil || !doomed && rng.IntN(100) >= soakFaulty {
		return ""
	}
	names := slices.Sorted(maps.Keys(s.faults))
	name := names[rng.IntN(len(names))]
	s.injected[name]++
	return name
}

// one makes one run, and holds it to what may come of it.
func (s *soak) one(t *testing.T, id uint64, kubeconfig string) {
	kind := soakKinds[id%uint64(len(soakKinds))]
	rng := rand.New(rand.NewPCG(s.seed, id))
	run := fmt.Sprintf("run %d of seed %d (%s)", id, s.seed, kind.name)
	s.mu.Lock()
	s.rngs[run], s.doomed[run] = rand.New(rand.NewPCG(s.seed, ^id)), kind.doomedFrom
	s.mu.Unlock()

	cfg, err := config.Parse(append([]string{"HASH_LABEL=pod-template-hash", "INTERVAL=100ms", "CRASH_LIMIT=3", "API_GRACE=1s"}, kind.settings...))
	if err != nil {
		t.Errorf("%s: %v", run, err)
		return
	}
	cluster, err := kube.FindCluster(t.Context(), []string{"KUBECONFIG=" + kubeconfig})
	if err != nil {
		t.Errorf("%s: %v", run, err)
		return
	}
	pods, err := kube.NewPodLister(t.Context(), cluster, cluster.Namespace(), run)
	if err != nil {
		t.Errorf("%s: %v", run, err)
		return
	}
	check, err := checker.New(pods, checker.Options{Selectors: cfg.Selectors})
	if err != nil {
		t.Errorf("%s: %v", run, err)
		return
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	if kind.signal {
		defer time.AfterFunc(time.Duration(rng.IntN(800))*time.Millisecond, func() { cancel(runner.SignalError{Signal: syscall.SIGTERM}) }).Stop()
	}
	plan := runner.Plan{
		Interval: cfg.Interval, Count: cfg.Count, MaxDuration: cfg.MaxDuration, Duration: cfg.Duration,
		CrashLimit: cfg.CrashLimit, MinPods: cfg.MinPods, APIGrace: cfg.APIGrace,
	}
	outcome := runner.Run(ctx, plan, check, nil)
	if !slices.Contains(kind.may, outcome.Verdict) {
		t.Errorf("%s: the verdict is %s (%s), want one of %v", run, outcome.Verdict, outcome.Reason, kind.may)
	}
	if latest := plan.Latest(); outcome.Elapsed > latest+slack && !kind.signal {
		t.Errorf("%s: it took %v, allowed are %v", run, outcome.Elapsed, latest)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.verdicts[fmt.Sprintf("%s: %s", kind.name, outcome.Verdict)]++
}

func TestSoak(t *testing.T) {
	seed := *soakSeed
	if seed == 0 {
		seed = rand.Uint64N(1_000_000)
	}
	goroutines, descriptors := runtime.NumGoroutine(), openDescriptors(t)
	s := newSoak(seed)
	defer s.server.Close()
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := s.server.WriteKubeconfig(kubeconfig, namespace); err != nil {
		t.Fatal(err)
	}

	var ids struct {
		sync.Mutex
		next uint64
	}
	began := time.Now()
	var workers sync.WaitGroup
	for range soakWorkers {
		workers.Go(func() {
			for time.Since(began) < *soakFor {
				ids.Lock()
				id := ids.next
				ids.next++
				ids.Unlock()
				s.one(t, id, kubeconfig)
			}
		})
	}
	ended := make(chan struct{})
	go func() { workers.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(*soakFor + 2*patience):
		t.Fatalf("seed %d: runs hang", seed)
	}
	requests := len(s.server.Requests())
	s.server.Close() // and with it the idle connections of all runs
	settle(t, "goroutines", goroutines, func() int { return runtime.NumGoroutine() })
	settle(t, "descriptors", descriptors, func() int { return openDescriptors(t) })

	faults := 0
	for _, n := range s.injected {
		faults += n
	}
	fmt.Printf("soak: seed %d, %d runs in %.1f s, %d requests, %d faults\n%s%s", seed, ids.next, time.Since(began).Seconds(), requests, faults,
		counts("fault ", s.injected), counts("verdict ", s.verdicts))
	if faults == 0 || ids.next < uint64(len(soakKinds)) {
		t.Errorf("seed %d: %d runs met %d faults: that shows nothing", seed, ids.next, faults)
	}
}

// settle waits until a count is back to what it was: what ends goes on for a moment.
func settle(t *testing.T, what string, before int, count func() int) {
	deadline := time.Now().Add(patience)
	for count() > before {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<16)
			t.Errorf("%d %s before, %d after\n%s", before, what, count(), stacks[:runtime.Stack(stacks, true)])
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skipf("descriptors cannot be counted here: %v", err)
	}
	return len(entries)
}

func counts(prefix string, of map[string]int) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(of)) {
		fmt.Fprintf(&b, "  %s%s: %d\n", prefix, name, of[name])
	}
	return b.String()
}
