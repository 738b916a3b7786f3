package simcluster

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
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
	ReplaceAfter  time.Duration // the pods are deleted and recreated, with other names and UIDs
	EvictAfter    time.Duration // the kubelet evicts the pods, for their own use or under NodePressure; others replace them
	NodeLostAfter time.Duration // the node stops reporting: statuses no longer change, and the node controller marks the pods
	NodePressure  bool          // the reason of the eviction is the node, not the pod

	// Age is how old the pods are already, in simulated time, when the Release is deployed.
	Age time.Duration
	// Created dates the deployment. Server.Deploy fills it in; the zero value is a fixed date.
	Created time.Time
}

// Pods are the release's pods, at the given simulated time since its deployment.
func (r Release) Pods(at time.Duration) []corev1.Pod {
	r = r.withDefaults()
	pods := make([]corev1.Pod, 0, r.Replicas)
	for ordinal := range r.Replicas {
		pods = append(pods, r.podsOfReplica(ordinal, at+r.Age)...)
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

// podsOfReplica are the replica's pod and, once that one has been deleted or evicted, its successor.
func (r Release) podsOfReplica(ordinal int, age time.Duration) []corev1.Pod {
	created := r.Created.Add(-r.Age)
	successor := func(after time.Duration) corev1.Pod { return r.pod(ordinal, 1, created.Add(after), age-after) }
	switch {
	case happened(r.DeleteAfter, age):
		return r.deleted(ordinal, r.DeleteAfter, age)
	case happened(r.ReplaceAfter, age):
		return append(r.deleted(ordinal, r.ReplaceAfter, age), successor(r.ReplaceAfter))
	case happened(r.EvictAfter, age):
		evicted := r.pod(ordinal, 0, created, r.EvictAfter)
		evict(&evicted, podClock{created: created, latest: r.EvictAfter}, r.NodePressure)
		return []corev1.Pod{evicted, successor(r.EvictAfter)}
	case happened(r.NodeLostAfter, age):
		lost := r.pod(ordinal, 0, created, r.NodeLostAfter)
		markNotReady(&lost, podClock{created: created, latest: r.NodeLostAfter})
		return []corev1.Pod{lost}
	}
	return []corev1.Pod{r.pod(ordinal, 0, created, age)}
}

// happened reports whether an age has been reached; 0 is never.
func happened(after, age time.Duration) bool { return after > 0 && age >= after }

// deleted is the first pod of a replica in its grace period, and no pod afterwards.
func (r Release) deleted(ordinal int, after, age time.Duration) []corev1.Pod {
	if age >= after+gracePeriod {
		return nil
	}
	created := r.Created.Add(-r.Age)
	pod := r.pod(ordinal, 0, created, age)
	pod.DeletionTimestamp = &metav1.Time{Time: created.Add(after + gracePeriod).Truncate(time.Second)}
	pod.DeletionGracePeriodSeconds = new(int64(gracePeriod / time.Second))
	return []corev1.Pod{pod}
}

func (r Release) pod(ordinal, generation int, created time.Time, age time.Duration) corev1.Pod {
	replicaSet := r.Name + "-" + cmp.Or(r.Hash, "none")
	identity := digest(r.Namespace, replicaSet, fmt.Sprint(ordinal), fmt.Sprint(generation))
	pod := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name:              fmt.Sprintf("%s-%s", replicaSet, rand.SafeEncodeString(identity[:5])),
			GenerateName:      replicaSet + "-",
			Namespace:         r.Namespace,
			UID:               uid(identity),
			Generation:        1,
			CreationTimestamp: metav1.NewTime(created.Truncate(time.Second)),
			Labels:            map[string]string{"app": r.Name, r.HashLabel: r.Hash},
			OwnerReferences:   []metav1.OwnerReference{r.owner()},
		},
	}
	if r.Workload.Kind != "" {
		pod.Labels = r.Workload.podLabels(r.Name, r.Hash)
	}
	lives := lives{app: r.App, init: r.Init, sidecar: r.Sidecar}
	pod.Spec = podSpec(r.Name, lives)
	if age >= schedulingTime && r.Unschedulable == "" {
		pod.Spec.NodeName = r.Node
	}
	setStatus(&pod, lives, created, age, r.Unschedulable)
	return pod
}

// lives are the Lives of one replica's containers.
type lives struct {
	app           Life
	init, sidecar *Life
}

// digest makes names and IDs that are the same in every run: 64 hexadecimal characters.
func digest(parts ...string) string {
	hash := sha256.New()
	for _, part := range parts {
		hash.Write([]byte(part))
		hash.Write([]byte{0})
	}
	return hex.EncodeToString(hash.Sum(nil))
}

func uid(digest string) types.UID {
	return types.UID(digest[0:8] + "-" + digest[8:12] + "-4" + digest[13:16] + "-a" + digest[17:20] + "-" + digest[20:32])
}
