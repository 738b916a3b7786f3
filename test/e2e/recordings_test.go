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
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crashcheck/crashcheck/test/e2e/record"
)

// TestRecord records the status streams that the tests of pkg/checker replay, if E2E_RECORD names a folder. README.md says
// what happens in each. They are recorded one after the other, because in some of them the node breaks.
func TestRecord(t *testing.T) {
	folder := os.Getenv("E2E_RECORD")
	if folder == "" {
		t.Skip("E2E_RECORD is not set: no stream is recorded")
	}
	needsNode(t)
	for name, happen := range map[string]func(t *testing.T, namespace string){
		"kubelet-restart": func(t *testing.T, namespace string) {
			deploy(t, namespace, 1, mains(container("steady"), container("crash", ends("6s", "1"))))
			restarted(t, namespace, "crash", 1)
			if err := errors.Join(the.Kubelet.Kill(), the.Containerd.Kill()); err != nil {
				t.Fatal(err)
			}
			// Time must pass here: more than the container runs.
			time.Sleep(9 * time.Second)
			restartNode(t)
			restarted(t, namespace, "crash", 4)
		},
		"power-cut": func(t *testing.T, namespace string) {
			deploy(t, namespace, 1, withInit(container("setup", ends("0s", "0")), container("steady"), container("crash", ends("6s", "1"))))
			restarted(t, namespace, "crash", 1)
			if err := the.CutPower(t.Context()); err != nil {
				t.Fatal(err)
			}
			restartNode(t)
			restarted(t, namespace, "crash", 3)
			restarted(t, namespace, "steady", 1)
		},
		"evicted-node-pressure": recordNodePressure,
		"deadline": func(t *testing.T, namespace string) {
			seconds := int64(35)
			pod := mains(container("steady"), container("deaf", deaf), container("crash", ends("2s", "1")))
			pod.ActiveDeadlineSeconds = &seconds
			barePod(t, namespace, pod)
			endedPods(t, namespace, 1)
		},
		"evicted": func(t *testing.T, namespace string) {
			deploy(t, namespace, 1, mains(container("deaf", deaf), container("crash", ends("2s", "1"))))
			restarted(t, namespace, "crash", 1)
			anyContainer(t, namespace, "the container has ended once more", func(s corev1.ContainerStatus) bool {
				return s.Name == "crash" && s.State.Running == nil
			})
			evict(t, namespace, podsIn(t, namespace, "app=web")[0].Name)
			restarted(t, namespace, "crash", 1)
		},
		"evicted-volume": func(t *testing.T, namespace string) {
			pod := overVolumeLimit()
			pod.Containers = append(pod.Containers, container("deaf", deaf), container("crash", ends("2s", "1")))
			deploy(t, namespace, 1, pod)
			endedPods(t, namespace, 2)
		},
		"evicted-storage": func(t *testing.T, namespace string) {
			// The limit of the other container is for the pod's own limit, which is the sum.
			pod := overStorageLimit()
			pod.Containers = append(pod.Containers, container("deaf", deaf, limit(corev1.ResourceEphemeralStorage, "64Mi")), container("crash", ends("2s", "1")))
			deploy(t, namespace, 1, pod)
			endedPods(t, namespace, 2)
		},
		"evicted-exit-zero": func(t *testing.T, namespace string) {
			deploy(t, namespace, 1, overStorageLimit())
			endedPods(t, namespace, 15) // most of them have succeeded
		},
		"resize": recordResize,
		"restart-policies": func(t *testing.T, namespace string) {
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
			for _, name := range []string{"always", "rule", "rule-of-zero"} {
				restarted(t, namespace, name, 3)
			}
		},
		"restart-all": func(t *testing.T, namespace string) {
			pod := restartsAll(ends("8s", "7"))
			pod.RestartPolicy = corev1.RestartPolicyNever
			barePod(t, namespace, pod)
			restarted(t, namespace, "trigger", 2)
			running(t, namespace)
		},
	} {
		t.Run(name, func(t *testing.T) {
			// The kubelet of 1.37 panics at a resize if pods have no cgroups of their own, as on the node of this suite. The
			// stream was recorded with cgroupsPerQOS: true in cluster/kubelet.yaml.tmpl.
			if name == "resize" && strings.Contains(readFile(t, filepath.Join(the.Dir, "kubelet.yaml")), "cgroupsPerQOS: false") {
				t.Skip("the node's pods have no cgroups: its kubelet would panic")
			}
			namespace := newNamespace(t)
			file, err := os.Create(filepath.Join(folder, name+".jsonl.gz"))
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(context.Background())
			recorded := make(chan error)
			go func() { recorded <- record.Pods(ctx, the.Client, namespace, "", file) }()
			t.Cleanup(func() {
				stop()
				if err := errors.Join(<-recorded, file.Close()); err != nil {
					t.Error("record the stream:", err)
				}
			})
			happen(t, namespace)
		})
	}
}

func restartNode(t *testing.T) {
	t.Helper()
	if err := errors.Join(the.Containerd.Restart(context.Background()), the.Kubelet.Restart(context.Background())); err != nil {
		t.Fatal(err)
	}
}

// recordNodePressure makes the node short of memory by its kubelet's configuration: the kubelet evicts the pod, but not
// because of a limit of the pod. The pod that replaces it waits until the node has memory again.
func recordNodePressure(t *testing.T, namespace string) {
	// A pod without a request for memory would not be admitted again by a kubelet that restarts under pressure.
	deploy(t, namespace, 1, mains(container("deaf", deaf, memory("32Mi")), container("crash", ends("6s", "1"))))
	restarted(t, namespace, "crash", 1)
	path := filepath.Join(the.Dir, "kubelet.yaml")
	config := readFile(t, path)
	write(t, path, strings.Replace(config, `memory.available: "0%"`, `memory.available: "99%"`, 1))
	t.Cleanup(func() { write(t, path, config) })
	// The node does not become ready for pods, so do not wait for that.
	if err := errors.Join(the.Kubelet.Kill(), the.Kubelet.Launch()); err != nil {
		t.Fatal(err)
	}
	endedPods(t, namespace, 1)
	write(t, path, config)
	restartNode(t)
	eventually(t, "the pod that replaces it has crashed", patience, func(context.Context) error {
		for _, pod := range podsIn(t, namespace, "app=web") {
			for _, status := range pod.Status.ContainerStatuses {
				if pod.Status.Phase == corev1.PodRunning && status.RestartCount > 0 {
					return nil
				}
			}
		}
		return errors.New("it has not")
	})
}

func recordResize(t *testing.T, namespace string) {
	restarting := func(c *corev1.Container) {
		c.ResizePolicy = []corev1.ContainerResizePolicy{{ResourceName: corev1.ResourceMemory, RestartPolicy: corev1.RestartContainer}}
	}
	barePod(t, namespace, mains(
		container("main", memory("32Mi"), restarting),
		container("deaf", memory("32Mi"), restarting, deaf),
		container("live", memory("32Mi")),
	))
	running(t, namespace)
	for i, size := range []string{"48Mi", "64Mi"} {
		pod := podsIn(t, namespace, "app=web")[0]
		for i := range pod.Spec.Containers {
			memory(size)(&pod.Spec.Containers[i])
		}
		if _, err := the.Client.CoreV1().Pods(namespace).UpdateResize(t.Context(), pod.Name, &pod, metav1.UpdateOptions{}); err != nil {
			t.Fatal("resize the pod:", err)
		}
		restarted(t, namespace, "main", int32(i+1))
		restarted(t, namespace, "deaf", int32(i+1))
	}
	running(t, namespace)
}

// memory sets both the limit and the request.
func memory(size string) option {
	return func(c *corev1.Container) {
		resources := corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(size)}
		c.Resources = corev1.ResourceRequirements{Limits: resources, Requests: resources}
	}
}

// barePod makes the pod "web", which no controller owns.
func barePod(t *testing.T, namespace string, spec corev1.PodSpec) {
	t.Helper()
	grace := int64(1)
	spec.TerminationGracePeriodSeconds = &grace
	_, err := the.Client.CoreV1().Pods(namespace).Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Labels: map[string]string{"app": "web"}},
		Spec:       spec,
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal("create a pod:", err)
	}
}

func runs(status corev1.ContainerStatus) bool { return status.State.Running != nil }

// endedPods waits until this many pods have failed or succeeded, and nothing of them runs.
func endedPods(t *testing.T, namespace string, count int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d pods have ended", count), 4*time.Minute, func(context.Context) error {
		ended := 0
		for _, pod := range podsIn(t, namespace, "") {
			over := pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded
			if over && !slices.ContainsFunc(pod.Status.ContainerStatuses, runs) {
				ended++
			}
		}
		if ended < count {
			return fmt.Errorf("%d have", ended)
		}
		return nil
	})
}

// running waits until all main containers of the pod "web" run.
func running(t *testing.T, namespace string) {
	t.Helper()
	eventually(t, "all containers run", patience, func(context.Context) error {
		pod := podsIn(t, namespace, "app=web")[0]
		statuses := pod.Status.ContainerStatuses
		if len(statuses) != len(pod.Spec.Containers) {
			return errors.New("they do not")
		}
		for _, status := range statuses {
			if !runs(status) {
				return fmt.Errorf("%s does not run", status.Name)
			}
		}
		return nil
	})
}
