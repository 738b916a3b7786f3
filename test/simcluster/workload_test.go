package simcluster

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const minute = time.Minute

// workloadPath is the path of a workload of namespace shop.
func workloadPath(kind, name string) string {
	resource := workloadResources[kind]
	return fmt.Sprintf("/apis/%s/%s/namespaces/shop/%s/%s", resource.Group, resource.Version, resource.Resource, name)
}

// decode reads the JSON at a path.
func decode(t *testing.T, server *Server, path string, into any) {
	t.Helper()
	code, mediaType, body := get(t, server, path, "")
	if err := json.Unmarshal([]byte(body), into); err != nil || code != 200 || mediaType != asJSON {
		t.Fatalf("%s: got %d %s %s (%v)", path, code, mediaType, body, err)
	}
}

// describe says what a client sees of a workload: generations, replicas, image, and hashes of its versions.
func describe(t *testing.T, server *Server, kind string) string {
	t.Helper()
	var object struct {
		metav1.TypeMeta
		Metadata metav1.ObjectMeta
		Spec     struct {
			Replicas *int32
			Paused   bool
			Template corev1.PodTemplateSpec
		}
		Status struct {
			ObservedGeneration             any
			UpdateRevision, CurrentPodHash string
			Abort                          bool
		}
	}
	decode(t, server, workloadPath(kind, "web"), &object)
	if object.Kind != kind || object.APIVersion != workloadResources[kind].GroupVersion().String() || object.Metadata.ResourceVersion == "" {
		t.Errorf("got a %s of %s with resourceVersion %q", object.Kind, object.APIVersion, object.Metadata.ResourceVersion)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "generation %d, observed %v", object.Metadata.Generation, object.Status.ObservedGeneration)
	if object.Spec.Replicas != nil {
		fmt.Fprintf(&b, ", %d replicas", *object.Spec.Replicas)
	}
	fmt.Fprintf(&b, ", %s", strings.TrimPrefix(object.Spec.Template.Spec.Containers[0].Image, "registry.example/app:1"))
	if object.Spec.Paused {
		b.WriteString(", paused")
	}
	if object.Status.Abort {
		b.WriteString(", aborted")
	}
	b.WriteString("; " + object.Status.UpdateRevision + object.Status.CurrentPodHash)

	var sets appsv1.ReplicaSetList
	decode(t, server, "/apis/apps/v1/namespaces/shop/replicasets?labelSelector=app%3Dweb", &sets)
	for _, set := range sets.Items {
		fmt.Fprintf(&b, "%s=%s ", set.Labels["pod-template-hash"], strings.TrimPrefix(set.Spec.Template.Spec.Containers[0].Image, "registry.example/app:1"))
		if !metav1.IsControlledBy(&set, &object.Metadata) {
			t.Errorf("%s is owned by %v", set.Name, set.OwnerReferences)
		}
	}
	var revisions appsv1.ControllerRevisionList
	decode(t, server, "/apis/apps/v1/namespaces/shop/controllerrevisions?labelSelector=app%3Dweb", &revisions)
	for _, revision := range revisions.Items {
		fmt.Fprintf(&b, "%s=%d ", revision.Labels["controller-revision-hash"], revision.Revision)
		if !metav1.IsControlledBy(&revision, &object.Metadata) {
			t.Errorf("%s is owned by %v", revision.Name, revision.OwnerReferences)
		}
	}
	if sets.Kind != "ReplicaSetList" || sets.ResourceVersion == "" || revisions.Kind != "ControllerRevisionList" || revisions.ResourceVersion == "" {
		t.Errorf("the lists are %v %v and %v %v", sets.TypeMeta, sets.ListMeta, revisions.TypeMeta, revisions.ListMeta)
	}
	return strings.TrimSpace(b.String())
}

func TestWhatAClientSeesOfAWorkload(t *testing.T) {
	for claim, test := range map[string]struct {
		workload Workload
		want     string
	}{
		"a Deployment":                {Workload{Kind: "Deployment"}, "generation 2, observed 2, 2 replicas, ; old=-old abc="},
		"a StatefulSet":               {Workload{Kind: "StatefulSet"}, "generation 2, observed 2, 2 replicas, ; web-abc"},
		"a DaemonSet":                 {Workload{Kind: "DaemonSet"}, "generation 2, observed 2, ; old=1 abc=2"},
		"a Rollout":                   {Workload{Kind: "Rollout"}, "generation 2, observed 2, 2 replicas, ; abc"},
		"not observed: Deployment":    {Workload{Kind: "Deployment", ObservedAfter: 3 * minute}, "generation 2, observed 1, 2 replicas, ; old=-old"},
		"not observed: StatefulSet":   {Workload{Kind: "StatefulSet", ObservedAfter: 3 * minute}, "generation 2, observed 1, 2 replicas, ; web-old"},
		"not observed: DaemonSet":     {Workload{Kind: "DaemonSet", ObservedAfter: 3 * minute}, "generation 2, observed 1, ; old=1"},
		"observed since two minutes":  {Workload{Kind: "Deployment", ObservedAfter: 2 * minute}, "generation 2, observed 2, 2 replicas, ; old=-old abc="},
		"paused":                      {Workload{Kind: "Deployment", Paused: true}, "generation 2, observed 2, 2 replicas, , paused; old=-old"},
		"aborted":                     {Workload{Kind: "Rollout", Aborted: true}, "generation 2, observed 2, 2 replicas, , aborted; abc"},
		"superseded: Deployment":      {Workload{Kind: "Deployment", SupersededAfter: minute}, "generation 3, observed 3, 2 replicas, -next; old=-old abc= next=-next"},
		"superseded: StatefulSet":     {Workload{Kind: "StatefulSet", SupersededAfter: minute}, "generation 3, observed 3, 2 replicas, -next; web-next"},
		"superseded: DaemonSet":       {Workload{Kind: "DaemonSet", SupersededAfter: minute}, "generation 3, observed 3, -next; old=1 abc=2 next=3"},
		"superseded: Rollout":         {Workload{Kind: "Rollout", SupersededAfter: minute}, "generation 3, observed 3, 2 replicas, -next; next"},
		"to be superseded in a while": {Workload{Kind: "Rollout", SupersededAfter: 3 * minute}, "generation 2, observed 2, 2 replicas, ; abc"},
		"scaled to 0":                 {Workload{Kind: "Deployment", ScaledToZeroAfter: minute}, "generation 3, observed 3, 0 replicas, ; old=-old abc="},
	} {
		t.Run(claim, func(t *testing.T) {
			server := start(t)
			server.Deploy(Release{Namespace: "shop", Name: "web", Hash: "abc", Replicas: 2, Age: 2 * minute, Workload: test.workload})
			server.Deploy(Release{Namespace: "shop", Name: "other", Hash: "abc", Workload: Workload{Kind: test.workload.Kind}})
			server.Deploy(Release{Namespace: "elsewhere", Name: "web", Hash: "def", Workload: Workload{Kind: test.workload.Kind}})
			if got := describe(t, server, test.workload.Kind); got != test.want {
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
		release := Release{Name: "web", Hash: "abc", Workload: Workload{Kind: kind}}.withDefaults()
		pod := release.Pods(minute)[0]
		selector, owner := strings.Fields(want)[0], metav1.GetControllerOf(&pod)
		key, value, _ := strings.Cut(selector, "=")
		if got := fmt.Sprintf("%s=%s %s/%s", key, pod.Labels[key], owner.Kind, owner.Name); got != want || pod.Labels["app"] != "web" || value == "" {
			t.Errorf("%s: got %s, labels %v, want %s", kind, got, pod.Labels, want)
		}
		if kind == "Deployment" && owner.UID != release.replicaSets(minute)[1].UID {
			t.Error("the pod's controller is not the Deployment's ReplicaSet")
		}
	}
}

func TestWorkloadsThatDoNotExist(t *testing.T) {
	deleted := Release{Namespace: "shop", Name: "web", Age: 2 * minute, Workload: Workload{Kind: "Deployment", DeletedAfter: minute}}
	rollout := Release{Namespace: "shop", Name: "web", Workload: Workload{Kind: "Rollout"}}
	const status = `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"%[1]s \"%[2]s\" not found","reason":"NotFound",` +
		`"details":{"name":"%[2]s","group":"%[3]s","kind":"%[4]s"},"code":404}`
	for claim, test := range map[string]struct {
		release    Release
		path, want string
	}{
		"never created":                         {Release{}, workloadPath("Deployment", "web"), fmt.Sprintf(status, "deployments.apps", "web", "apps", "deployments")},
		"deleted":                               {deleted, workloadPath("Deployment", "web"), fmt.Sprintf(status, "deployments.apps", "web", "apps", "deployments")},
		"of another kind":                       {deleted, workloadPath("StatefulSet", "web"), fmt.Sprintf(status, "statefulsets.apps", "web", "apps", "statefulsets")},
		"another Rollout":                       {rollout, workloadPath("Rollout", "other"), fmt.Sprintf(status, "rollouts.argoproj.io", "other", "argoproj.io", "rollouts")},
		"a Rollout where Argo is not installed": {deleted, workloadPath("Rollout", "web"), "404 page not found"},
		"a resource that is not simulated":      {deleted, "/apis/batch/v1/namespaces/shop/jobs/web", "404 page not found"},
	} {
		t.Run(claim, func(t *testing.T) {
			server := start(t)
			server.Deploy(test.release)
			if code, _, body := get(t, server, test.path, asJSON); code != 404 || strings.TrimSpace(body) != test.want {
				t.Errorf("\n got: %d %s\nwant: 404 %s", code, body, test.want)
			}
		})
	}
}

func TestCustomResourcesAreServedInJSONOnly(t *testing.T) {
	server := start(t)
	server.Deploy(Release{Namespace: "shop", Name: "web", Workload: Workload{Kind: "Rollout"}})
	server.Deploy(Release{Namespace: "shop", Name: "web", Workload: Workload{Kind: "Deployment"}})
	for _, test := range []struct {
		kind, accept, mediaType string
		code                    int
	}{
		{"Rollout", asEither, asJSON, 200},
		{"Rollout", asProtobuf, asJSON, 406},
		{"Deployment", asEither, asProtobuf, 200},
	} {
		if code, mediaType, body := get(t, server, workloadPath(test.kind, "web"), test.accept); code != test.code || mediaType != test.mediaType {
			t.Errorf("%s as %s: got %d %s %q", test.kind, test.accept, code, mediaType, body)
		}
	}
}
