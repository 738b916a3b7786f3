package simcluster

import (
	"fmt"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

const revisionHashLabel = appsv1.ControllerRevisionHashLabelKey

var rolloutGroupVersion = schema.GroupVersion{Group: "argoproj.io", Version: "v1alpha1"}

// A Workload is the Deployment, StatefulSet, DaemonSet or Rollout (Argo Rollouts) that releases a Release. Its name and its
// pod template are those of the Release, and there was a version before it, with the hash "old".
//
// Its times are ages of the Release, as those of its pods are. They change the workload only: the Release says what happens to
// its pods.
type Workload struct {
	Kind string // such as "Deployment"; empty: the Release has no workload

	Paused  bool // the controller of a Deployment makes no ReplicaSet of the Release
	Aborted bool // a Rollout goes back to the version before

	ObservedAfter     time.Duration // the controller observes the Release then, not immediately
	SupersededAfter   time.Duration // the pod template changes: a version with the hash "next"; 0: never
	ScaledToZeroAfter time.Duration // 0: never
	DeletedAfter      time.Duration // 0: never
}

// podLabels are the labels of the pods of a version.
func (w Workload) podLabels(app, hash string) map[string]string {
	switch w.Kind {
	case "StatefulSet":
		return map[string]string{"app": app, revisionHashLabel: app + "-" + hash}
	case "DaemonSet":
		return map[string]string{"app": app, revisionHashLabel: hash}
	case "Rollout":
		return map[string]string{"app": app, "rollouts-pod-template-hash": hash}
	}
	return map[string]string{"app": app, appsv1.DefaultDeploymentUniqueLabelKey: hash}
}

func (r Release) controller(kind, name string) metav1.OwnerReference {
	return *metav1.NewControllerRef(&metav1.ObjectMeta{Name: name, UID: r.uidOf(kind, name)}, appsv1.SchemeGroupVersion.WithKind(kind))
}

func (r Release) uidOf(kind, name string) types.UID { return uid(digest(r.Namespace, kind, name)) }

// hashes are the hashes of the versions that the workload has had, in their order.
func (r Release) hashes() []string {
	hashes := []string{"old", r.Hash}
	if happened(r.Workload.SupersededAfter, r.Age) {
		hashes = append(hashes, "next")
	}
	return hashes
}

// observed are the hashes of the versions that the workload's controller has observed.
func (r Release) observed() []string {
	if r.Age < r.Workload.ObservedAfter {
		return []string{"old"}
	}
	return r.hashes()
}

func last(hashes []string) string { return hashes[len(hashes)-1] }

// template is the pod template of a version. Each version has an image of its own.
func (r Release) template(hash string) corev1.PodTemplateSpec {
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": r.Name}}, Spec: r.podSpec()}
	if hash != r.Hash {
		template.Spec.Containers[0].Image += "-" + hash
	}
	return template
}

func (r Release) meta(kind, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: r.Namespace, Name: name, UID: r.uidOf(kind, name), Generation: 1, Labels: map[string]string{"app": r.Name},
		CreationTimestamp: inSeconds(r.Created.Add(-r.Age)),
	}
}

// workload is the release's workload.
func (r Release) workload() versioned {
	w, hashes, observed := r.Workload, r.hashes(), r.observed()
	replicas, generation := int32(r.Replicas), int64(len(observed))
	meta := r.meta(w.Kind, r.Name)
	meta.Generation = int64(len(hashes))
	if happened(w.ScaledToZeroAfter, r.Age) {
		replicas = 0
		meta.Generation, generation = meta.Generation+1, generation+1
	}
	selector, template := &metav1.LabelSelector{MatchLabels: meta.Labels}, r.template(last(hashes))
	switch w.Kind {
	case "StatefulSet":
		return &appsv1.StatefulSet{
			ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{Replicas: &replicas, Selector: selector, Template: template},
			Status: appsv1.StatefulSetStatus{ObservedGeneration: generation, UpdateRevision: r.Name + "-" + last(observed)},
		}
	case "DaemonSet":
		return &appsv1.DaemonSet{
			ObjectMeta: meta, Spec: appsv1.DaemonSetSpec{Selector: selector, Template: template},
			Status: appsv1.DaemonSetStatus{ObservedGeneration: generation},
		}
	}
	deployment := &appsv1.Deployment{
		ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Replicas: &replicas, Selector: selector, Template: template, Paused: w.Paused},
		Status: appsv1.DeploymentStatus{ObservedGeneration: generation},
	}
	if w.Kind == "Deployment" {
		return deployment
	}
	return rollout(deployment, last(observed), w.Aborted)
}

// rollout is a Rollout with the metadata and the spec of a Deployment. It has no Go type here.
func rollout(deployment *appsv1.Deployment, hash string, aborted bool) *unstructured.Unstructured {
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(deployment)
	if err != nil {
		panic(fmt.Sprintf("convert a Deployment: %v", err)) // its type is known
	}
	status := map[string]any{"observedGeneration": strconv.FormatInt(deployment.Status.ObservedGeneration, 10), "currentPodHash": hash}
	if aborted {
		status["abort"], status["message"] = true, "RolloutAborted: Rollout aborted update to revision 2"
	}
	object["status"] = status
	rollout := &unstructured.Unstructured{Object: object}
	rollout.SetGroupVersionKind(rolloutGroupVersion.WithKind("Rollout"))
	return rollout
}

// replicaSets are those of a Deployment.
func (r Release) replicaSets() (sets []appsv1.ReplicaSet) {
	hashes := r.observed()
	switch {
	case r.Workload.Kind != "Deployment":
		return nil
	case r.Workload.Paused:
		hashes = hashes[:1]
	}
	for _, hash := range hashes {
		set := appsv1.ReplicaSet{ObjectMeta: r.meta("ReplicaSet", r.Name+"-"+hash)}
		set.OwnerReferences = []metav1.OwnerReference{r.controller("Deployment", r.Name)}
		set.Labels[appsv1.DefaultDeploymentUniqueLabelKey] = hash
		set.Spec.Template = r.template(hash)
		set.Spec.Template.Labels[appsv1.DefaultDeploymentUniqueLabelKey] = hash
		sets = append(sets, set)
	}
	return sets
}

// revisions are those of a DaemonSet.
func (r Release) revisions() (revisions []appsv1.ControllerRevision) {
	if r.Workload.Kind != "DaemonSet" {
		return nil
	}
	for i, hash := range r.observed() {
		revision := appsv1.ControllerRevision{ObjectMeta: r.meta("ControllerRevision", r.Name+"-"+hash), Revision: int64(i + 1)}
		revision.OwnerReferences = []metav1.OwnerReference{r.controller("DaemonSet", r.Name)}
		revision.Labels[revisionHashLabel] = hash
		revisions = append(revisions, revision)
	}
	return revisions
}
