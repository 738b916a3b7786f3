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
	"sync/atomic"
	"testing"
	"time"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/pkg/config"
	"github.com/crashcheck/crashcheck/pkg/kube"
	"github.com/crashcheck/crashcheck/pkg/report"
	"github.com/crashcheck/crashcheck/pkg/runner"
	"github.com/crashcheck/crashcheck/test/simcluster"
)

const (
	soakWorkers = 40
	// soakFaulty is the percentage of requests with a fault.
	soakFaulty = 40
)

// A soakKind is a kind of run, and its possible verdicts whatever the faults are.
type soakKind struct {
	settings string
	may      []runner.Verdict
	doomed   int      // the first request from which on every response is a fault: the final check cannot succeed; 0: none
	states   []string // at a random time, the pods or the workload get one of these states; then there is no pass
}

// HASH_LABEL leaves one selector, so that a check is one request.
const (
	soakCommon = "HASH_LABEL=pod-template-hash INTERVAL=100ms CRASH_LIMIT=3 API_GRACE=1s "
	soakTime   = " DURATION=1s"
	soakCount  = " COUNT=8 MAX_DURATION=5s"
)

var (
	passes  = []runner.Verdict{runner.Pass, runner.Inconclusive}
	fails   = []runner.Verdict{runner.Fail, runner.Inconclusive}
	unknown = []runner.Verdict{runner.Inconclusive}

	soakKinds = []soakKind{
		{settings: "HASH=good" + soakTime, may: passes},
		{settings: "HASH=good" + soakCount, may: passes},
		{settings: "HASH=bad" + soakTime, may: fails},
		{settings: "HASH=bad" + soakCount, may: fails},
		{settings: "HASH=none" + soakTime, may: unknown},
		{settings: "HASH=unpulled" + soakTime, may: unknown},
		{settings: "HASH=good" + soakTime, may: passes, states: []string{"none", "unpulled", "lost"}},
		{settings: "HASH=good" + soakCount, may: passes, states: []string{"none", "unpulled", "lost"}},
		{settings: "WORKLOAD=deployment/good" + soakTime, may: passes},
		{settings: "WORKLOAD=deployment/bad" + soakCount, may: fails},
		{settings: "WORKLOAD=deployment/good" + soakTime, may: passes, states: []string{"none", "unpulled", "lost"}},
		{settings: "WORKLOAD=deployment/good" + soakTime, may: passes, states: slices.Sorted(maps.Keys(soakWorkloads))},
		{settings: "WORKLOAD=deployment/good MIN_PODS=0" + soakCount, may: passes, states: slices.Sorted(maps.Keys(soakWorkloads))},
		{settings: "HASH=good DURATION=300ms INTERVAL=1h", may: unknown, doomed: 2},
		{settings: "HASH=good COUNT=4", may: unknown, doomed: 4},
	}

	// soakWorkloads are states of a workload in which it does not release the version that it released before.
	soakWorkloads = map[string]simcluster.Fault{
		"superseded":  replaced("registry.example/app:1", "registry.example/app:2"),
		"scaled to 0": replaced(`"replicas":2`, `"replicas":0`),
		"deleted": simcluster.Answer(404, asJSON, `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","reason":"NotFound",`+
			`"details":{"name":"good","group":"apps","kind":"deployments"},"code":404}`),
	}

	soakFaults = []simcluster.Fault{
		simcluster.Fail(401, 0), simcluster.Fail(403, 0), simcluster.Fail(404, 0), simcluster.Fail(410, 0), simcluster.Fail(429, time.Second),
		simcluster.Fail(500, 0), simcluster.Fail(503, 0),
		simcluster.Answer(200, asJSON, "{}"), simcluster.Answer(200, asJSON, "null"), simcluster.Answer(200, asJSON, ""), simcluster.Answer(204, asJSON, ""),
		simcluster.Answer(200, "text/html", "<html></html>"),
		simcluster.Answer(200, asJSON, podList(``, ``)), // without a resourceVersion
		simcluster.Answer(200, asJSON, `{"kind":"ServiceList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[]}`),
		simcluster.Answer(200, asJSON, podList(`"resourceVersion":"1","continue":"next"`, crashed)),
		simcluster.Truncate(300), half, closed, slowly(200*time.Millisecond, closed),
	}
)

func replaced(old, new string) simcluster.Fault {
	return changed(func(body []byte) []byte { return bytes.ReplaceAll(body, []byte(old), []byte(new)) })
}

// soak injects faults into the requests of runs, whose user agents are their names.
type soak struct {
	server   *simcluster.Server
	mu       sync.Mutex
	runs     map[string]*soakRun
	verdicts map[runner.Verdict]int
	faults   int
}

type soakRun struct {
	requests  int
	doomed    int       // soakKind.doomed
	changesAt time.Time // zero: never
	state     string    // after that, of the pods or of the workload
	changed   bool      // the last response without a fault had that state
}

func newSoak() *soak {
	s := &soak{server: simcluster.Start(), runs: map[string]*soakRun{}, verdicts: map[runner.Verdict]int{}}
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

func (s *soak) inject(w http.ResponseWriter, r *http.Request, next http.Handler) {
	fault, state := s.draw(r.UserAgent(), r.URL.Path)
	if change := soakWorkloads[state]; change != nil {
		unchanged := next
		next = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { change(w, r, unchanged) })
	} else if state != "" {
		r.URL.RawQuery = "labelSelector=pod-template-hash%3D" + state
	}
	fault(w, r, next)
}

// draw returns the fault of a run's next request, or healthy, and the state of the requested object, if it has changed.
func (s *soak) draw(name, path string) (fault simcluster.Fault, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	run := s.runs[name]
	if run == nil {
		return healthy, ""
	}
	run.requests++
	changes := strings.HasSuffix(path, "/pods")
	if soakWorkloads[run.state] != nil {
		changes = strings.Contains(path, "/deployments/")
	}
	if changes && !run.changesAt.IsZero() && time.Now().After(run.changesAt) {
		state = run.state
	}
	if doomed := run.doomed > 0 && run.requests >= run.doomed; doomed || rand.IntN(100) < soakFaulty {
		s.faults++
		return soakFaults[rand.IntN(len(soakFaults))], state
	}
	if changes {
		run.changed = state != ""
	}
	return healthy, state
}

// one makes one run, and checks its verdict and its time.
func (s *soak) one(t *testing.T, id int64, kubeconfig string) {
	kind := soakKinds[id%int64(len(soakKinds))]
	name := fmt.Sprintf("run %d (%s)", id, kind.settings)
	run := &soakRun{doomed: kind.doomed}
	if len(kind.states) > 0 {
		run.changesAt, run.state = time.Now().Add(rand.N(1500*time.Millisecond)), kind.states[rand.IntN(len(kind.states))]
	}
	s.mu.Lock()
	s.runs[name] = run
	s.mu.Unlock()

	plan, check, err := wire(t.Context(), append(strings.Fields(soakCommon+kind.settings), "KUBECONFIG="+kubeconfig), name)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	outcome := runner.Run(context.Background(), plan, check, nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.runs, name)
	s.verdicts[outcome.Verdict]++
	if latest := plan.Latest(); outcome.Elapsed > latest+slack {
		t.Errorf("%s: it took %v, the limit is %v", name, outcome.Elapsed, latest)
	}
	if !slices.Contains(kind.may, outcome.Verdict) {
		t.Errorf("%s: the verdict is %s (%s), want one of %v", name, outcome.Verdict, report.Reason(outcome), kind.may)
	}
	if outcome.Verdict == runner.Pass && run.changed {
		t.Errorf("%s: a pass; the state at the final check was %q", name, run.state)
	}
}

// wire connects the packages as the command does.
func wire(ctx context.Context, environ []string, name string) (runner.Plan, *checker.Checker, error) {
	cfg, err := config.Parse(environ)
	if err != nil {
		return runner.Plan{}, nil, err
	}
	cluster, err := kube.FindCluster(ctx, environ)
	if err != nil {
		return runner.Plan{}, nil, err
	}
	client, err := kube.NewClient(ctx, cluster, cluster.Namespace(), name)
	if err != nil {
		return runner.Plan{}, nil, err
	}
	options := checker.Options{Selectors: cfg.Selectors, CrashLimit: cfg.CrashLimit}
	if w := cfg.Workload; w.Kind != "" {
		options.Workload = workload{client.Workload(w.Kind, w.Name, nil)}
	}
	check, err := checker.New(client, options)
	return runner.Plan{
		Interval: cfg.Interval, Count: cfg.Count, MaxDuration: cfg.MaxDuration, Duration: cfg.Duration,
		CrashLimit: cfg.CrashLimit, MinPods: cfg.MinPods, APIGrace: cfg.APIGrace,
	}, check, err
}

// workload adapts a kube.Workload to the interface checker.Workload.
type workload struct{ *kube.Workload }

func (w workload) Resolve(ctx context.Context) (checker.Version, error) {
	version, err := w.Workload.Resolve(ctx)
	return checker.Version(version), err
}

func TestSoak(t *testing.T) {
	goroutines, descriptors := runtime.NumGoroutine(), openDescriptors(t)
	s := newSoak()
	defer s.server.Close()
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := s.server.WriteKubeconfig(kubeconfig, namespace); err != nil {
		t.Fatal(err)
	}
	var runs atomic.Int64
	began := time.Now()
	var workers sync.WaitGroup
	for range soakWorkers {
		workers.Go(func() {
			for time.Since(began) < *soakFor {
				s.one(t, runs.Add(1), kubeconfig)
			}
		})
	}
	ended := make(chan struct{})
	go func() { workers.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(*soakFor + 2*patience):
		t.Fatal("runs hung")
	}
	requests := len(s.server.Requests())
	s.server.Close() // and the idle connections of all runs
	wantNoLeak(t, "goroutines", goroutines, runtime.NumGoroutine)
	wantNoLeak(t, "descriptors", descriptors, func() int { return openDescriptors(t) })
	t.Logf("%d runs, %d requests, %d faults; verdicts %v", runs.Load(), requests, s.faults, s.verdicts)
	if s.faults == 0 || runs.Load() < int64(len(soakKinds)) {
		t.Errorf("only %d runs with %d faults", runs.Load(), s.faults)
	}
}

// wantNoLeak waits until a count is back at its earlier value, because connections take a moment to close.
func wantNoLeak(t *testing.T, what string, before int, count func() int) {
	t.Helper()
	for deadline := time.Now().Add(patience); count() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<16)
			t.Errorf("%d %s before, %d after\n%s", before, what, count(), stacks[:runtime.Stack(stacks, true)])
			return
		}
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
