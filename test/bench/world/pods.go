package world

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"
)

// HashLabel is the label by which the gates find the pods of a ReplicaSet: the
// first one that crashcheck tries.
const HashLabel = "rollouts-pod-template-hash"

// creators is how many pods are created at once: two processors cannot serve more.
const creators = 16

// ReplicaSet is a number of pods with one pod template hash.
type ReplicaSet struct {
	Namespace, Hash string
	Pods            int
}

// Selector selects the pods.
func (r ReplicaSet) Selector() string { return HashLabel + "=" + r.Hash }

//go:embed pod.yaml
var template string

// newPod fills in the template.
func newPod(set ReplicaSet, t traits) *corev1.Pod {
	text := strings.NewReplacer(
		" NAMESPACE", " "+set.Namespace, " NAME", " "+t.name, "HASH", set.Hash, " NODE", " "+t.node,
		" POD_IP", " "+t.podIP, " SANDBOX", ` "`+t.sandbox+`"`, `"INSTANCE"`, `"`+t.instance+`"`,
	).Replace(template)
	pod := &corev1.Pod{}
	if err := yaml.UnmarshalStrict([]byte(text), pod); err != nil {
		panic(err) // a test covers it
	}
	return pod
}

// traits are what distinguishes a pod from the others of its ReplicaSet. They
// follow from the pod's number, so that a pod can be found again.
type traits struct {
	name, node, hostIP, podIP string
	// instance and sandbox are what webhooks and network plugins add.
	instance, sandbox string
	// age is how long ago the pod was started.
	age time.Duration
	// random makes what changes with every status.
	random *rand.Rand
}

// nodes is the number of nodes that the pods are spread over.
const nodes = 200

func (r ReplicaSet) traits(i int) traits {
	seed := fnv.New64a()
	seed.Write([]byte(r.Namespace + r.Hash))
	random := rand.New(rand.NewPCG(seed.Sum64(), uint64(i)))
	node := random.IntN(nodes)
	// Nodes differ from one another like pods do.
	place := rand.New(rand.NewPCG(0, uint64(node)))
	hostIP := fmt.Sprintf("10.0.%d.%d", place.IntN(256), place.IntN(256))
	return traits{
		// Five characters may occur twice among 5,000 pods; the number may not.
		name:     fmt.Sprintf("checkout-%s-%s%s", r.Hash, letters(random, 2, podLetters), number(i)),
		node:     "ip-" + strings.ReplaceAll(hostIP, ".", "-") + ".eu-central-1.compute.internal",
		hostIP:   hostIP,
		podIP:    fmt.Sprintf("10.244.%d.%d", node, 2+random.IntN(250)),
		instance: letters(random, 32, hexDigits),
		sandbox:  letters(random, 64, hexDigits),
		age:      10*time.Minute + time.Duration(random.IntN(300))*time.Second,
		random:   random,
	}
}

const (
	hexDigits = "0123456789abcdef"
	// podLetters are those that Kubernetes makes names of.
	podLetters = "bcdfghjklmnpqrstvwxz2456789"
)

func letters(random *rand.Rand, n int, from string) string {
	text := make([]byte, n)
	for i := range text {
		text[i] = from[random.IntN(len(from))]
	}
	return string(text)
}

// number writes i with three letters, in an order that looks random.
func number(i int) string {
	n := len(podLetters)
	i = i * 7919 % (n * n * n)
	return string([]byte{podLetters[i/n/n], podLetters[i/n%n], podLetters[i%n]})
}

// CreatePods creates the pods of a ReplicaSet and gives them the status of
// running pods through the status subresource, as a kubelet does.
func (w *World) CreatePods(ctx context.Context, set ReplicaSet) error {
	// The administrator's client, in the encoding that costs least.
	config := rest.CopyConfig(w.Config)
	config.ContentType = "application/vnd.kubernetes.protobuf"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(creators)
	for i := range set.Pods {
		group.Go(func() error {
			t := set.traits(i)
			pod := newPod(set, t)
			if _, err := client.CoreV1().Pods(set.Namespace).Create(ctx, pod, metav1.CreateOptions{FieldManager: "kube-controller-manager"}); err != nil {
				return fmt.Errorf("create pod %d of %s: %w", i, set.Hash, err)
			}
			return patchStatus(ctx, client, pod, runningStatus(pod, t, 0))
		})
	}
	return group.Wait()
}

// Crash gives pod i the status of a pod whose first container has crashed this
// many times and runs again. It returns when the API server has stored it.
func (w *World) Crash(ctx context.Context, set ReplicaSet, i int, crashes int32) error {
	t := set.traits(i)
	pod := newPod(set, t)
	return patchStatus(ctx, w.Client, pod, runningStatus(pod, t, crashes))
}

func patchStatus(ctx context.Context, client kubernetes.Interface, pod *corev1.Pod, status corev1.PodStatus) error {
	patch, err := json.Marshal(map[string]any{"status": status})
	if err != nil {
		return err
	}
	_, err = client.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.StrategicMergePatchType, patch,
		metav1.PatchOptions{FieldManager: "kubelet"}, "status")
	if err != nil {
		return fmt.Errorf("patch the status of %s: %w", pod.Name, err)
	}
	return nil
}

// runningStatus is what a kubelet reports of a pod that runs, and whose first
// container has crashed this many times.
func runningStatus(pod *corev1.Pod, t traits, crashes int32) corev1.PodStatus {
	begun := time.Now().Add(-t.age).Truncate(time.Second)
	after := func(seconds int) metav1.Time { return metav1.NewTime(begun.Add(time.Duration(seconds) * time.Second)) }
	ready := 8 + t.random.IntN(20)
	conditions := []corev1.PodCondition{}
	for _, condition := range []struct {
		kind corev1.PodConditionType
		at   int
	}{{corev1.PodReadyToStartContainers, 2}, {corev1.PodInitialized, 0}, {corev1.PodReady, ready}, {corev1.ContainersReady, ready}, {corev1.PodScheduled, 0}} {
		conditions = append(conditions, corev1.PodCondition{Type: condition.kind, Status: corev1.ConditionTrue, LastTransitionTime: after(condition.at)})
	}
	start := after(0)
	status := corev1.PodStatus{
		Phase: corev1.PodRunning, QOSClass: corev1.PodQOSBurstable, StartTime: &start, Conditions: conditions,
		HostIP: t.hostIP, HostIPs: []corev1.HostIP{{IP: t.hostIP}},
		PodIP: t.podIP, PodIPs: []corev1.PodIP{{IP: t.podIP}},
	}
	started := true
	for c, container := range pod.Spec.Containers {
		s := corev1.ContainerStatus{
			Name: container.Name, Ready: true, Started: &started,
			Image: container.Image, ImageID: imageID(container.Image),
			ContainerID: "containerd://" + letters(t.random, 64, hexDigits),
			State:       corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: after(2 + c)}},
		}
		if c == 0 && crashes > 0 {
			s.RestartCount = crashes
			s.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{
				ExitCode: 1, Reason: "Error", StartedAt: after(2), FinishedAt: metav1.Now(),
				ContainerID: fmt.Sprintf("containerd://%064x", crashes),
			}
		}
		status.ContainerStatuses = append(status.ContainerStatuses, s)
	}
	return status
}

// imageID is the same in all pods of an image.
func imageID(image string) string {
	name, _, _ := strings.Cut(image, ":")
	return fmt.Sprintf("%s@sha256:%x", name, sha256.Sum256([]byte(image)))
}

// Pods returns up to limit pods of a ReplicaSet, as the API server has them.
func (w *World) Pods(ctx context.Context, set ReplicaSet, limit int) ([]corev1.Pod, error) {
	list, err := w.Client.CoreV1().Pods(set.Namespace).List(ctx, metav1.ListOptions{LabelSelector: set.Selector(), Limit: int64(limit)})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}
