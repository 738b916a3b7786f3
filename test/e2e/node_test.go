package e2e

import (
	"maps"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/crashcheck/crashcheck/test/e2e/gate"
)

// culprit is the container, or the pod, that a report must name first.
type culprit struct {
	container, kind, reason string
	exitCode                int32
	message                 string
}

// A verdictCase is a workload on a real node, and the verdict of the shipped Job.
type verdictCase struct {
	replicas    int32
	pod         corev1.PodSpec
	environment map[string]string
	exitCode    int32
	// culprit is nil if nothing crashes.
	culprit *culprit
	// log is a text that the log must contain.
	log string
	// before waits for a condition before the Job is started.
	before func(*testing.T, string)
}

var verdictCases = map[string]verdictCase{
	"a healthy Deployment passes": {
		replicas:    2,
		pod:         mains(container("main", ready)),
		environment: map[string]string{"DURATION": "15", "CRASH_LIMIT": "1", "REQUIRE_READY": "1"},
		exitCode:    gate.Pass,
		before:      available,
	},
	"a container that crashes at once fails": {
		replicas: 1,
		pod:      mains(container("main", ends("0s", "3"), env("MESSAGE", "no database"))),
		exitCode: gate.Fail,
		culprit:  &culprit{"main", "main", "Error", 3, "no database"},
	},
	"a container that crashes after a while fails": {
		replicas: 2,
		pod:      mains(container("main", ends("8s", "1"))),
		exitCode: gate.Fail,
		culprit:  &culprit{"main", "main", "Error", 1, ""},
	},
	"a container that is killed for its memory fails": {
		replicas: 1,
		pod:      mains(container("main", ends("1s", "0"), env("OOM", "1"), memoryLimit("32Mi"))),
		exitCode: gate.Fail,
		culprit:  &culprit{"main", "main", "OOMKilled", 137, ""},
	},
	"a failing init container fails": {
		replicas: 1,
		pod:      withInit(container("migrate", ends("0s", "4")), container("main")),
		exitCode: gate.Fail,
		culprit:  &culprit{"migrate", "init", "Error", 4, ""},
	},
	"a crashing native sidecar fails": {
		replicas: 1,
		pod:      withInit(container("proxy", ends("1s", "5"), sidecar), container("main")),
		exitCode: gate.Fail,
		culprit:  &culprit{"proxy", "sidecar", "Error", 5, ""},
	},
	"a crashing native sidecar passes with IGNORE_CONTAINERS": {
		replicas:    1,
		pod:         withInit(container("proxy", ends("1s", "5"), sidecar), container("main")),
		environment: map[string]string{"IGNORE_CONTAINERS": "proxy", "DURATION": "30"},
		exitCode:    gate.Pass,
	},
	"a container that its liveness probe kills fails, although it exits with 0": {
		replicas: 1,
		pod:      mains(container("main", failingLiveness)),
		exitCode: gate.Fail,
		culprit:  &culprit{"main", "main", "Completed", 0, ""},
	},
	"exit code 0 again and again fails": {
		replicas: 1,
		pod:      mains(container("main", ends("1s", "0"))),
		exitCode: gate.Fail,
		culprit:  &culprit{"main", "main", "Completed", 0, ""},
	},
	"one bad container of two fails": {
		replicas: 1,
		pod:      mains(container("good"), container("bad", ends("1s", "9"))),
		exitCode: gate.Fail,
		culprit:  &culprit{"bad", "main", "Error", 9, ""},
	},
	"a container that exits on purpose does not crash with IGNORE_EXIT_CODES": {
		replicas:    1,
		pod:         mains(container("worker", ends("5s", "0"))),
		environment: map[string]string{"IGNORE_EXIT_CODES": "0", "BASELINE": "start", "DURATION": "40", "CRASH_LIMIT": "1"},
		exitCode:    gate.Pass,
	},
	"pods that are evicted because they exceed the sizeLimit of a volume fail": {
		replicas: 2,
		pod:      overVolumeLimit(deaf),
		exitCode: gate.Fail,
		culprit:  &culprit{kind: "pod", reason: "Evicted", message: `Usage of EmptyDir volume "data" exceeds the limit "1Mi"`},
	},
	"a pod that is evicted because a container exceeds its ephemeral-storage limit fails": {
		replicas:    1,
		pod:         overStorageLimit(deaf),
		environment: map[string]string{"CRASH_LIMIT": "1"},
		exitCode:    gate.Fail,
		culprit:     &culprit{kind: "pod", reason: "Evicted", message: "Pod ephemeral local storage usage exceeds the total limit of containers 8Mi"},
	},
	"a container without its image does not pass": {
		replicas:    1,
		pod:         mains(container("main", image("crashcheck.e2e/missing:1", corev1.PullNever))),
		environment: map[string]string{"DURATION": "5"},
		exitCode:    gate.Inconclusive,
		log:         "/main cannot start: ErrImageNeverPull: ",
		before:      waiting("ErrImageNeverPull"),
	},
	"a container without its configuration does not pass": {
		replicas:    1,
		pod:         mains(container("main", missingConfiguration)),
		environment: map[string]string{"DURATION": "5"},
		exitCode:    gate.Inconclusive,
		log:         "/main cannot start: CreateContainerConfigError: ",
		before:      waiting("CreateContainerConfigError"),
	},
	"a pod that is not ready does not pass with REQUIRE_READY": {
		replicas:    2,
		pod:         mains(container("main", neverReady)),
		environment: map[string]string{"DURATION": "20", "REQUIRE_READY": "yes"},
		exitCode:    gate.NotReady,
	},
	"a configuration that was not filled in is invalid": {
		replicas:    1,
		pod:         mains(container("main")),
		environment: map[string]string{"HASH": "<pod-template-hash>"},
		exitCode:    gate.Invalid,
	},
}

func TestVerdictsOnANode(t *testing.T) {
	needsLocalImages(t)
	t.Parallel()
	for name, c := range verdictCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			namespace := newNamespace(t, nil)
			environment := map[string]string{
				"HASH":     deploy(t, namespace, c.replicas, c.pod),
				"INTERVAL": "1", "DURATION": "120", "CRASH_LIMIT": "3",
			}
			maps.Copy(environment, c.environment)
			if c.before != nil {
				c.before(t, namespace)
			}
			startJob(t, namespace, environment)
			c.judge(t, finishJob(t, namespace, 3*time.Minute))
		})
	}
}

// One exit of a container restarts all containers of the pod. This happens twice, and is two crashes, although the
// kubelet adds it to the restartCount of each of the four containers.
func TestRestartOfAllContainersIsOneCrash(t *testing.T) {
	needsLocalImages(t)
	t.Parallel()
	namespace := newNamespace(t, nil)
	restartAll := rule(corev1.ContainerRestartRuleActionRestartAllContainers, 7)
	pod := withInit(container("setup", ends("0s", "0")),
		container("steady"),
		container("trigger", ends("5s", "7"), twice, restarts(corev1.ContainerRestartPolicyNever, restartAll)))
	pod.InitContainers = append(pod.InitContainers, container("proxy", sidecar))
	pod.Volumes = []corev1.Volume{emptyDir("")}
	hash := deploy(t, namespace, 1, pod)

	run := startGate(t, environment(namespace, map[string]string{"HASH": hash, "COUNT": unset, "DURATION": "40", "CRASH_LIMIT": "5"}))
	for _, name := range []string{"setup", "steady", "trigger", "proxy"} {
		crashed(name, 2)(t, namespace)
	}
	// A crash is that of the trigger if a check has seen its exit, and otherwise of another container.
	wantCounts(t, finish(t, run, gate.Pass), 2, 1)
}

// If the containers of a pod exit with 0 when the kubelet evicts it, the pod is mostly Succeeded, and sometimes Failed. Both
// are crashes.
func TestEvictionsOfPodsThatExitWithZeroFail(t *testing.T) {
	needsLocalImages(t)
	t.Parallel()
	namespace := newNamespace(t, nil)
	hash := deploy(t, namespace, 1, overStorageLimit())
	run := startGate(t, environment(namespace, map[string]string{"HASH": hash, "COUNT": unset, "DURATION": "120", "CRASH_LIMIT": "2"}))
	result := finish(t, run, gate.Fail)
	for _, c := range result.Report.Containers {
		if c.Kind != "pod" || c.Crashes != 1 {
			t.Errorf("got %+v, want one crash of a pod\n%s", c, result)
		}
	}
}

// The example of the README, with a container that terminates after 30 s. A gate that counts restarts passes it: the
// fifth restart comes after the window.
func TestReadmeExample(t *testing.T) {
	needsLocalImages(t)
	t.Parallel()
	namespace := newNamespace(t, nil)
	hash := deploy(t, namespace, 1, mains(container("main", ends("30s", "1"))))
	startJob(t, namespace, map[string]string{"HASH": hash, "INTERVAL": "5", "DURATION": "300", "CRASH_LIMIT": "5"})
	result := finishJob(t, namespace, 6*time.Minute)
	verdictCase{exitCode: gate.Fail, culprit: &culprit{"main", "main", "Error", 1, ""}}.judge(t, result)
	if result.Report.ElapsedSeconds >= 300 {
		t.Errorf("the verdict came at the end of the window only\n%s", result)
	}
	restarts := podsWithHash(t, namespace, hash)[0].Status.ContainerStatuses[0].RestartCount
	if restarts >= 5 {
		t.Errorf("the pod has restarted %d times already: this showed nothing", restarts)
	}
	t.Logf("failed with %d crashes after %.0f s, when restartCount was %d", result.Report.Crashes, result.Report.ElapsedSeconds, restarts)
}

func (c verdictCase) judge(t *testing.T, result jobResult) {
	t.Helper()
	if result.ExitCode != c.exitCode || result.Report.Verdict != verdictOf[int(c.exitCode)] {
		t.Fatalf("want exit code %d and verdict %s, got\n%s", c.exitCode, verdictOf[int(c.exitCode)], result)
	}
	if result.Complete != (c.exitCode == gate.Pass) {
		t.Errorf("the Job is complete: %t\n%s", result.Complete, result)
	}
	if !strings.Contains(result.Log, c.log) {
		t.Errorf("the log does not name %s\n%s", c.log, result)
	}
	if result.Message == "" {
		t.Errorf("there is no termination message\n%s", result)
	}
	if c.culprit == nil {
		if result.Report.Crashes != 0 {
			t.Errorf("want no crashes, got %d\n%s", result.Report.Crashes, result)
		}
		return
	}
	c.judgeCulprit(t, result)
}

func (c verdictCase) judgeCulprit(t *testing.T, result jobResult) {
	t.Helper()
	if result.Report.Crashes < result.Report.Limit {
		t.Errorf("a fail with %d crashes, below its limit of %d", result.Report.Crashes, result.Report.Limit)
	}
	if len(result.Report.Containers) == 0 {
		t.Fatalf("the report names no container\n%s", result)
	}
	got, want := result.Report.Containers[0], *c.culprit
	if got.Container != want.container || got.Kind != want.kind {
		t.Errorf("want the %s container %s, got %+v", want.kind, want.container, got)
	}
	if want.kind != "pod" && (got.ExitCode == nil || *got.ExitCode != want.exitCode) || got.Reason == nil || *got.Reason != want.reason {
		t.Errorf("want exit code %d with reason %s, got\n%s", want.exitCode, want.reason, result)
	}
	if want.message != "" && (got.Message == nil || !strings.HasPrefix(*got.Message, want.message)) {
		t.Errorf("want the message %q, got\n%s", want.message, result)
	}
	for _, part := range []string{got.Pod, want.container, want.message} {
		if !strings.Contains(result.Message, part) {
			t.Errorf("the termination message does not name %q\n%s", part, result)
		}
	}
}

func mains(containers ...corev1.Container) corev1.PodSpec {
	return corev1.PodSpec{Containers: containers}
}

func withInit(init corev1.Container, containers ...corev1.Container) corev1.PodSpec {
	return corev1.PodSpec{InitContainers: []corev1.Container{init}, Containers: containers}
}

func image(ref string, pull corev1.PullPolicy) option {
	return func(c *corev1.Container) { c.Image, c.ImagePullPolicy = ref, pull }
}

func missingConfiguration(c *corev1.Container) {
	c.EnvFrom = []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{
		LocalObjectReference: corev1.LocalObjectReference{Name: "missing"},
	}}}
}
