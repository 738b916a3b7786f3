package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crashcheck/crashcheck/test/e2e/gate"
)

// These tests run deploy/components/retry-inconclusive with each verdict, on a pod that has crashed twice and is not Ready.

const retries = "retry-inconclusive"

func TestRetries(t *testing.T) {
	needsNode(t)
	t.Parallel()
	for name, test := range map[string]struct {
		settings map[string]string
		exitCode int
		tries    int
		// The reason and a part of the message of the Job's condition Failed.
		reason, message string
	}{
		"a run without a verdict is retried twice, then the Job has failed": {
			map[string]string{"HASH": "mistyped"}, gate.Inconclusive, 3, batchv1.JobReasonBackoffLimitExceeded, "",
		},
		"a fail is never retried": {
			map[string]string{"CRASH_LIMIT": "2"}, gate.Fail, 1, batchv1.JobReasonPodFailurePolicy, "exit code 1",
		},
		"an invalid configuration is never retried": {
			map[string]string{"HASH": "{{args.hash}}"}, gate.Invalid, 1, batchv1.JobReasonPodFailurePolicy, "exit code 2",
		},
		"not_ready is never retried": {
			map[string]string{"REQUIRE_READY": "true"}, gate.NotReady, 1, batchv1.JobReasonPodFailurePolicy, "exit code 4",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			namespace := newNamespace(t)
			paperPod(t, namespace, "web-0", 2)
			settings := map[string]string{"HASH": someHash, "DURATION": "2"}
			for name, value := range test.settings {
				settings[name] = value
			}
			startJob(t, namespace, settings, retries)
			failed := endOfJob(t, namespace, 2*patience)
			if failed.Type != batchv1.JobFailed || failed.Reason != test.reason || !strings.Contains(failed.Message, test.message) {
				t.Errorf("the Job is %+v, want Failed: %s, %s", failed, test.reason, test.message)
			}
			wantTries(t, namespace, 1, test.tries, test.exitCode)
		})
	}
}

// A drain evicts the gate while it runs.
func TestEvictedRun(t *testing.T) {
	needsNode(t)
	t.Parallel()
	for name, test := range map[string]struct {
		components []string
		end        batchv1.JobConditionType
		message    string
	}{
		"is retried, and does not count as a failure":       {[]string{retries}, batchv1.JobComplete, ""},
		"fails the Job of the base, which is never retried": {nil, batchv1.JobFailed, "exit code 143"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			namespace := newNamespace(t)
			paperPod(t, namespace, "web-0", 2)
			startJob(t, namespace, map[string]string{"HASH": someHash, "DURATION": "15"}, test.components...)
			evict(t, namespace, jobLogged(t, namespace, someHash).Name) // the first line says what is checked
			ended := endOfJob(t, namespace, 2*patience)
			if ended.Type != test.end || !strings.Contains(ended.Message, test.message) {
				t.Errorf("the Job is %+v, want %s: %s", ended, test.end, test.message)
			}
			if ended.Type == batchv1.JobComplete {
				wantTries(t, namespace, 1, 1, gate.Pass) // the pod of the first one is gone
			}
		})
	}
}

// evict evicts a pod with the Eviction API, and waits until it is gone.
func evict(t *testing.T, namespace, name string) {
	t.Helper()
	err := the.Client.PolicyV1().Evictions(namespace).Evict(t.Context(), &policyv1.Eviction{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
	})
	if err != nil {
		t.Fatal("evict the pod:", err)
	}
	eventually(t, "the evicted pod is gone", patience, func(ctx context.Context) error {
		_, err := the.Client.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("it is still there (%w)", err)
	})
}

// The component also changes the Job of an analysis, and Argo Rollouts waits for the last try.
func TestRetriesOfAnAnalysis(t *testing.T) {
	needsNode(t)
	t.Parallel()
	for name, test := range map[string]struct {
		arguments map[string]string
		exitCode  int
		tries     int
	}{
		"a run without a verdict is retried twice":  {map[string]string{"hash": "mistyped"}, gate.Inconclusive, 3},
		"a fail is never retried":                   {map[string]string{"limit": "2"}, gate.Fail, 1},
		"an invalid configuration is never retried": {map[string]string{"limit": "many"}, gate.Invalid, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			namespace := rolloutsNamespace(t, retries)
			paperPod(t, namespace, "web-0", 2)
			startAnalysis(t, namespace, test.arguments)
			wantAnalysis(t, namespace, "Failed", "")
			// The controller looks up a new Job in its cache at once. If its watch of Jobs is late (a loaded machine, an API
			// server that has restarted), the Job is "not found": an Error, after which the controller creates another Job,
			// with retries of its own. Each Job has its tries, and each additional Job its Error.
			jobs := 1
			for _, m := range measurements(t, namespace) {
				t.Logf("measurement: %s %s", m.Phase, m.Message)
				if m.Phase == "Error" && strings.Contains(m.Message, "not found") {
					jobs++
				}
			}
			wantTries(t, namespace, jobs, test.tries, test.exitCode)
		})
	}
}

// wantTries checks that there were so many Jobs, each with this many tries, each with this exit code.
func wantTries(t *testing.T, namespace string, jobs, tries, exitCode int) {
	t.Helper()
	triesOf := map[string]int{}
	for _, pod := range podsIn(t, namespace, ofAnyGate) {
		triesOf[pod.Labels[batchv1.JobNameLabel]]++
		if got := resultOf(t, pod).ExitCode; got != exitCode {
			t.Errorf("%s ended with exit code %d, want %d", pod.Name, got, exitCode)
		}
	}
	if len(triesOf) != jobs {
		t.Errorf("there were the Jobs %v, want %d", triesOf, jobs)
	}
	for job, got := range triesOf {
		if got != tries {
			t.Errorf("there were %d tries of Job %s, want %d", got, job, tries)
		}
	}
}
