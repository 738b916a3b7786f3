package simcluster

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"
)

// The containers of a Release's pods. Init and sidecar exist only if the Release gives them a Life.
const (
	AppContainer     = "app"
	InitContainer    = "migrate"
	SidecarContainer = "proxy" // a native one: an init container whose restartPolicy is Always (KEP-753)
)

// A Release is one version of an application: replicas of one pod template, as a ReplicaSet would run them.
// Its zero values make one healthy pod of one container in namespace "default".
type Release struct {
	Namespace string // "default" if empty
	Name      string // of the application, and value of the label "app"; "app" if empty
	Hash      string // the pod template's
	HashLabel string // label key of Hash; "pod-template-hash" if empty; a Workload has its own
	Workload  Workload
	Replicas  int    // 1 if 0
	Node      string // on which all pods run; "node1" if empty

	App     Life
	Init    *Life
	Sidecar *Life
	// Unschedulable is the message of the scheduler, which finds no node for the pods. Empty: it finds one.
	Unschedulable string

	// These are the ages, in simulated time, at which the following happens to all pods, once. 0 means never; only one of
	// them may be set.
	DeleteAfter   time.Duration // the pods are deleted: the release is scaled to 0, or another version replaces it
	EvictAfter    time.Duration // the kubelet evicts the pods, for their own use or under NodePressure; others replace them
	NodeLostAfter time.Duration // the node stops reporting: statuses no longer change, and the node controller marks the pods
	NodePressure  bool          // the reason of the eviction is the node, not the pod

	// Age is how old the pods are already, in simulated time, when the Release is deployed.
	Age time.Duration
	// Created dates the deployment. Server.Deploy fills it in; the zero value is a fixed date.
	Created time.Time
}

const gracePeriod = 30 * time.Second

// Pods are the release's pods, at the given simulated time since its deployment.
func (r Release) Pods(at time.Duration) []corev1.Pod {
	r = r.withDefaults().after(at)
	var pods []corev1.Pod
	for ordinal := range r.Replicas {
		pods = append(pods, r.podsOfReplica(ordinal)...)
	}
	return pods
}

func (r Release) withDefaults() Release {
	r.Namespace = cmp.Or(r.Namespace, metav1.NamespaceDefault)
	r.Name = cmp.Or(r.Name, "app")
	r.HashLabel = cmp.Or(r.HashLabel, "pod-template-hash")
	r.Replicas = cmp.Or(r.Replicas, 1)
	r.Node = cmp.Or(r.Node, "node1")
	if r.Created.IsZero() {
		r.Created = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	}
	return r
}

// after is the release when it has become older.
func (r Release) after(d time.Duration) Release {
	r.Age += d
	r.Created = r.Created.Add(d)
	return r
}

// podsOfReplica are the replica's pod and, once that one has been evicted, its successor.
func (r Release) podsOfReplica(ordinal int) []corev1.Pod {
	born := r.Created.Add(-r.Age)
	switch {
	case happened(r.DeleteAfter, r.Age) && r.Age >= r.DeleteAfter+gracePeriod:
		return nil
	case happened(r.DeleteAfter, r.Age):
		pod := r.pod(ordinal, 0, born, r.Age)
		pod.DeletionTimestamp = new(inSeconds(born.Add(r.DeleteAfter + gracePeriod)))
		return []corev1.Pod{pod}
	case happened(r.EvictAfter, r.Age):
		evicted := r.pod(ordinal, 0, born, r.EvictAfter)
		evict(&evicted, born.Add(r.EvictAfter), r.NodePressure)
		return []corev1.Pod{evicted, r.pod(ordinal, 1, born.Add(r.EvictAfter), r.Age-r.EvictAfter)}
	case happened(r.NodeLostAfter, r.Age):
		lost := r.pod(ordinal, 0, born, r.NodeLostAfter)
		markNotReady(&lost)
		return []corev1.Pod{lost}
	}
	return []corev1.Pod{r.pod(ordinal, 0, born, r.Age)}
}

// happened reports whether an age has been reached; 0 is never.
func happened(after, age time.Duration) bool { return after > 0 && age >= after }

// inSeconds is a date in whole seconds: that is all the Kubernetes API keeps.
func inSeconds(date time.Time) metav1.Time { return metav1.NewTime(date.Truncate(time.Second)) }

func (r Release) pod(ordinal, generation int, born time.Time, age time.Duration) corev1.Pod {
	replicaSet := r.Name + "-" + cmp.Or(r.Hash, "none")
	identity := digest(r.Namespace, replicaSet, fmt.Sprint(ordinal), fmt.Sprint(generation))
	pod := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name:              fmt.Sprintf("%s-%s", replicaSet, rand.SafeEncodeString(identity[:5])),
			Namespace:         r.Namespace,
			UID:               uid(identity),
			CreationTimestamp: inSeconds(born),
			Labels:            map[string]string{"app": r.Name, r.HashLabel: r.Hash},
		},
		Spec: r.podSpec(),
	}
	if r.Workload.Kind != "" {
		pod.Labels = r.Workload.podLabels(r.Name, r.Hash)
	}
	r.setStatus(&pod, born, age)
	return pod
}

func (r Release) podSpec() corev1.PodSpec {
	spec := corev1.PodSpec{RestartPolicy: corev1.RestartPolicyAlways, Containers: []corev1.Container{container(AppContainer)}}
	if r.Init != nil {
		spec.InitContainers = append(spec.InitContainers, container(InitContainer))
	}
	if r.Sidecar != nil {
		sidecar := container(SidecarContainer)
		sidecar.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
		spec.InitContainers = append(spec.InitContainers, sidecar)
	}
	return spec
}

func container(name string) corev1.Container { return corev1.Container{Name: name, Image: image(name)} }

func image(container string) string { return "registry.example/" + container + ":1" }

// digest makes names and IDs that are the same in every run: 64 hexadecimal characters.
func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00") + "\x00"))
	return hex.EncodeToString(sum[:])
}

func uid(digest string) types.UID {
	return types.UID(digest[0:8] + "-" + digest[8:12] + "-4" + digest[13:16] + "-a" + digest[17:20] + "-" + digest[20:32])
}
