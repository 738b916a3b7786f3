package e2e

import (
	"context"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crashcheck/crashcheck/test/e2e/cluster"
	"github.com/crashcheck/crashcheck/test/e2e/gate"
)

// TestControlPlaneFaults breaks the control plane while two gates run, so it does not run together with other tests. One gate
// gives up. The other one is patient, and counts the crash that happens after the fault.
func TestControlPlaneFaults(t *testing.T) {
	for name, fault := range map[string]struct {
		component *cluster.Process
		signal    syscall.Signal
	}{
		"the API server is killed": {the.APIServer, syscall.SIGKILL},
		// It closes its listener and its connections, but runs for up to a minute for watches.
		"the API server shuts down": {the.APIServer, syscall.SIGTERM},
		"the API server hangs":      {the.APIServer, syscall.SIGSTOP},
		"the store is killed":       {the.Etcd, syscall.SIGKILL},
		// The API server still listens, and could respond from its cache.
		"the store hangs": {the.Etcd, syscall.SIGSTOP},
	} {
		t.Run(name, func(t *testing.T) {
			namespace := newNamespace(t)
			paperPod(t, namespace, "web-0", 1)
			settings := environment(namespace, map[string]string{"DURATION": "600", "CRASH_LIMIT": "2", "API_GRACE": "300"})
			patient := startGate(t, settings)
			settings["API_GRACE"] = "5"
			hasty := startGate(t, settings)
			logged(t, patient, "web-0")
			logged(t, hasty, "web-0")

			if err := fault.component.Signal(fault.signal); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if t.Failed() {
					restore(t, fault.component, fault.signal)
				}
			})
			begun := time.Now()
			wantCounts(t, finish(t, hasty, gate.Inconclusive), 1, 1)
			// A last attempt takes up to ten seconds. A minute more is for slow machines.
			if took := time.Since(begun); took < 4*time.Second || took > 75*time.Second {
				t.Errorf("it gave up after %s, want API_GRACE (5 s) and at most about 10 s more", took)
			}
			logged(t, patient, "failed")

			restore(t, fault.component, fault.signal)
			setRestarts(t, namespace, "web-0", 2)
			result := finish(t, patient, gate.Fail)
			wantCounts(t, result, 2, 1)
			t.Logf("%d failed checks, longest gap %.1f s", result.Report.FailedChecks, result.Report.LongestGapSeconds)
		})
	}
}

// restore ends a fault, for the tests that follow too, and waits until the API server can write to the store.
func restore(t *testing.T, component *cluster.Process, fault syscall.Signal) {
	t.Helper()
	err := component.Signal(syscall.SIGCONT)
	if fault != syscall.SIGSTOP {
		err = component.Restart(context.Background())
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		_, err := the.Client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "never-"}},
			metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatal("wait until the store responds again:", err)
		}
	}
}
