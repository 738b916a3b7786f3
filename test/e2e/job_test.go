package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crashcheck/crashcheck/test/e2e/gate"
)

// Names that deploy/base ships.
const (
	shippedJob = "rollout-crashcheck-job"
	ofTheJob   = batchv1.JobNameLabel + "=" + shippedJob
	// ofAnyGate selects also the pods of analyses.
	ofAnyGate = "app.kubernetes.io/name=crashcheck"
)

// jobResult is the visible result of a finished Job.
type jobResult struct {
	Condition batchv1.JobCondition // Complete or Failed
	ExitCode  int
	Message   string // the termination message
	Log       string
	Report    gate.Report
}

func (r jobResult) String() string {
	return fmt.Sprintf("the Job is %s (%s: %s), exit code %d\ntermination message:\n%s\nlog:\n%s",
		r.Condition.Type, r.Condition.Reason, r.Condition.Message, r.ExitCode, r.Message, r.Log)
}

// startJob applies deploy/base as a user does: from an overlay, with these variables and components.
func startJob(t *testing.T, namespace string, environment map[string]string, components ...string) {
	t.Helper()
	source := checkout(t, namespace)
	setEnvironment(t, filepath.Join(source, "deploy/base/job.yaml"), environment)
	folder := overlay(t, source, namespace, "deploy/base", components)
	// No run has to wait for a new binding.
	apply(t, namespace, documents(t, folder, permissionKinds...))
	permitted(t, namespace, shippedAccount)
	apply(t, namespace, documents(t, folder, "Job", "NetworkPolicy"))
}

// endOfJob waits until the shipped Job is Complete or Failed, and returns that condition.
func endOfJob(t *testing.T, namespace string, within time.Duration) batchv1.JobCondition {
	t.Helper()
	var end batchv1.JobCondition
	eventually(t, "the Job has ended", within, func(ctx context.Context) error {
		job, err := the.Client.BatchV1().Jobs(namespace).Get(ctx, shippedJob, metav1.GetOptions{})
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

// finishJob waits until the shipped Job has ended, and returns the result of its one pod. The exit code must be this one.
func finishJob(t *testing.T, namespace string, within time.Duration, exitCode int) jobResult {
	t.Helper()
	condition := endOfJob(t, namespace, within)
	pods := podsIn(t, namespace, ofTheJob)
	if len(pods) != 1 {
		t.Fatalf("the Job has %d pods, want 1", len(pods))
	}
	result := resultOf(t, pods[0])
	result.Condition = condition
	if result.ExitCode != exitCode || result.Report.Verdict != verdictOf[exitCode] || (condition.Type == batchv1.JobComplete) != (exitCode == gate.Pass) {
		t.Fatalf("want exit code %d and verdict %s, got %s", exitCode, verdictOf[exitCode], result)
	}
	return result
}

// resultOf reads what a finished pod of the gate shows.
func resultOf(t *testing.T, pod corev1.Pod) jobResult {
	t.Helper()
	result := jobResult{ExitCode: -1, Log: logOf(t, pod)}
	for _, status := range pod.Status.ContainerStatuses {
		if ended := status.State.Terminated; ended != nil && status.Name == "crashcheck" {
			result.ExitCode, result.Message = int(ended.ExitCode), ended.Message
		}
	}
	// The log contains both streams.
	for line := range strings.Lines(result.Log) {
		if strings.HasPrefix(line, "{") {
			report, err := gate.ParseReport(line)
			if err != nil {
				t.Fatal(err)
			}
			result.Report = report
		}
	}
	return result
}

// logOf returns the log of a pod so far, or the error.
func logOf(t *testing.T, pod corev1.Pod) string {
	t.Helper()
	log, err := the.Client.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{}).DoRaw(t.Context())
	if err != nil {
		return err.Error()
	}
	return string(log)
}

// jobLogged waits until the log of a pod of the Job has the text, and returns the pod.
func jobLogged(t *testing.T, namespace, text string) corev1.Pod {
	t.Helper()
	var logging corev1.Pod
	eventually(t, fmt.Sprintf("the Job's log says %q", text), patience, func(context.Context) error {
		log := ""
		for _, pod := range podsIn(t, namespace, ofTheJob) {
			if log = logOf(t, pod); strings.Contains(log, text) {
				logging = pod
				return nil
			}
		}
		return fmt.Errorf("the log is:\n%s", log)
	})
	return logging
}

// TestCrashLogs shows what deploy/components/crash-logs is for.
func TestCrashLogs(t *testing.T) {
	needsNode(t)
	t.Parallel()
	namespace := newNamespace(t)
	hash := deploy(t, namespace, 1, mains(container("main", ends("0s", "3"))))
	startJob(t, namespace, map[string]string{"HASH": hash, "INTERVAL": "1", "CRASH_LIMIT": "2", "CRASH_LOG_LINES": "5"}, "crash-logs")
	result := finishJob(t, namespace, 3*time.Minute, gate.Fail)
	wantTexts(t, result.Log, "crasher: exiting as configured")
}

// The Job's memory limit is enough for 5,000 pods. The pods keep the API server busy, so this test does not run together with
// others.
func TestListOf5000Pods(t *testing.T) {
	namespace := newNamespace(t)
	const count, workers = 5000, 8
	faults := make(chan error)
	for worker := range workers {
		go func() {
			for i := worker; i < count; i += workers {
				if err := createPaperPod(t.Context(), namespace, fmt.Sprintf("pod-%05d", i), 1); err != nil {
					faults <- err
					return
				}
			}
			faults <- nil
		}()
	}
	for range workers {
		if err := <-faults; err != nil {
			t.Error("create a pod:", err)
		}
	}
	wantCounts(t, runGate(t, environment(namespace, map[string]string{"DURATION": "5"}), gate.Pass), count, count)
	needsNode(t)
	startJob(t, namespace, map[string]string{"HASH": someHash, "INTERVAL": "100ms", "DURATION": "20", "CRASH_LIMIT": "1000000"})
	result := finishJob(t, namespace, 3*time.Minute, gate.Pass)
	if result.Report.Crashes != count || result.Report.Pods != count {
		t.Errorf("want %d crashes of as many pods, got %s", count, result)
	}
	t.Logf("%d checks in %.0f s", result.Report.Checks, result.Report.ElapsedSeconds)
}
