package kube

import (
	"net/http"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
)

// shopTemplate is the pod template of the workload shop.
func shopTemplate(image string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "shop"}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "app", Image: image,
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse("1")}},
		}}},
	}
}

// ownedBy is the metadata of a version of the workload with this UID.
func ownedBy(uid types.UID, label, hash string, created int64) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: "shop-" + hash, UID: types.UID(hash), CreationTimestamp: metav1.Unix(created, 0), Labels: map[string]string{"app": "shop", label: hash},
		OwnerReferences: []metav1.OwnerReference{{UID: "another", Controller: new(false)}, {UID: uid, Controller: new(true)}},
	}
}

// replicaSet returns the ReplicaSet of a version, with the label that the controller adds to its template.
func replicaSet(uid types.UID, hash string, created int64, image string, edits ...func(*appsv1.ReplicaSet)) appsv1.ReplicaSet {
	set := appsv1.ReplicaSet{ObjectMeta: ownedBy(uid, "pod-template-hash", hash, created)}
	set.Spec.Template = shopTemplate(image)
	set.Spec.Template.Labels["pod-template-hash"] = hash
	for _, edit := range edits {
		edit(&set)
	}
	return set
}

func revision(uid types.UID, hash string, number int64) appsv1.ControllerRevision {
	return appsv1.ControllerRevision{ObjectMeta: ownedBy(uid, "controller-revision-hash", hash, 1), Revision: number}
}

var (
	oldSet, newSet = replicaSet("u1", "old", 1, "shop:1"), replicaSet("u1", "new", 2, "shop:2")
	someExtra      = labels.SelectorFromSet(labels.Set{"track": "canary"})
)

// found is a Version without its selector.
type found struct{ name, source, pending, aborted string }

func TestTheVersionInAList(t *testing.T) {
	type sets = []appsv1.ReplicaSet
	type revisions = []appsv1.ControllerRevision
	uncontrolled := func(set *appsv1.ReplicaSet) { set.OwnerReferences = []metav1.OwnerReference{{UID: "u1"}} }
	otherForm := func(set *appsv1.ReplicaSet) {
		set.Spec.Template.Annotations = map[string]string{}
		set.Spec.Template.Spec.Containers[0].Resources.Requests["cpu"] = resource.MustParse("1000m")
	}
	paused := edits{"spec.paused": true}
	ofSet := func(name string) found {
		return found{name: name, source: "ReplicaSet shop-" + name + ", whose pod template equals that of deployment shop"}
	}
	noSet := found{pending: "deployment shop has no ReplicaSet with its pod template yet"}
	noRevision := found{pending: "daemonset shop has no ControllerRevision yet"}
	for claim, test := range map[string]struct {
		edits edits
		list  any // of ReplicaSets for a Deployment, or ControllerRevisions for a DaemonSet
		want  found
	}{
		"the ReplicaSet with the same template":     {nil, sets{oldSet, newSet}, ofSet("new")},
		"after a rollback, an old one":              {edits{"spec.template": shopTemplate("shop:1")}, sets{oldSet, newSet}, ofSet("old")},
		"a template in another form is the same":    {nil, sets{replicaSet("u1", "new", 2, "shop:2", otherForm)}, ofSet("new")},
		"a hash in the Deployment's own template":   {edits{"spec.template.metadata.labels.pod-template-hash": "x"}, sets{newSet}, ofSet("new")},
		"of two, the oldest":                        {nil, sets{newSet, replicaSet("u1", "older", 1, "shop:2")}, ofSet("older")},
		"of two of the same second, the first name": {nil, sets{newSet, replicaSet("u1", "first", 2, "shop:2")}, ofSet("first")},
		"of as many as a list may have":             {nil, append(make(sets, maxObjects-1), newSet), ofSet("new")},
		"paused, with its ReplicaSet":               {paused, sets{oldSet, newSet}, ofSet("new")},
		"paused, without its ReplicaSet":            {paused, sets{oldSet}, found{pending: "deployment shop is paused: no ReplicaSet has its pod template"}},
		"no ReplicaSet with its template":           {nil, sets{oldSet}, noSet},
		"another owner's ReplicaSet":                {nil, sets{replicaSet("u2", "new", 1, "shop:2")}, noSet},
		"a ReplicaSet that it owns, not controls":   {nil, sets{replicaSet("u1", "new", 2, "shop:2", uncontrolled)}, noSet},
		"a ReplicaSet without a hash":               {nil, sets{replicaSet("u1", "", 2, "shop:2")}, noSet},

		"the highest revision": {nil, revisions{revision("u1", "old", 9), revision("u1", "new", 10), revision("u1", "older", 8)},
			found{name: "new", source: "ControllerRevision shop-new, whose revision 10 is the highest of daemonset shop"}},
		"another owner's revision":  {nil, revisions{revision("u2", "new", 10)}, noRevision},
		"a revision without a hash": {nil, revisions{revision("u1", "", 1)}, noRevision},
	} {
		t.Run(claim, func(t *testing.T) {
			if _, ofDeployment := test.list.(sets); ofDeployment {
				wantVersion(t, "Deployment", objects{"shop": shop("Deployment", test.edits), "replicasets": listOf("ReplicaSet", test.list)}, test.want)
			} else {
				wantVersion(t, "DaemonSet", objects{"shop": shop("DaemonSet", test.edits), "controllerrevisions": listOf("ControllerRevision", test.list)}, test.want)
			}
		})
	}
}

func TestTheVersionInAStatus(t *testing.T) {
	invalid := func(status string) edits {
		return edits{"status.abort": true, "status.conditions": []map[string]any{
			{"type": "Progressing", "status": "True", "message": "fine"},
			{"type": "InvalidSpec", "status": status, "lastUpdateTime": "2026-05-04T03:02:01Z", "message": `The Rollout "shop" is invalid: no such Service`},
		}}
	}
	observed := func(generation any) edits { return edits{"status.observedGeneration": generation} }
	reference := func(observed any) edits {
		return edits{"spec.workloadRef": map[string]any{"kind": "Deployment"}, "status.workloadObservedGeneration": observed}
	}
	unannotated := reference(nil)
	unannotated["metadata.annotations"] = nil
	revision := found{name: "shop-new", source: "status.updateRevision of statefulset shop"}
	hash := found{name: "new", source: "status.currentPodHash of rollout shop"}
	last := func(kind, number string) found {
		return found{pending: "the controller of " + kind + " shop has not observed generation 10 yet (last observed: " + number + ")"}
	}
	lastOfReference := func(number string) found {
		return found{pending: "the controller of rollout shop has not observed generation 3 of the workload that it refers to yet (last observed: " + number + ")"}
	}
	for claim, test := range map[string]struct {
		kind  string
		edits edits
		want  found
	}{
		"status.updateRevision":             {"StatefulSet", nil, revision},
		"no updateRevision yet":             {"StatefulSet", edits{"status.updateRevision": nil}, found{pending: "statefulset shop has no status.updateRevision yet"}},
		"status.currentPodHash":             {"Rollout", nil, hash},
		"no currentPodHash yet":             {"Rollout", edits{"status.currentPodHash": nil}, found{pending: "rollout shop has no status.currentPodHash yet"}},
		"aborted":                           {"Rollout", edits{"status.abort": true, "status.message": "RolloutAborted: 2"}, found{aborted: "rollout shop was aborted: RolloutAborted: 2"}},
		"aborted without a message":         {"Rollout", edits{"status.abort": true}, found{aborted: "rollout shop was aborted"}},
		"invalid: the rest is of before":    {"Rollout", invalid("True"), found{pending: `the spec of rollout shop is invalid: The Rollout "shop" is invalid: no such Service`}},
		"not invalid any more, but aborted": {"Rollout", invalid("False"), found{aborted: "rollout shop was aborted"}},

		"a later one observed":                  {"StatefulSet", observed(11), revision},
		"an earlier one observed: as numbers":   {"StatefulSet", observed(9), last("statefulset", "9")},
		"never observed":                        {"StatefulSet", observed(nil), last("statefulset", "0")},
		"an earlier one observed, in a Rollout": {"Rollout", observed("9"), last("rollout", "9")},
		"observed by a version before 0.10":     {"Rollout", observed("6d8f9c"), last("rollout", "6d8f9c")},
		"aborted before the current spec":       {"Rollout", edits{"status.abort": true, "status.observedGeneration": "9"}, last("rollout", "9")},
		"the referenced workload observed":      {"Rollout", reference("3"), hash},
		"an earlier referenced workload":        {"Rollout", reference("2"), lastOfReference("2")},
		"a later one, which was deleted":        {"Rollout", reference("4"), lastOfReference("4")},
		"no annotation for a reference":         {"Rollout", unannotated, hash},
		"an annotation without a reference":     {"Rollout", edits{"status.workloadObservedGeneration": "2"}, hash},
		"being deleted":                         {"StatefulSet", edits{"metadata.deletionTimestamp": "2026-05-04T03:02:01Z"}, found{pending: "statefulset shop is being deleted"}},
	} {
		t.Run(claim, func(t *testing.T) {
			server := wantVersion(t, test.kind, objects{"shop": shop(test.kind, test.edits)}, test.want)
			if test.want.pending != "" && len(server.requests) != 1 {
				t.Errorf("%d requests, want 1", len(server.requests))
			}
		})
	}
}

func TestTheSelectorOfAVersion(t *testing.T) {
	const own = "app=shop,rollouts-pod-template-hash=new,tier notin (cache)"
	status := func(selector any) edits { return edits{"spec.selector": nil, "status.selector": selector} }
	for claim, test := range map[string]struct {
		edits edits
		extra labels.Selector
		want  string // selector, or a part of the reason
	}{
		"the workload's own labels and expressions": {nil, nil, own},
		"and SELECTOR":                                {nil, someExtra, own + ",track=canary"},
		"status.selector of a canary":                 {status("app=shop,tier notin (cache)"), nil, own},
		"status.selector of the active version":       {status("app=shop,rollouts-pod-template-hash=old"), someExtra, "app=shop,rollouts-pod-template-hash=new,track=canary"},
		"spec.selector comes before status.selector":  {edits{"status.selector": "a=b"}, nil, own},
		"an empty selector still requires the hash":   {edits{"spec.selector": map[string]any{}}, nil, "rollouts-pod-template-hash=new"},
		"a workload without a selector":               {status(nil), nil, "rollout shop has no label selector yet"},
		"a selector that Argo Rollouts cannot format": {status("<none>"), nil, "invalid selector of rollout shop"},
		"a hash that is not a label value":            {edits{"status.currentPodHash": "a,b"}, nil, `invalid version "a,b" of rollout shop`},
	} {
		t.Run(claim, func(t *testing.T) {
			workload, _ := serveWorkload(t, "rollout", objects{"shop": shop("Rollout", test.edits)}, test.extra)
			version, err := resolve(t, workload)
			switch {
			case err != nil:
				wantError(t, err, test.want)
			case version.Selector == nil && version.Pending != test.want:
				t.Errorf("got %+v, want %s", version, test.want)
			case version.Selector != nil && version.Selector.String() != test.want:
				t.Errorf("got %s, want %s", version.Selector, test.want)
			}
		})
	}
}

// Argo Rollouts can update status.observedGeneration before the rest of the status.
func TestTheStatusOfARolloutThatIsChangingIsReadAgain(t *testing.T) {
	rollout := func(edits edits) http.HandlerFunc { return answer(200, mediaJSON, asJSON(t, shop("Rollout", edits))) }
	stale, aborted, current := rollout(edits{"status.currentPodHash": "old"}), rollout(edits{"status.abort": true}), rollout(nil)
	for claim, responses := range map[string][]http.HandlerFunc{
		"the hash is the old one at first":    {stale, current, current, current},
		"the old version was aborted":         {aborted, current, current, current},
		"it changes while it is read again":   {stale, aborted, stale, current, current, current},
		"it is not observed while it is read": {current, rollout(edits{"status.observedGeneration": "9"}), current, current},
		"it is deleted while it is read":      {current, notFound, current, current},
	} {
		t.Run(claim, func(t *testing.T) {
			requests := 0
			workload, _ := serveWorkload(t, "rollout", objects{"shop": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				responses[requests](w, r)
				requests++
			})}, nil)
			for requests < len(responses)-2 {
				if version, err := resolve(t, workload); err != nil || version.Pending == "" {
					t.Fatalf("after %d requests: %+v, %v", requests, version, err)
				}
			}
			if version, err := resolve(t, workload); err != nil || version.Name != "new" || requests != len(responses) {
				t.Errorf("after %d requests: %+v, %v", requests, version, err)
			}
		})
	}
}
