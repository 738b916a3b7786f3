package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/crashcheck/crashcheck/test/e2e/gate"
)

// These tests run deploy/components/retry-inconclusive with each verdict.

const retries = "retry-inconclusive"

// someHash is the hash of the pods.
const someHash = "c0ffee"

var shippedJobs = batchv1.JobNameLabel + "=" + shippedJob

func TestRetries(t *testing.T) {
	needsLocalImages(t)
	t.Parallel()
	for name, test := range map[string]struct {
		environment map[string]string
		exitCode    int32
		tries       int
		// reason is the reason of the Job's condition Failed.
		reason string
	}{
		"a run without a verdict is retried twice, then the Job has failed": {
			map[string]string{"HASH": "mistyped"}, gate.Inconclusive, 3, batchv1.JobReasonBackoffLimitExceeded,
		},
		"a fail is never retried": {
			map[string]string{"CRASH_LIMIT": "2"}, gate.Fail, 1, batchv1.JobReasonPodFailurePolicy,
		},
		"an invalid configuration is never retried": {
			map[string]string{"HASH": "{{args.hash}}"}, gate.Invalid, 1, batchv1.JobReasonPodFailurePolicy,
		},
		"not_ready is never retried": {
			map[string]string{"REQUIRE_READY": "true"}, gate.NotReady, 1, batchv1.JobReasonPodFailurePolicy,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			namespace := retryNamespace(t)
			startJob(t, namespace, windowOf("2", test.environment), retries)
			failed := jobCondition(t, namespace)
			if failed.Type != batchv1.JobFailed || failed.Reason != test.reason {
				t.Errorf("the Job is %s: %s (%s), want Failed: %s", failed.Type, failed.Reason, failed.Message, test.reason)
			}
			if name := fmt.Sprintf("exit code %d", test.exitCode); test.tries == 1 && !strings.Contains(failed.Message, name) {
				t.Errorf("the Job says %q, which does not name %s", failed.Message, name)
			}
			wantTries(t, namespace, shippedJobs, test.tries, test.exitCode)
		})
	}
}

func TestEvictedRun(t *testing.T) {
	needsLocalImages(t)
	t.Parallel()
	t.Run("is retried, and does not count as a failure", func(t *testing.T) {
		t.Parallel()
		namespace := retryNamespace(t)
		startJob(t, namespace, windowOf("15", nil), retries)
		first := evictGate(t, namespace)

		completed := jobCondition(t, namespace)
		if completed.Type != batchv1.JobComplete {
			t.Errorf("the Job is %s: %s (%s), want Complete", completed.Type, completed.Reason, completed.Message)
		}
		var second corev1.Pod
		for _, pod := range gatePods(t, namespace, shippedJobs) {
			if pod.UID != first.UID {
				second = pod
			}
		}
		if code := exitCodeOf(second); second.UID == "" || code != gate.Pass {
			t.Errorf("the second pod is %q with exit code %d, want one that passes", second.Name, code)
		}
		job, err := the.client.BatchV1().Jobs(namespace).Get(t.Context(), shippedJob, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if job.Status.Succeeded != 1 {
			t.Errorf("the Job's status is %+v", job.Status)
		}
	})
	t.Run("fails the Job of the base, which is never retried", func(t *testing.T) {
		t.Parallel()
		namespace := retryNamespace(t)
		startJob(t, namespace, windowOf("15", nil))
		evictGate(t, namespace)
		failed := jobCondition(t, namespace)
		if failed.Type != batchv1.JobFailed || !strings.Contains(failed.Message, "exit code 143") {
			t.Errorf("the Job is %s: %s (%s), want Failed, with exit code 143", failed.Type, failed.Reason, failed.Message)
		}
	})
}

// The component also changes the Job of an analysis, and Argo Rollouts waits for the last try.
func TestRetriesOfAnAnalysis(t *testing.T) {
	needsRollouts(t)
	t.Parallel()
	for name, test := range map[string]struct {
		arguments map[string]string
		exitCode  int32
		tries     int
	}{
		"a run without a verdict is retried twice":  {map[string]string{"hash": "mistyped"}, gate.Inconclusive, 3},
		"a fail is never retried":                   {map[string]string{"limit": "2"}, gate.Fail, 1},
		"an invalid configuration is never retried": {map[string]string{"limit": "many"}, gate.Invalid, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			namespace := releaseNamespace(t, retries)
			setRestarts(t, paperPod(t, namespace, "web-0", map[string]string{rolloutsLabel: someHash}), 2)
			startAnalysis(t, namespace, test.arguments)
			if phase, message := analysisEnd(t, namespace); phase != "Failed" {
				t.Errorf("the AnalysisRun is %s (%s), want Failed", phase, message)
			}
			const gates = "app.kubernetes.io/name=crashcheck"
			if test.tries == 1 {
				wantTries(t, namespace, gates, 1, test.exitCode)
				return
			}
			// The controller looks up a new Job in its cache at once. If its watch of Jobs is late (a loaded machine, an API
			// server that has restarted), the Job is "not found": an Error, after which the controller creates another Job,
			// with retries of its own. Each Job has its tries, and each additional Job its Error.
			jobs := wantTriesOfEachJob(t, namespace, gates, test.tries, test.exitCode)
			notFound := 0
			for _, m := range measurements(t, namespace) {
				t.Logf("measurement: %s %s", m.phase, m.message)
				if m.phase == "Error" && strings.Contains(m.message, "not found") {
					notFound++
				}
			}
			if jobs != 1+notFound {
				t.Errorf("there were %d Jobs, but %d of them were not found", jobs, notFound)
			}
		})
	}
}

// retryNamespace creates a namespace with the permissions of the gate, so that no run waits for them, and one pod that
// has crashed twice and is not Ready.
func retryNamespace(t *testing.T) string {
	t.Helper()
	namespace := newNamespace(t, nil)
	grantBase(t, namespace)
	setRestarts(t, paperPod(t, namespace, "web-0", map[string]string{deploymentLabel: someHash}), 2)
	return namespace
}

// windowOf is the environment of a gate with a window of this many seconds.
func windowOf(seconds string, more map[string]string) map[string]string {
	environment := map[string]string{"HASH": someHash, "INTERVAL": "500ms", "DURATION": seconds, "CRASH_LIMIT": "5", "API_GRACE": "30"}
	for name, value := range more {
		environment[name] = value
	}
	return environment
}

// evictGate waits until the Job's first pod has started to check, and evicts it, as a drain does.
func evictGate(t *testing.T, namespace string) corev1.Pod {
	t.Helper()
	jobLogged(t, namespace, someHash) // the first line says what is checked
	pod := jobPod(t, namespace)
	err := the.client.PolicyV1().Evictions(namespace).Evict(t.Context(), &policyv1.Eviction{
		ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: namespace},
	})
	if err != nil {
		t.Fatal("evict the gate:", err)
	}
	eventually(t, "the evicted pod is gone", patience, func(ctx context.Context) error {
		_, err := the.client.CoreV1().Pods(namespace).Get(ctx, pod.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("it is still there (%w)", err)
	})
	return pod
}

// jobCondition waits until the shipped Job is Complete or Failed, and returns that condition.
func jobCondition(t *testing.T, namespace string) batchv1.JobCondition {
	t.Helper()
	var end batchv1.JobCondition
	eventually(t, "the Job has ended", 2*patience, func(ctx context.Context) error {
		job, err := the.client.BatchV1().Jobs(namespace).Get(ctx, shippedJob, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, condition := range job.Status.Conditions {
			if condition.Status == corev1.ConditionTrue && (condition.Type == batchv1.JobComplete || condition.Type == batchv1.JobFailed) {
				end = condition
				return nil
			}
		}
		return fmt.Errorf("the Job's status is %+v", job.Status)
	})
	return end
}

// gatePods returns the pods of the gate, one for each try.
func gatePods(t *testing.T, namespace, selector string) []corev1.Pod {
	t.Helper()
	pods, err := the.client.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		t.Fatal(err)
	}
	return pods.Items
}

// wantTries checks that there was one Job with this many tries, each with this exit code.
func wantTries(t *testing.T, namespace, selector string, tries int, exitCode int32) {
	t.Helper()
	if jobs := wantTriesOfEachJob(t, namespace, selector, tries, exitCode); jobs != 1 {
		t.Errorf("there were %d Jobs, want 1", jobs)
	}
}

// wantTriesOfEachJob checks that each Job had this many tries, each with this exit code. It returns the number of Jobs.
func wantTriesOfEachJob(t *testing.T, namespace, selector string, tries int, exitCode int32) int {
	t.Helper()
	jobs := map[string]int{}
	for _, pod := range gatePods(t, namespace, selector) {
		jobs[pod.Labels[batchv1.JobNameLabel]]++
		if got := exitCodeOf(pod); got != exitCode {
			t.Errorf("%s ended with exit code %d, want %d", pod.Name, got, exitCode)
		}
	}
	if len(jobs) == 0 {
		t.Error("there was no Job")
	}
	for job, got := range jobs {
		if got != tries {
			t.Errorf("there were %d tries of Job %s, want %d", got, job, tries)
		}
	}
	return len(jobs)
}

// exitCodeOf returns the exit code of the gate in its pod, or -1.
func exitCodeOf(pod corev1.Pod) int32 {
	for _, status := range pod.Status.ContainerStatuses {
		if ended := status.State.Terminated; ended != nil && status.Name == shippedContainer {
			return ended.ExitCode
		}
	}
	return -1
}

var (
	templateResource    = schema.GroupVersionResource{Group: "argoproj.io", Version: "v1alpha1", Resource: "analysistemplates"}
	analysisRunResource = schema.GroupVersionResource{Group: "argoproj.io", Version: "v1alpha1", Resource: "analysisruns"}
)

// startAnalysis creates an AnalysisRun from the shipped template, as a Rollout does, with these arguments and a window of
// 2 s.
func startAnalysis(t *testing.T, namespace string, arguments map[string]string) {
	t.Helper()
	client, err := dynamic.NewForConfig(the.config)
	if err != nil {
		t.Fatal(err)
	}
	template, err := client.Resource(templateResource).Namespace(namespace).Get(t.Context(), "crashcheck", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var spec struct {
		Args []struct {
			Name  string `json:"name"`
			Value string `json:"value"`
		} `json:"args"`
		Metrics []any `json:"metrics"`
	}
	data, err := json.Marshal(template.Object["spec"])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &spec); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{"hash": someHash, "interval": "500ms", "duration": "2"}
	for name, value := range arguments {
		all[name] = value
	}
	for i, arg := range spec.Args {
		if value, given := all[arg.Name]; given {
			spec.Args[i].Value = value
		}
	}
	data, err = json.Marshal(map[string]any{
		"apiVersion": "argoproj.io/v1alpha1",
		"kind":       "AnalysisRun",
		"metadata":   map[string]string{"name": "crashcheck"},
		"spec":       spec,
	})
	if err != nil {
		t.Fatal(err)
	}
	apply(t, namespace, data)
}

// analysisEnd waits until the AnalysisRun has finished.
func analysisEnd(t *testing.T, namespace string) (phase, message string) {
	t.Helper()
	client, err := dynamic.NewForConfig(the.config)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the AnalysisRun has ended", 2*patience, func(ctx context.Context) error {
		run, err := client.Resource(analysisRunResource).Namespace(namespace).Get(ctx, "crashcheck", metav1.GetOptions{})
		if err != nil {
			return err
		}
		phase, _, _ = unstructured.NestedString(run.Object, "status", "phase")
		message, _, _ = unstructured.NestedString(run.Object, "status", "message")
		if phase == "" || phase == "Pending" || phase == "Running" {
			return fmt.Errorf("its phase is %q", phase)
		}
		return nil
	})
	return phase, strings.TrimSpace(message)
}
