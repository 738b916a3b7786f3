package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/crashcheck/crashcheck/test/e2e/gate"
)

// These tests need only the API server. They write the statuses of the pods themselves.

func TestLabelsOfRolloutsAndDeployments(t *testing.T) {
	t.Parallel()
	const hash = "5d4f8c7b9"
	rollouts := map[string]string{rolloutsLabel: hash}
	deployment := map[string]string{deploymentLabel: hash}

	namespace := newNamespace(t, nil)
	t.Run("a hash that matches nothing is inconclusive, and both labels are named", func(t *testing.T) {
		result := runGate(t, environment(namespace, map[string]string{"HASH": hash}), gate.Inconclusive)
		wantSelector(t, result, rolloutsLabel+"="+hash+" or "+deploymentLabel+"="+hash)
		wantCounts(t, result, 0, 0)
	})

	setRestarts(t, paperPod(t, namespace, "of-deployment", deployment), 7)
	t.Run("pods of a Deployment are found by the second label", func(t *testing.T) {
		result := runGate(t, environment(namespace, map[string]string{"HASH": hash}), gate.Pass)
		wantSelector(t, result, deploymentLabel+"="+hash)
		wantCounts(t, result, 7, 1)
	})

	setRestarts(t, paperPod(t, namespace, "of-rollout", rollouts), 2)
	t.Run("pods of a Rollout come first, and alone", func(t *testing.T) {
		result := runGate(t, environment(namespace, map[string]string{"HASH": hash}), gate.Pass)
		wantSelector(t, result, rolloutsLabel+"="+hash)
		wantCounts(t, result, 2, 1)
	})
	t.Run("HASH and SELECTOR must both match", func(t *testing.T) {
		selector := deploymentLabel + " in (" + hash + ")"
		result := runGate(t, environment(namespace, map[string]string{"SELECTOR": selector}), gate.Pass)
		wantCounts(t, result, 7, 1)
		result = runGate(t, environment(namespace, map[string]string{"HASH": hash, "SELECTOR": selector}), gate.Pass)
		wantCounts(t, result, 7, 1)
		result = runGate(t, environment(namespace, map[string]string{"HASH": hash, "SELECTOR": "app=other"}), gate.Inconclusive)
		wantCounts(t, result, 0, 0)
	})
}

// It keeps the API server busy, so it does not run together with other tests.
func TestListOf5000Pods(t *testing.T) {
	namespace := newNamespace(t, nil)
	const hash, count = "7b8c9d", 5000
	labels := map[string]string{rolloutsLabel: hash}
	crashedPods(t, namespace, count, labels, 1)

	// Pods without crashes come and go all the time.
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan int)
	go func() { stopped <- churn(ctx, namespace, labels) }()
	run := startGate(t, environment(namespace, map[string]string{"HASH": hash, "COUNT": "10", "INTERVAL": "100ms"}))
	peak := peakMemory(run)
	result := finish(t, run, gate.Pass)
	stop()
	churned := <-stopped
	if report := result.Report; report.Crashes != count || report.Pods < count {
		t.Errorf("want %d crashes of at least as many pods, got %d of %d\n%s", count, report.Crashes, report.Pods, result)
	}
	if churned < 10 {
		t.Errorf("only %d pods came and went: this showed nothing", churned)
	}
	used := <-peak
	if limit := shippedMemoryLimit(t); used == 0 || used >= limit {
		t.Errorf("the most memory it used is %.1f MiB, want less than its limit of %.1f MiB", mebibytes(used), mebibytes(limit))
	}
	t.Logf("%d pods came and went in ten checks of %.1f s each; the most memory the gate used is %.1f MiB",
		churned, result.Report.ElapsedSeconds/10, mebibytes(used))
}

// peakMemory looks at the memory of a process until it has ended, and then
// sends the most it has ever used, in bytes.
func peakMemory(run *gate.Run) <-chan int64 {
	result := make(chan int64, 1)
	go func() {
		most := int64(0)
		for {
			used, err := run.PeakMemory()
			if err != nil {
				result <- most
				return
			}
			most = max(most, used)
			time.Sleep(20 * time.Millisecond)
		}
	}()
	return result
}

// shippedMemoryLimit is the gate's limit in the Job of deploy/base, in bytes.
func shippedMemoryLimit(t *testing.T) int64 {
	t.Helper()
	var job batchv1.Job
	if err := yaml.Unmarshal(readFile(t, filepath.Join(deployFolder(t), "base", "job.yaml")), &job); err != nil {
		t.Fatal("read the shipped Job:", err)
	}
	limit := job.Spec.Template.Spec.Containers[0].Resources.Limits.Memory().Value()
	if limit == 0 {
		t.Fatal("the shipped Job has no memory limit")
	}
	return limit
}

func mebibytes(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// churn creates and deletes pods, before and after the others in the order of
// names, until ctx ends. It returns how many.
func churn(ctx context.Context, namespace string, labels map[string]string) int {
	grace := int64(0)
	for i := 0; ; i++ {
		name := fmt.Sprintf("%s-churn-%d", []string{"a", "pod-01000", "z"}[i%3], i)
		if _, err := createPaperPod(ctx, namespace, name, labels); err != nil {
			return i
		}
		err := the.client.CoreV1().Pods(namespace).Delete(ctx, name, metav1.DeleteOptions{GracePeriodSeconds: &grace})
		if err != nil {
			return i
		}
	}
}

func TestNamespaceOfTheKubeconfig(t *testing.T) {
	t.Parallel()
	const hash = "9d8e7f"
	labels := map[string]string{rolloutsLabel: hash}
	here, other := newNamespace(t, nil), newNamespace(t, nil)
	setRestarts(t, paperPod(t, here, "web-0", labels), 1)
	setRestarts(t, paperPod(t, other, "web-0", labels), 20)
	token := readerToken(t, here)
	permitted(t, here, "reader")
	result := runGate(t, environment(unset, map[string]string{
		"HASH": hash, "KUBECONFIG": kubeconfigWithToken(t, here, token),
	}), gate.Pass)
	wantCounts(t, result, 1, 1)
	if result.Report.Namespace != here {
		t.Errorf("the report names namespace %q, want %q", result.Report.Namespace, here)
	}
}
