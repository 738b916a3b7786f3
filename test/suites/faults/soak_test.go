package faults

import (
	"bytes"
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
	"github.com/crashcheck/crashcheck/pkg/report"
	"github.com/crashcheck/crashcheck/pkg/runner"
	"github.com/crashcheck/crashcheck/test/simcluster"
)

// A soakKind is a kind of run, and its possible verdicts whatever the faults are.
type soakKind struct {
	name     string
	settings []string
	may      []runner.Verdict
	// doomedFrom is the first request from which on every response is a fault: the final check cannot succeed. 0: none.
	doomedFrom int
	signal     bool // SIGTERM is received at a random time
	vanishes   bool // at a random time, the release is replaced by a state of it in which no pod runs
	superseded bool // at a random time, the workload no longer releases the version
}

var (
	passes  = []runner.Verdict{runner.Pass, runner.Inconclusive}
	fails   = []runner.Verdict{runner.Fail, runner.Inconclusive}
	unknown = []runner.Verdict{runner.Inconclusive}
)

// HASH_LABEL leaves one selector, so that a check is one request.
var soakKinds = []soakKind{
	{name: "healthy", settings: []string{"HASH=good", "DURATION=1s"}, may: passes},
	{name: "healthy, by count", settings: []string{"HASH=good", "COUNT=8", "MAX_DURATION=5s"}, may: passes},
	{name: "crash loop", settings: []string{"HASH=bad", "DURATION=1s"}, may: fails},
	{name: "crash loop, by count", settings: []string{"HASH=bad", "COUNT=8", "MAX_DURATION=5s"}, may: fails},
	{name: "no pods", settings: []string{"HASH=none", "DURATION=1s"}, may: unknown},
	{name: "image cannot be pulled", settings: []string{"HASH=unpulled", "DURATION=1s"}, may: unknown},
	{name: "vanishes", settings: []string{"HASH=good", "DURATION=1s"}, may: passes, vanishes: true},
	{name: "vanishes, by count", settings: []string{"HASH=good", "COUNT=8", "MAX_DURATION=5s"}, may: passes, vanishes: true},
	{name: "workload", settings: []string{"WORKLOAD=deployment/good", "DURATION=1s"}, may: passes},
	{name: "workload, crash loop", settings: []string{"WORKLOAD=deployment/bad", "COUNT=8", "MAX_DURATION=5s"}, may: fails},
	{name: "workload, vanishes", settings: []string{"WORKLOAD=deployment/good", "DURATION=1s"}, may: passes, vanishes: true},
	{name: "workload, superseded", settings: []string{"WORKLOAD=deployment/good", "DURATION=1s"}, may: passes, superseded: true},
	{name: "workload, superseded, by count", settings: []string{"WORKLOAD=deployment/good", "COUNT=8", "MAX_DURATION=5s", "MIN_PODS=0"}, may: passes, superseded: true},
	{name: "final check doomed", settings: []string{"HASH=good", "DURATION=300ms", "INTERVAL=1h"}, may: unknown, doomedFrom: 2},
	{name: "last check doomed", settings: []string{"HASH=good", "COUNT=4"}, may: unknown, doomedFrom: 4},
	{name: "signalled", settings: []string{"HASH=good", "DURATION=1h", "API_GRACE=1h"}, may: []runner.Verdict{runner.Interrupted}, signal: true},
	{name: "signalled, crash loop", settings: []string{"HASH=bad", "DURATION=1s"}, may: []runner.Verdict{runner.Interrupted, runner.Fail, runner.Inconclusive}, signal: true},
}

// soakStates are hashes of states in which no pod of a release runs: no pods at all, pods whose image cannot be pulled, and
// pods on a node that has stopped reporting.
var soakStates = []string{"none", "unpulled", "lost"}

// soakWorkloads are states of a workload in which it does not release the version that it released before.
var soakWorkloads = map[string]simcluster.Middleware{
	"superseded":  changed(replace("registry.example/app:1", "registry.example/app:2")),
	"scaled to 0": changed(replace(`"replicas":2`, `"replicas":0`)),
	"deleted": simcluster.Answer(404, asJSON, `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","reason":"NotFound",`+
		`"details":{"name":"good","group":"apps","kind":"deployments"},"code":404}`),
}

func replace(old, new string) func(http.Header, []byte) []byte {
	return func(_ http.Header, body []byte) []byte { return bytes.ReplaceAll(body, []byte(old), []byte(new)) }
}

const (
	soakWorkers = 40
	// soakFaulty is the percentage of requests with a fault.
	soakFaulty = 40
)

// soak injects faults into the requests of runs, whose user agents are their names.
type soak struct {
	seed   uint64
	server *simcluster.Server
	faults map[string]simcluster.Middleware

	mu       sync.Mutex
	runs     map[string]*soakRun // by name
	injected map[string]int      // by fault
	verdicts map[string]int      // by kind and verdict
}

type soakRun struct {
	rng      *rand.Rand // its faults do not depend on other runs
	requests int
	doomed   int       // soakKind.doomedFrom
	vanishes time.Time // zero: never
	state    string    // after that, of the pods or of the workload
	vanished bool      // the last response without a fault had that state
}

func newSoak(seed uint64) *soak {
	s := &soak{
		seed: seed, server: simcluster.Start(),
		runs: map[string]*soakRun{}, injected: map[string]int{}, verdicts: map[string]int{},
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
		"incomplete":  simcluster.Answer(200, asJSON, podList(`"resourceVersion":"1","continue":"next"`, crashed)),
		"truncated":   simcluster.Truncate(300), "half": changed(firstHalf), "half, compressed": changed(zipped(func(body []byte) []byte { return body[:len(body)/2] })),
		"aborted": abort,
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
	for _, release := range []simcluster.Release{
		{Hash: "good", Age: time.Minute},
		{Hash: "bad", Age: 5 * time.Minute, App: simcluster.CrashLoop(time.Second, 1)},
		{Hash: "unpulled", Age: time.Minute, App: simcluster.CannotPull()},
		{Hash: "lost", Age: time.Minute, NodeLostAfter: 30 * time.Second},
	} {
		release.Namespace, release.Name, release.Replicas, release.Workload.Kind = namespace, release.Hash, 2, "Deployment"
		s.server.Deploy(release)
	}
	s.server.Handle(s.inject)
	return s
}

func (s *soak) inject(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fault, state := s.draw(r.UserAgent(), r.URL.Path)
		if change := soakWorkloads[state]; change != nil {
			next = change(next)
		} else if state != "" {
			r.URL.RawQuery = "labelSelector=pod-template-hash%3D" + state
		}
		if fault != "" {
			s.faults[fault](next).ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// draw returns the fault of a run's next request, or "", and the state of the requested object, if it has changed.
func (s *soak) draw(name, path string) (fault, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	run := s.runs[name]
	if run == nil {
		return "", ""
	}
	run.requests++
	changes := strings.HasSuffix(path, "/pods")
	if soakWorkloads[run.state] != nil {
		changes = strings.Contains(path, "/deployments/")
	}
	if changes && !run.vanishes.IsZero() && time.Now().After(run.vanishes) {
		state = run.state
	}
	doomed := run.doomed > 0 && run.requests >= run.doomed
	if !doomed && run.rng.IntN(100) >= soakFaulty {
		if changes {
			run.vanished = state != ""
		}
		return "", state
	}
	names := slices.Sorted(maps.Keys(s.faults))
	fault = names[run.rng.IntN(len(names))]
	s.injected[fault]++
	return fault, state
}

// one makes one run, and checks its verdict and its time.
func (s *soak) one(t *testing.T, id uint64, kubeconfig string) {
	kind := soakKinds[id%uint64(len(soakKinds))]
	rng := rand.New(rand.NewPCG(s.seed, id))
	name := fmt.Sprintf("run %d of seed %d (%s)", id, s.seed, kind.name)
	run := &soakRun{rng: rand.New(rand.NewPCG(s.seed, ^id)), doomed: kind.doomedFrom}
	states := soakStates
	if kind.superseded {
		states = slices.Sorted(maps.Keys(soakWorkloads))
	}
	if kind.vanishes || kind.superseded {
		run.vanishes, run.state = time.Now().Add(time.Duration(rng.IntN(1500))*time.Millisecond), states[rng.IntN(len(states))]
	}
	s.mu.Lock()
	s.runs[name] = run
	s.mu.Unlock()

	cfg, err := config.Parse(append([]string{"HASH_LABEL=pod-template-hash", "INTERVAL=100ms", "CRASH_LIMIT=3", "API_GRACE=1s"}, kind.settings...))
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	cluster, err := kube.FindCluster(t.Context(), []string{"KUBECONFIG=" + kubeconfig})
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	pods, err := kube.NewClient(t.Context(), cluster, cluster.Namespace(), name)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	options := checker.Options{Selectors: cfg.Selectors, CrashLimit: cfg.CrashLimit}
	if w := cfg.Workload; w.Kind != "" {
		options.Workload = workload{pods.Workload(w.Kind, w.Name, nil)}
	}
	check, err := checker.New(pods, options)
	if err != nil {
		t.Errorf("%s: %v", name, err)
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
		t.Errorf("%s: the verdict is %s (%s), want one of %v", name, outcome.Verdict, report.Reason(outcome), kind.may)
	}
	if latest := plan.Latest(); outcome.Elapsed > latest+slack && !kind.signal {
		t.Errorf("%s: it took %v, the limit is %v", name, outcome.Elapsed, latest)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.runs, name)
	if outcome.Verdict == runner.Pass && run.vanished {
		t.Errorf("%s: a pass, but at the final check the release or its workload was %s", name, run.state)
	}
	s.verdicts[fmt.Sprintf("%s: %s", kind.name, outcome.Verdict)]++
}

// workload adapts a kube.Workload to the interface checker.Workload.
type workload struct{ *kube.Workload }

func (w workload) Resolve(ctx context.Context) (checker.Version, error) {
	version, err := w.Workload.Resolve(ctx)
	return checker.Version(version), err
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
		t.Fatalf("seed %d: runs hung", seed)
	}
	requests := len(s.server.Requests())
	s.server.Close() // and the idle connections of all runs
	settle(t, "goroutines", goroutines, func() int { return runtime.NumGoroutine() })
	settle(t, "descriptors", descriptors, func() int { return openDescriptors(t) })

	faults := 0
	for _, n := range s.injected {
		faults += n
	}
	fmt.Printf("soak: seed %d, %d runs in %.1f s, %d requests, %d faults\n%s%s", seed, ids.next, time.Since(began).Seconds(), requests, faults,
		counts("fault ", s.injected), counts("verdict ", s.verdicts))
	if faults == 0 || ids.next < uint64(len(soakKinds)) {
		t.Errorf("seed %d: only %d runs with %d faults", seed, ids.next, faults)
	}
}

// settle waits until a count is back at its earlier value: connections take a moment to close.
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
