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
	HashLabel string // label key of Hash; "pod-template-hash" if empty
	Replicas  int    // 1 if 0

	App     Life
	Init    *Life
	Sidecar *Life
	// Faulty is how many of the replicas live as App, Init and Sidecar say; the others stay healthy. 0 means all of them.
	Faulty int

	// ReplaceAfter is the age, in simulated time, at which the pods are deleted, once, and recreated with other names
	// and UIDs, which start anew. 0 means never.
	ReplaceAfter time.Duration
	// Age is how old the pods are already, in simulated time, when the Release is deployed.
	Age time.Duration
	// Created dates the deployment. Server.Deploy fills it in; the zero value is a fixed date.
	Created time.Time
}

// Pods are the release's pods, at the given simulated time since its deployment.
func (r Release) Pods(at time.Duration) []corev1.Pod {
	r = r.withDefaults()
	age := at + r.Age
	pods := make([]corev1.Pod, 0, r.Replicas)
	for ordinal := range r.Replicas {
		pods = append(pods, r.podsOfReplica(ordinal, age)...)
	}
	return pods
}

func (r Release) withDefaults() Release {
	r.Namespace = cmp.Or(r.Namespace, metav1.NamespaceDefault)
	r.Name = cmp.Or(r.Name, "app")
	r.HashLabel = cmp.Or(r.HashLabel, "pod-template-hash")
	r.Replicas = cmp.Or(r.Replicas, 1)
	if r.Created.IsZero() {
		r.Created = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	}
	return r
}

// podsOfReplica has two pods for the moment in which a replaced pod still terminates beside its successor.
func (r Release) podsOfReplica(ordinal int, age time.Duration) []corev1.Pod {
	created := r.Created.Add(-r.Age)
	if r.ReplaceAfter == 0 || age < r.ReplaceAfter {
		return []corev1.Pod{r.pod(ordinal, 0, created, age)}
	}
	successor := r.pod(ordinal, 1, created.Add(r.ReplaceAfter), age-r.ReplaceAfter)
	if age >= r.ReplaceAfter+gracePeriod {
		return []corev1.Pod{successor}
	}
	leaving := r.pod(ordinal, 0, created, age)
	leaving.DeletionTimestamp = &metav1.Time{Time: created.Add(r.ReplaceAfter + gracePeriod).Truncate(time.Second)}
	leaving.DeletionGracePeriodSeconds = new(int64(gracePeriod / time.Second))
	return []corev1.Pod{leaving, successor}
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
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "apps/v1", Kind: "ReplicaSet", Name: replicaSet,
				UID:        uid(digest(r.Namespace, replicaSet)),
				Controller: new(true), BlockOwnerDeletion: new(true),
			}},
		},
	}
	lives := r.lives(ordinal)
	pod.Spec = podSpec(r.Name, lives)
	setStatus(&pod, lives, created, age)
	return pod
}

// lives are those of one replica's containers.
type lives struct {
	app           Life
	init, sidecar *Life
}

func (r Release) lives(ordinal int) lives {
	if r.Faulty == 0 || ordinal < r.Faulty {
		return lives{app: r.App, init: r.Init, sidecar: r.Sidecar}
	}
	healthy := lives{}
	if r.Init != nil {
		healthy.init = &Life{}
	}
	if r.Sidecar != nil {
		healthy.sidecar = &Life{}
	}
	return healthy
}

// digest makes names and IDs that are the same in every run: hexadecimal, 64 characters.
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
