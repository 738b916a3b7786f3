package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crashcheck/crashcheck/test/e2e/cluster"
	"github.com/crashcheck/crashcheck/test/e2e/record"
)

// These tests record the status streams that the tests of pkg/checker replay. They run only if E2E_RECORD names a folder.

// recorded creates a namespace, and records its pods until the end of the test into the file with that name.
func recorded(t *testing.T, name string) (namespace string) {
	t.Helper()
	folder := os.Getenv("E2E_RECORD")
	if folder == "" {
		t.Skip("E2E_RECORD is not set: no stream is recorded")
	}
	needsLocalImages(t)
	namespace = newNamespace(t, nil)
	recording, err := record.Start(context.Background(), the.client, namespace, "", filepath.Join(folder, name+".jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := recording.Stop(); err != nil {
			t.Error("end the recording:", err)
		}
	})
	return namespace
}

// The kubelet and containerd restart. The containers keep running, and one terminates in the meantime.
func TestRecordKubeletRestart(t *testing.T) {
	namespace := recorded(t, "kubelet-restart")
	own := ownCluster(t)
	deploy(t, namespace, 1, mains(container("steady"), container("crash", ends("6s", "1"))))
	restarted(t, namespace, "crash", 1)
	if err := errors.Join(own.Kubelet.Kill(), own.Containerd.Kill()); err != nil {
		t.Fatal(err)
	}
	// Time must pass here: more than the container runs.
	time.Sleep(9 * time.Second)
	bringBackNode(t, own)
	restarted(t, namespace, "crash", 4)
}

func TestRecordPowerCut(t *testing.T) {
	namespace := recorded(t, "power-cut")
	own := ownCluster(t)
	deploy(t, namespace, 1, withInit(container("setup", ends("0s", "0")), container("steady"), container("crash", ends("6s", "1"))))
	restarted(t, namespace, "crash", 1)
	if err := own.CutPower(t.Context()); err != nil {
		t.Fatal(err)
	}
	bringBackNode(t, own)
	restarted(t, namespace, "crash", 3)
	restarted(t, namespace, "steady", 1)
}

func bringBackNode(t *testing.T, own *cluster.Cluster) {
	t.Helper()
	restart(t, own.Containerd.Restart)
	restart(t, own.Kubelet.Restart)
}

// The phase is Failed while containers still run, because the pod exceeded its deadline.
func TestRecordDeadline(t *testing.T) {
	t.Parallel()
	namespace := recorded(t, "deadline")
	seconds := int64(35)
	pod := mains(container("steady"), container("deaf", deaf), container("crash", ends("2s", "1")))
	pod.ActiveDeadlineSeconds = &seconds
	barePod(t, namespace, pod)
	eventually(t, "the pod has failed, and nothing of it runs", 3*time.Minute, func(ctx context.Context) error {
		pod, err := the.client.CoreV1().Pods(namespace).Get(ctx, "web", metav1.GetOptions{})
		if err != nil {
			return err
		}
		running := slices.ContainsFunc(pod.Status.ContainerStatuses, func(s corev1.ContainerStatus) bool { return s.State.Running != nil })
		if pod.Status.Phase != corev1.PodFailed || running {
			return fmt.Errorf("its phase is %s, containers run: %t", pod.Status.Phase, running)
		}
		return nil
	})
}

func TestRecordEviction(t *testing.T) {
	t.Parallel()
	namespace := recorded(t, "evicted")
	hash := deploy(t, namespace, 1, mains(container("deaf", deaf), container("crash", ends("2s", "1"))))
	evicted := podsWithHash(t, namespace, hash)[0]
	restarted(t, namespace, "crash", 1)
	eventually(t, "the container has ended once more", patience, func(context.Context) error {
		for _, status := range latest(t, namespace, evicted.Name).Status.ContainerStatuses {
			if status.Name == "crash" && status.State.Running == nil {
				return nil
			}
		}
		return errors.New("it runs")
	})
	err := the.client.PolicyV1().Evictions(namespace).Evict(t.Context(), &policyv1.Eviction{
		ObjectMeta: metav1.ObjectMeta{Name: evicted.Name, Namespace: namespace},
	})
	if err != nil {
		t.Fatal("evict the pod:", err)
	}
	eventually(t, "the evicted pod is gone", patience, func(ctx context.Context) error {
		for _, pod := range podsWithHash(t, namespace, hash) {
			if pod.UID == evicted.UID {
				return errors.New("it is still there")
			}
		}
		return nil
	})
	restarted(t, namespace, "crash", 1)
}

// The kubelet evicts the pod, which exceeds a limit of its own, and then the pod that replaces it. Another container
// crashes in the meantime, and a third one ignores SIGTERM.
func TestRecordVolumeOverItsLimit(t *testing.T) {
	t.Parallel()
	namespace := recorded(t, "evicted-volume")
	pod := overVolumeLimit()
	pod.Containers = append(pod.Containers, container("deaf", deaf), container("crash", ends("2s", "1")))
	deploy(t, namespace, 1, pod)
	evictedPods(t, namespace, 2)
}

func TestRecordContainerOverItsStorageLimit(t *testing.T) {
	t.Parallel()
	namespace := recorded(t, "evicted-storage")
	// The limit of the other container is for the pod's own limit, which is the sum.
	pod := overStorageLimit()
	pod.Containers = append(pod.Containers, container("deaf", deaf, storageLimit("64Mi")), container("crash", ends("2s", "1")))
	deploy(t, namespace, 1, pod)
	evictedPods(t, namespace, 2)
}

// The only container of the pod exits with 0 when the kubelet evicts the pod, which is then mostly Succeeded, without a
// reason, and only sometimes Failed.
func TestRecordEvictionWithExitCodeZero(t *testing.T) {
	t.Parallel()
	namespace := recorded(t, "evicted-exit-zero")
	deploy(t, namespace, 1, overStorageLimit())
	evictedPods(t, namespace, 3)
}

// The node is short of memory by its kubelet's configuration: the kubelet evicts the pod, but not because of a limit of
// the pod. The pod that replaces it waits until the node has memory again.
func TestRecordNodePressure(t *testing.T) {
	namespace := recorded(t, "evicted-node-pressure")
	own := ownCluster(t)
	// A pod without a request for memory would not be admitted again by a kubelet that restarts under pressure.
	hash := deploy(t, namespace, 1, mains(container("deaf", deaf, memory("32Mi")), container("crash", ends("6s", "1"))))
	restarted(t, namespace, "crash", 1)
	path := filepath.Join(own.Dir, "kubelet.yaml")
	config := string(readFile(t, path))
	write(t, path, strings.Replace(config, `memory.available: "0%"`, `memory.available: "99%"`, 1))
	t.Cleanup(func() {
		write(t, path, config)
		restart(t, own.Kubelet.Restart)
	})
	// The node does not become ready for pods, so do not wait for that.
	if err := own.Kubelet.Relaunch(); err != nil {
		t.Fatal(err)
	}
	evictedPods(t, namespace, 1)
	write(t, path, config)
	restart(t, own.Kubelet.Restart)
	eventually(t, "the pod that replaces it has crashed", patience, func(context.Context) error {
		for _, pod := range podsWithHash(t, namespace, hash) {
			for _, status := range pod.Status.ContainerStatuses {
				if pod.Status.Phase == corev1.PodRunning && status.RestartCount > 0 {
					return nil
				}
			}
		}
		return errors.New("it has not")
	})
}

// evictedPods waits until the kubelet has evicted this many pods, and nothing of them runs.
func evictedPods(t *testing.T, namespace string, count int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d pods have been evicted", count), 4*time.Minute, func(ctx context.Context) error {
		pods, err := the.client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{FieldSelector: "status.phase=Failed"})
		if err != nil {
			return err
		}
		evicted := 0
		for _, pod := range pods.Items {
			running := slices.ContainsFunc(pod.Status.ContainerStatuses, func(s corev1.ContainerStatus) bool { return s.State.Running != nil })
			if pod.Status.Reason == "Evicted" && !running {
				evicted++
			}
		}
		if evicted < count {
			return fmt.Errorf("%d have", evicted)
		}
		return nil
	})
}

// The kubelet of 1.37 panics at a resize if pods have no cgroups of their own, as on the node of this suite. The stream
// was recorded with cgroupsPerQOS: true in cluster/kubelet.yaml.tmpl.
func TestRecordResize(t *testing.T) {
	needsLocalImages(t)
	config := readFile(t, filepath.Join(ownCluster(t).Dir, "kubelet.yaml"))
	if strings.Contains(string(config), "cgroupsPerQOS: false") {
		t.Skip("the node's pods have no cgroups: its kubelet would panic")
	}
	t.Parallel()
	namespace := recorded(t, "resize")
	restarting := func(c *corev1.Container) {
		c.ResizePolicy = []corev1.ContainerResizePolicy{{ResourceName: corev1.ResourceMemory, RestartPolicy: corev1.RestartContainer}}
	}
	barePod(t, namespace, mains(
		container("main", memory("32Mi"), restarting),
		container("deaf", memory("32Mi"), restarting, deaf),
		container("live", memory("32Mi")),
	))
	running(t, namespace)
	resize(t, namespace, "48Mi")
	restarted(t, namespace, "main", 1)
	restarted(t, namespace, "deaf", 1)
	resize(t, namespace, "64Mi")
	restarted(t, namespace, "main", 2)
	restarted(t, namespace, "deaf", 2)
	running(t, namespace)
}

// memory sets both the limit and the request.
func memory(size string) option {
	return func(c *corev1.Container) {
		resources := corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(size)}
		c.Resources = corev1.ResourceRequirements{Limits: resources, Requests: resources}
	}
}

func resize(t *testing.T, namespace, size string) {
	t.Helper()
	pod := latest(t, namespace, "web")
	for i := range pod.Spec.Containers {
		memory(size)(&pod.Spec.Containers[i])
	}
	if _, err := the.client.CoreV1().Pods(namespace).UpdateResize(t.Context(), "web", pod, metav1.UpdateOptions{}); err != nil {
		t.Fatal("resize the pod:", err)
	}
}

// Each container has another restart policy than its pod, or a rule.
func TestRecordRestartPolicies(t *testing.T) {
	t.Parallel()
	namespace := recorded(t, "restart-policies")
	restart := corev1.ContainerRestartRuleActionRestart
	pod := mains(
		container("always", ends("4s", "0"), restarts(corev1.ContainerRestartPolicyAlways)),
		container("rule", ends("5s", "42"), restarts(corev1.ContainerRestartPolicyNever, rule(restart, 42))),
		container("rule-of-zero", ends("6s", "0"), restarts(corev1.ContainerRestartPolicyOnFailure, rule(restart, 0))),
		container("never", ends("3s", "3"), restarts(corev1.ContainerRestartPolicyNever)),
		container("done", ends("3s", "0"), restarts(corev1.ContainerRestartPolicyOnFailure)),
	)
	pod.RestartPolicy = corev1.RestartPolicyNever
	barePod(t, namespace, pod)
	restarted(t, namespace, "always", 3)
	restarted(t, namespace, "rule", 3)
	restarted(t, namespace, "rule-of-zero", 3)
}

func TestRecordRestartOfAllContainers(t *testing.T) {
	t.Parallel()
	namespace := recorded(t, "restart-all")
	pod := withInit(container("setup", ends("0s", "0")),
		container("steady"),
		container("trigger", ends("8s", "7"), restarts(corev1.ContainerRestartPolicyNever, rule(corev1.ContainerRestartRuleActionRestartAllContainers, 7))))
	pod.InitContainers = append(pod.InitContainers, container("proxy", sidecar))
	pod.RestartPolicy = corev1.RestartPolicyNever
	barePod(t, namespace, pod)
	restarted(t, namespace, "trigger", 2)
	running(t, namespace)
}

// restarts gives a container a restart policy of its own, with rules.
func restarts(policy corev1.ContainerRestartPolicy, rules ...corev1.ContainerRestartRule) option {
	return func(c *corev1.Container) { c.RestartPolicy, c.RestartPolicyRules = &policy, rules }
}

func rule(action corev1.ContainerRestartRuleAction, code int32) corev1.ContainerRestartRule {
	return corev1.ContainerRestartRule{
		Action: action,
		ExitCodes: &corev1.ContainerRestartRuleOnExitCodes{
			Operator: corev1.ContainerRestartRuleOnExitCodesOpIn, Values: []int32{code},
		},
	}
}

// barePod makes the pod "web", which no controller owns.
func barePod(t *testing.T, namespace string, spec corev1.PodSpec) {
	t.Helper()
	grace := int64(1)
	spec.TerminationGracePeriodSeconds = &grace
	_, err := the.client.CoreV1().Pods(namespace).Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Labels: map[string]string{"app": "web"}},
		Spec:       spec,
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal("create a pod:", err)
	}
}

// restarted waits until this container of any pod has been restarted this many times.
func restarted(t *testing.T, namespace, container string, times int32) {
	t.Helper()
	eventually(t, fmt.Sprintf("container %s has restarted %d times", container, times), 4*time.Minute, func(ctx context.Context) error {
		pods, err := the.client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, pod := range pods.Items {
			for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
				if status.Name == container && status.RestartCount >= times {
					return nil
				}
			}
		}
		return errors.New("it has not")
	})
}

// running waits until all main containers of the pod "web" run.
func running(t *testing.T, namespace string) {
	t.Helper()
	eventually(t, "all containers run", patience, func(ctx context.Context) error {
		pod, err := the.client.CoreV1().Pods(namespace).Get(ctx, "web", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if len(pod.Status.ContainerStatuses) != len(pod.Spec.Containers) {
			return errors.New("not all have a status")
		}
		for _, status := range pod.Status.ContainerStatuses {
			if status.State.Running == nil {
				return fmt.Errorf("%s does not run", status.Name)
			}
		}
		return nil
	})
}
