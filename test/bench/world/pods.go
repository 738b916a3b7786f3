package world

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// HashLabel is the label by which the gates find the pods of a ReplicaSet:
// the first one that crashcheck tries.
const HashLabel = "rollouts-pod-template-hash"

// creators is how many pods are created at once: more than two processors
// serve does not help.
const creators = 16

// ReplicaSet is a number of pods under one hash.
type ReplicaSet struct {
	Namespace, Hash string
	Pods            int
}

// Selector chooses the pods.
func (r ReplicaSet) Selector() string { return HashLabel + "=" + r.Hash }

// Name is the name of one of the pods.
func (r ReplicaSet) Name(i int) string { return fmt.Sprintf("checkout-%s-%05d", r.Hash, i) }

// CreatePods creates the pods of these ReplicaSets and gives them the status
// of running pods, through the status subresource as a kubelet does.
func (w *World) CreatePods(ctx context.Context, sets ...ReplicaSet) error {
	client, err := w.protobufClient()
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(creators)
	for _, set := range sets {
		for i := range set.Pods {
			group.Go(func() error { return createPod(ctx, client, set, i) })
		}
	}
	return group.Wait()
}

// protobufClient is the administrator's, in the encoding that costs least.
func (w *World) protobufClient() (kubernetes.Interface, error) {
	config := rest.CopyConfig(w.Config)
	config.ContentType = "application/vnd.kubernetes.protobuf"
	return kubernetes.NewForConfig(config)
}

func createPod(ctx context.Context, client kubernetes.Interface, set ReplicaSet, i int) error {
	pods := client.CoreV1().Pods(set.Namespace)
	created, err := pods.Create(ctx, newPod(set, i), metav1.CreateOptions{FieldManager: "kube-controller-manager"})
	if err != nil {
		return fmt.Errorf("create pod %d of %s: %w", i, set.Hash, err)
	}
	return patchStatus(ctx, client, created.Namespace, created.Name, runningStatus(created, 0, false))
}

// Crash gives a pod the status of one whose first container has crashed this
// often: it waits in back-off, or runs again. It returns when the API server
// has the change.
func (w *World) Crash(ctx context.Context, set ReplicaSet, i int, crashes int32, waits bool) error {
	pod := newPod(set, i)
	return patchStatus(ctx, w.Client, set.Namespace, pod.Name, runningStatus(pod, crashes, waits))
}

func patchStatus(ctx context.Context, client kubernetes.Interface, namespace, name string, status corev1.PodStatus) error {
	patch, err := json.Marshal(map[string]any{"status": status})
	if err != nil {
		return err
	}
	_, err = client.CoreV1().Pods(namespace).Patch(ctx, name, types.StrategicMergePatchType, patch,
		metav1.PatchOptions{FieldManager: "kubelet"}, "status")
	if err != nil {
		return fmt.Errorf("patch the status of %s: %w", name, err)
	}
	return nil
}

// runningStatus is what a kubelet says of a pod whose second container runs
// well, and whose first one has ended this often.
func runningStatus(pod *corev1.Pod, crashes int32, waits bool) corev1.PodStatus {
	begun := metav1.NewTime(time.Now().Add(-10 * time.Minute).Truncate(time.Second))
	conditions := []corev1.PodCondition{}
	for _, kind := range []corev1.PodConditionType{"PodReadyToStartContainers", corev1.PodInitialized, corev1.PodReady, corev1.ContainersReady, corev1.PodScheduled} {
		conditions = append(conditions, corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: begun})
	}
	status := corev1.PodStatus{
		Phase: corev1.PodRunning, QOSClass: corev1.PodQOSBurstable, StartTime: &begun, Conditions: conditions,
		HostIP: "10.12.0.17", HostIPs: []corev1.HostIP{{IP: "10.12.0.17"}},
		PodIP: "10.244.3.118", PodIPs: []corev1.PodIP{{IP: "10.244.3.118"}},
	}
	started := true
	for c, container := range pod.Spec.Containers {
		s := corev1.ContainerStatus{
			Name: container.Name, Ready: true, Started: &started,
			Image: container.Image, ImageID: imageID(container.Image),
			ContainerID: "containerd://" + hex(64),
			State:       corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: begun}},
		}
		if c == 0 && crashes > 0 {
			end := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
				ExitCode: 1, Reason: "Error", StartedAt: begun, FinishedAt: metav1.Now(), ContainerID: s.ContainerID,
			}}
			s.LastTerminationState, s.RestartCount = end, crashes
			end.Terminated.ContainerID = "containerd://" + hex(64)
			if waits {
				// The last end is not in restartCount before the next start.
				end.Terminated.ContainerID = s.ContainerID
				s.RestartCount, s.Ready = crashes-1, false
				s.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{
					Reason: "CrashLoopBackOff", Message: "back-off 20s restarting failed container=" + s.Name + " pod=" + pod.Name,
				}}
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

// hex is an id of this many digits, as a container's.
func hex(digits int) string {
	id := make([]byte, digits)
	for i := range id {
		id[i] = "0123456789abcdef"[rand.IntN(16)]
	}
	return string(id)
}

// PodSize is the size of one of the pods in JSON, as kubectl and the like read
// it in a list.
func (w *World) PodSize(ctx context.Context, set ReplicaSet) (int, error) {
	data, err := w.Client.CoreV1().RESTClient().Get().Namespace(set.Namespace).Resource("pods").Name(set.Name(0)).
		SetHeader("Accept", "application/json").DoRaw(ctx)
	return len(data), err
}
