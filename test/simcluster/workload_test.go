package simcluster

import (
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// describe says what a client sees of a Deployment or a DaemonSet: generations, replicas, image, and its versions.
func describe(t *testing.T, r Release) string {
	t.Helper()
	var b strings.Builder
	imageOf := func(template string) string { return strings.TrimPrefix(template, image(AppContainer)) }
	switch object := r.workload().(type) {
	case *appsv1.Deployment:
		fmt.Fprintf(&b, "generation %d, observed %d, %d replicas, %s;", object.Generation, object.Status.ObservedGeneration,
			*object.Spec.Replicas, imageOf(object.Spec.Template.Spec.Containers[0].Image))
	case *appsv1.StatefulSet:
		fmt.Fprintf(&b, "generation %d, observed %d; %s", object.Generation, object.Status.ObservedGeneration, object.Status.UpdateRevision)
	case *appsv1.DaemonSet:
		fmt.Fprintf(&b, "generation %d, observed %d;", object.Generation, object.Status.ObservedGeneration)
	}
	owner := r.workload().(metav1.Object)
	for _, set := range r.replicaSets() {
		fmt.Fprintf(&b, " %s=%s", set.Labels["pod-template-hash"], imageOf(set.Spec.Template.Spec.Containers[0].Image))
		if !metav1.IsControlledBy(&set, owner) {
			t.Errorf("%s is owned by %v", set.Name, set.OwnerReferences)
		}
	}
	for _, revision := range r.revisions() {
		fmt.Fprintf(&b, " %s=%d", revision.Labels["controller-revision-hash"], revision.Revision)
		if !metav1.IsControlledBy(&revision, owner) {
			t.Errorf("%s is owned by %v", revision.Name, revision.OwnerReferences)
		}
	}
	return b.String()
}

func TestWhatAClientSeesOfAWorkload(t *testing.T) {
	const minute = time.Minute
	for claim, test := range map[string]struct {
		workload Workload
		want     string
	}{
		"a Deployment":             {Workload{Kind: "Deployment"}, "generation 2, observed 2, 1 replicas, ; old=-old abc="},
		"a StatefulSet":            {Workload{Kind: "StatefulSet"}, "generation 2, observed 2; web-abc"},
		"a DaemonSet":              {Workload{Kind: "DaemonSet"}, "generation 2, observed 2; old=1 abc=2"},
		"not observed":             {Workload{Kind: "Deployment", ObservedAfter: 3 * minute}, "generation 2, observed 1, 1 replicas, ; old=-old"},
		"observed after a while":   {Workload{Kind: "StatefulSet", ObservedAfter: 2 * minute}, "generation 2, observed 2; web-abc"},
		"paused":                   {Workload{Kind: "Deployment", Paused: true}, "generation 2, observed 2, 1 replicas, ; old=-old"},
		"superseded":               {Workload{Kind: "Deployment", SupersededAfter: minute}, "generation 3, observed 3, 1 replicas, -next; old=-old abc= next=-next"},
		"superseded: DaemonSet":    {Workload{Kind: "DaemonSet", SupersededAfter: minute}, "generation 3, observed 3; old=1 abc=2 next=3"},
		"superseded after a while": {Workload{Kind: "StatefulSet", SupersededAfter: 3 * minute}, "generation 2, observed 2; web-abc"},
		"scaled to 0":              {Workload{Kind: "Deployment", ScaledToZeroAfter: minute}, "generation 3, observed 3, 0 replicas, ; old=-old abc="},
	} {
		t.Run(claim, func(t *testing.T) {
			release := Release{Name: "web", Hash: "abc", Age: 2 * minute, Workload: test.workload}.withDefaults()
			if got := describe(t, release); got != test.want {
				t.Errorf("\n got: %s\nwant: %s", got, test.want)
			}
		})
	}
}

func TestPodsHaveTheLabelAndTheControllerOfTheirWorkload(t *testing.T) {
	for kind, want := range map[string]string{
		"Deployment":  "pod-template-hash=abc ReplicaSet/web-abc",
		"StatefulSet": "controller-revision-hash=web-abc StatefulSet/web",
		"DaemonSet":   "controller-revision-hash=abc DaemonSet/web",
		"Rollout":     "rollouts-pod-template-hash=abc ReplicaSet/web-abc",
	} {
		pod := Release{Name: "web", Hash: "abc", Workload: Workload{Kind: kind}}.Pods(time.Minute)[0]
		key, _, _ := strings.Cut(want, "=")
		owner := metav1.GetControllerOf(&pod)
		if got := fmt.Sprintf("%s=%s %s/%s", key, pod.Labels[key], owner.Kind, owner.Name); got != want || pod.Labels["app"] != "web" {
			t.Errorf("%s: got %s, labels %v, want %s", kind, got, pod.Labels, want)
		}
	}
}
