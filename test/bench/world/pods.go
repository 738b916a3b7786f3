package world

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"
)

const (
	// Hash is the pod-template-hash of all pods, as in pod.yaml.
	Hash = "7f5b9c6d48"
	// nodes is the number of nodes that the pods are spread over. They do not exist, so no kubelet changes the pods.
	nodes = 200
	// creators is how many pods are created at once: two processors cannot serve more.
	creators = 16
)

//go:embed pod.yaml
var manifest []byte

// newPod makes a running pod that differs from others as real pods do.
func newPod() *corev1.Pod {
	pod := &corev1.Pod{}
	if err := yaml.UnmarshalStrict(manifest, pod); err != nil {
		panic(err) // a test covers it
	}
	node := mathrand.IntN(nodes)
	hostIP := fmt.Sprintf("10.0.%d.%d", node*37%256, node*91%256)
	podIP := fmt.Sprintf("10.244.%d.%d", node, 2+mathrand.IntN(250))
	pod.Annotations = map[string]string{
		"cni.projectcalico.org/containerID": randomHex(64),
		"cni.projectcalico.org/podIP":       podIP + "/32",
		"cni.projectcalico.org/podIPs":      podIP + "/32",
	}
	pod.Spec.NodeName = "ip-" + strings.ReplaceAll(hostIP, ".", "-") + ".eu-central-1.compute.internal"
	proxy := pod.Spec.Containers[1]
	proxy.Env[len(proxy.Env)-1].Value = randomHex(32)

	begun := time.Now().Add(-10*time.Minute - mathrand.N(5*time.Minute))
	after := func(seconds int) metav1.Time { return metav1.NewTime(begun.Add(time.Duration(seconds) * time.Second)) }
	start, ready := after(0), after(8+mathrand.IntN(20))
	status := &pod.Status
	status.StartTime = &start
	for i := range status.Conditions {
		status.Conditions[i].LastTransitionTime = start
		if kind := status.Conditions[i].Type; kind == corev1.PodReady || kind == corev1.ContainersReady {
			status.Conditions[i].LastTransitionTime = ready
		}
	}
	status.HostIP, status.HostIPs = hostIP, []corev1.HostIP{{IP: hostIP}}
	status.PodIP, status.PodIPs = podIP, []corev1.PodIP{{IP: podIP}}
	for i := range status.ContainerStatuses {
		status.ContainerStatuses[i].ContainerID = "containerd://" + randomHex(64)
		status.ContainerStatuses[i].State.Running = &corev1.ContainerStateRunning{StartedAt: after(2 + i)}
	}
	return pod
}

func randomHex(digits int) string {
	random := make([]byte, digits/2)
	rand.Read(random)
	return hex.EncodeToString(random)
}

// CreatePods creates a namespace with a number of running pods.
func (w *World) CreatePods(ctx context.Context, namespace string, pods int) error {
	for _, command := range []string{
		"create namespace " + namespace,
		"create serviceaccount default -n " + namespace, // the controller manager would do it
	} {
		if _, err := w.runKubectl(ctx, command); err != nil {
			return err
		}
	}
	// The administrator's client, in the encoding that costs least.
	config := rest.CopyConfig(w.Config)
	config.ContentType = "application/vnd.kubernetes.protobuf"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(creators)
	for range pods {
		group.Go(func() error {
			pod := newPod()
			created, err := client.CoreV1().Pods(namespace).Create(ctx, pod, metav1.CreateOptions{FieldManager: "kube-controller-manager"})
			if err != nil {
				return fmt.Errorf("create a pod: %w", err)
			}
			created.Status = pod.Status
			return updateStatus(ctx, client, created)
		})
	}
	return group.Wait()
}

// Crash gives one pod the status of a pod whose first container has crashed this
// many times and runs again. It returns when the API server has stored it.
func (w *World) Crash(ctx context.Context, namespace string, crashes int32) error {
	pods, err := w.Client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{Limit: 1})
	if err != nil {
		return err
	}
	pod := &pods.Items[0]
	status := &pod.Status.ContainerStatuses[0]
	status.RestartCount = crashes
	status.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{
		ExitCode: 1, Reason: "Error", StartedAt: status.State.Running.StartedAt, FinishedAt: metav1.Now(),
		ContainerID: "containerd://" + randomHex(64),
	}
	return updateStatus(ctx, w.Client, pod)
}

func updateStatus(ctx context.Context, client kubernetes.Interface, pod *corev1.Pod) error {
	_, err := client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{FieldManager: "kubelet"})
	if err != nil {
		return fmt.Errorf("update the status of %s: %w", pod.Name, err)
	}
	return nil
}
