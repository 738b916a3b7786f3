package e2e

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/crashcheck/crashcheck/test/e2e/gate"
)

// A culprit is the container, or the pod, that a report must name first.
type culprit struct {
	container, kind, reason string
	exitCode                int32
	message                 string
}

// TestCrashesOnANode runs the shipped Job on everything that the real kubelet counts as a restart, or does not.
func TestCrashesOnANode(t *testing.T) {
	needsNode(t)
	t.Parallel()
	for name, test := range map[string]struct {
		pod     corev1.PodSpec
		culprit culprit
	}{
		"a container that crashes at once": {
			mains(container("main", ends("0s", "3"), env("MESSAGE", "no database"))),
			culprit{"main", "main", "Error", 3, "no database"},
		},
		"a container that is killed for its memory": {
			mains(container("main", ends("1s", "0"), env("OOM", "1"), limit(corev1.ResourceMemory, "32Mi"))),
			culprit{"main", "main", "OOMKilled", 137, ""},
		},
		"a failing init container": {
			withInit(container("migrate", ends("0s", "4")), container("main")),
			culprit{"migrate", "init", "Error", 4, ""},
		},
		"a crashing native sidecar": {
			withInit(container("proxy", ends("1s", "5"), sidecar), container("main")),
			culprit{"proxy", "sidecar", "Error", 5, ""},
		},
		"a container that its liveness probe kills, although it exits with 0": {
			mains(container("main", failingLiveness)),
			culprit{"main", "main", "Completed", 0, ""},
		},
		"pods that are evicted because they exceed the sizeLimit of a volume": {
			overVolumeLimit(deaf),
			culprit{"", "pod", "Evicted", -1, `Usage of EmptyDir volume "data" exceeds the limit "1Mi"`},
		},
		"pods that are evicted because a container exceeds its ephemeral-storage limit": {
			overStorageLimit(deaf),
			culprit{"", "pod", "Evicted", -1, "Pod ephemeral local storage usage exceeds the total limit of containers 8Mi"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			namespace := newNamespace(t)
			hash := deploy(t, namespace, 1, test.pod)
			startJob(t, namespace, map[string]string{"HASH": hash, "INTERVAL": "1", "DURATION": "120", "CRASH_LIMIT": "2"})
			test.culprit.named(t, finishJob(t, namespace, 3*time.Minute, gate.Fail))
		})
	}
}

// named checks that a failed Job names the culprit, with what the kubelet says about it.
func (c culprit) named(t *testing.T, result jobResult) {
	t.Helper()
	got := result.Report.Containers[0]
	exitCode, reason, message := int32(-1), "", ""
	if got.ExitCode != nil && c.kind != "pod" {
		exitCode = *got.ExitCode
	}
	if got.Reason != nil {
		reason = *got.Reason
	}
	if got.Message != nil {
		message = *got.Message
	}
	if got.Container != c.container || got.Kind != c.kind || reason != c.reason || exitCode != c.exitCode || !strings.HasPrefix(message, c.message) {
		t.Errorf("want %+v, got %s", c, result)
	}
	wantTexts(t, result.Message, got.Pod, c.container, c.message)
}

func TestHealthyDeploymentPasses(t *testing.T) {
	needsNode(t)
	t.Parallel()
	namespace := newNamespace(t)
	hash := deploy(t, namespace, 2, mains(container("main", ready)))
	available(t, namespace)
	startJob(t, namespace, map[string]string{"HASH": hash, "INTERVAL": "1", "DURATION": "15", "CRASH_LIMIT": "1"}, "require-ready")
	if result := finishJob(t, namespace, patience, gate.Pass); result.Report.Crashes != 0 || result.Report.Pods != 2 {
		t.Errorf("want no crashes of 2 pods, got %s", result)
	}
}

// One exit of a container restarts all containers of the pod. This happens twice, and is two crashes, although the
// kubelet adds it to the restartCount of each of the four containers.
func TestRestartOfAllContainersIsOneCrash(t *testing.T) {
	needsNode(t)
	t.Parallel()
	namespace := newNamespace(t)
	hash := deploy(t, namespace, 1, withData(restartsAll(ends("5s", "7"), env("TIMES", "2"), env("STATE", "/data/exits")), nil))
	run := startGate(t, environment(namespace, map[string]string{"HASH": hash, "DURATION": "60"}))
	for _, name := range []string{"setup", "steady", "trigger", "proxy"} {
		restarted(t, namespace, name, 2)
	}
	// A crash is that of the trigger if a check has seen its exit, and otherwise of another container.
	wantCounts(t, finish(t, run, gate.Pass), 2, 1)
}

// If the containers of a pod exit with 0 when the kubelet evicts it, the pod is mostly Succeeded, and sometimes Failed. Both
// are crashes.
func TestEvictionsOfPodsThatExitWithZeroFail(t *testing.T) {
	needsNode(t)
	t.Parallel()
	namespace := newNamespace(t)
	hash := deploy(t, namespace, 1, overStorageLimit())
	result := runGate(t, environment(namespace, map[string]string{"HASH": hash, "CRASH_LIMIT": "2"}), gate.Fail)
	for _, c := range result.Report.Containers {
		if c.Kind != "pod" || c.Crashes != 1 {
			t.Errorf("got %+v, want one crash of a pod\n%s", c, result)
		}
	}
}

// The example of the README, with a container that terminates after 30 s. A gate that counts restarts passes it: the
// fifth restart comes after the window.
func TestReadmeExample(t *testing.T) {
	needsNode(t)
	t.Parallel()
	namespace := newNamespace(t)
	hash := deploy(t, namespace, 1, mains(container("main", ends("30s", "1"))))
	startJob(t, namespace, map[string]string{"HASH": hash, "INTERVAL": "5", "DURATION": "300", "CRASH_LIMIT": "5"})
	result := finishJob(t, namespace, 6*time.Minute, gate.Fail)
	restarts := podsIn(t, namespace, "app=web")[0].Status.ContainerStatuses[0].RestartCount
	if result.Report.ElapsedSeconds >= 300 || restarts >= 5 {
		t.Errorf("it failed with restartCount %d, want less than 5, before the end of the window: %s", restarts, result)
	}
	t.Logf("failed with %d crashes after %.0f s, when restartCount was %d", result.Report.Crashes, result.Report.ElapsedSeconds, restarts)
}
