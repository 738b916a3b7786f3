package e2e

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/crashcheck/crashcheck/test/e2e/cluster"
	"github.com/crashcheck/crashcheck/test/e2e/gate"
)

// These tests break the control plane while the gate runs, so they do not run together with other tests.

func TestAPIServerRestarts(t *testing.T) {
	own := ownCluster(t)
	namespace, environ := watchedPods(t)
	environ["DURATION"], environ["API_GRACE"], environ["CRASH_LIMIT"] = "600", "300", "2"
	run := startGate(t, environ)
	logged(t, run, "web-0")
	if err := own.APIServer.Kill(); err != nil {
		t.Fatal(err)
	}
	// A new server listens long before it responds: a quick restart would only make a check slow.
	logged(t, run, "failed")
	restart(t, own.APIServer.Restart)
	setRestarts(t, latest(t, namespace, "web-0"), 2)
	result := finish(t, run, gate.Fail)
	wantCounts(t, result, 2, 1)
	if result.Report.FailedChecks == 0 {
		t.Errorf("no check has failed: this showed nothing\n%s", result)
	}
	t.Logf("%d failed checks, longest gap %.1f s", result.Report.FailedChecks, result.Report.LongestGapSeconds)
}

func TestAPIServerStaysUnavailable(t *testing.T) {
	own := ownCluster(t)
	_, environ := watchedPods(t)
	environ["DURATION"], environ["API_GRACE"] = "600", "5"
	run := startGate(t, environ)
	logged(t, run, "web-0")
	if err := own.APIServer.Kill(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { restart(t, own.APIServer.Restart) })
	killed := time.Now()
	finish(t, run, gate.Inconclusive)
	wantGivenUp(t, killed, 5*time.Second)
}

// One gate is still running when the server continues, the other one has given up.
func TestAPIServerHangs(t *testing.T) {
	own := ownCluster(t)
	_, environ := watchedPods(t)
	environ["DURATION"], environ["API_GRACE"] = "5", "300"
	patient := startGate(t, environ)
	environ["DURATION"], environ["API_GRACE"] = "600", "5"
	hasty := startGate(t, environ)
	logged(t, patient, "web-0")
	logged(t, hasty, "web-0")
	if err := own.APIServer.Stop(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			restart(t, own.APIServer.Restart)
		}
	})
	stopped := time.Now()
	finish(t, hasty, gate.Inconclusive)
	wantGivenUp(t, stopped, 5*time.Second)

	logged(t, patient, "failed")
	if err := own.APIServer.Cont(); err != nil {
		t.Fatal(err)
	}
	result := finish(t, patient, gate.Pass)
	// The deadline of a request is ten seconds.
	if gap := result.Report.LongestGapSeconds; gap < 10 {
		t.Errorf("the longest gap is %.1f s, want at least 10", gap)
	}
}

func TestStoreRestarts(t *testing.T) {
	own := ownCluster(t)
	_, environ := watchedPods(t)
	environ["DURATION"] = "15"
	run := startGate(t, environ)
	logged(t, run, "web-0")
	if err := own.Etcd.Kill(); err != nil {
		t.Fatal(err)
	}
	logged(t, run, "failed")
	restart(t, own.Etcd.Restart)
	result := finish(t, run, gate.Pass)
	wantCounts(t, result, 1, 1)
}

// A server that shuts down in order closes its listener and its connections, but runs for up to a minute for watches.
func TestAPIServerShutsDown(t *testing.T) {
	own := ownCluster(t)
	namespace, environ := watchedPods(t)
	environ["DURATION"], environ["API_GRACE"], environ["CRASH_LIMIT"] = "600", "300", "2"
	run := startGate(t, environ)
	logged(t, run, "web-0")
	if err := own.APIServer.AskToEnd(); err != nil {
		t.Fatal(err)
	}
	logged(t, run, "failed")
	t.Logf("the server is unavailable; it still runs: %t", own.APIServer.Running())
	restart(t, own.APIServer.Restart)
	setRestarts(t, latest(t, namespace, "web-0"), 2)
	result := finish(t, run, gate.Fail)
	wantCounts(t, result, 2, 1)
	if result.Report.FailedChecks == 0 {
		t.Errorf("no check has failed: this showed nothing\n%s", result)
	}
	t.Logf("%d failed checks, longest gap %.1f s", result.Report.FailedChecks, result.Report.LongestGapSeconds)
}

// An API server whose store hangs still listens, and could respond from its cache. One gate is still running when the store
// continues, the other one has given up.
func TestStoreHangs(t *testing.T) {
	own := ownCluster(t)
	_, environ := watchedPods(t)
	environ["DURATION"], environ["API_GRACE"] = "5", "300"
	patient := startGate(t, environ)
	environ["DURATION"], environ["API_GRACE"] = "600", "2"
	hasty := startGate(t, environ)
	logged(t, patient, "web-0")
	logged(t, hasty, "web-0")
	if err := own.Etcd.Stop(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { settle(t, own) })
	stopped := time.Now()
	result := finish(t, hasty, gate.Inconclusive)
	wantGivenUp(t, stopped, 2*time.Second)
	wantCounts(t, result, 1, 1)

	logged(t, patient, "failed")
	if err := own.Etcd.Cont(); err != nil {
		t.Fatal(err)
	}
	result = finish(t, patient, gate.Pass)
	wantCounts(t, result, 1, 1)
	if result.Report.FailedChecks == 0 {
		t.Errorf("no check has failed: this showed nothing\n%s", result)
	}
	t.Logf("%d failed checks, longest gap %.1f s", result.Report.FailedChecks, result.Report.LongestGapSeconds)
}

// wantGivenUp checks that a run ended when its grace had passed since the fault, and within the ten seconds of a last
// attempt. Ten more are for slow machines.
func wantGivenUp(t *testing.T, since time.Time, grace time.Duration) {
	t.Helper()
	if took := time.Since(since); took < grace-time.Second || took > grace+20*time.Second {
		t.Errorf("it gave up after %s, want API_GRACE (%s) and at most about 10 s more", took, grace)
	}
}

// settle resumes the store and waits until the API server can write to it.
func settle(t *testing.T, own *cluster.Cluster) {
	t.Helper()
	if err := own.Etcd.Cont(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	namespaces := the.client.CoreV1().Namespaces()
	err := wait.PollUntilContextCancel(ctx, 250*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		_, err := namespaces.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "never-"}},
			metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		_, listErr := namespaces.List(ctx, metav1.ListOptions{Limit: 1})
		return err == nil && listErr == nil, nil
	})
	if err != nil {
		t.Fatal("wait until the store responds again:", err)
	}
}

// watchedPods makes a pod that has crashed once, and the environment of a gate that watches it.
func watchedPods(t *testing.T) (namespace string, environ map[string]string) {
	t.Helper()
	const hash = "fa017"
	namespace = newNamespace(t, nil)
	setRestarts(t, paperPod(t, namespace, "web-0", map[string]string{rolloutsLabel: hash}), 1)
	return namespace, environment(namespace, map[string]string{"HASH": hash, "COUNT": unset, "CRASH_LIMIT": "10"})
}

// restart restarts a component for the tests that follow, also when the context of the test has ended.
func restart(t *testing.T, component func(context.Context) error) {
	t.Helper()
	if err := component(context.Background()); err != nil {
		t.Fatal(err)
	}
}
