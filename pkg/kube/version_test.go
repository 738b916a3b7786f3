package kube

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
)

// shopTemplate is the pod template of version "new" of the workload shop.
func shopTemplate(edits ...func(*corev1.PodTemplateSpec)) corev1.PodTemplateSpec {
	template := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "shop"}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "app", Image: "shop:2",
			Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse("1")}},
		}}},
	}
	for _, edit := range edits {
		edit(&template)
	}
	return template
}

func withImage(image string) func(*corev1.PodTemplateSpec) {
	return func(template *corev1.PodTemplateSpec) { template.Spec.Containers[0].Image = image }
}

func shopMeta() metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: "shop", Namespace: "shop", UID: "u1", ResourceVersion: "7", Generation: 5}
}

var shopSelector = &metav1.LabelSelector{
	MatchLabels:      map[string]string{"app": "shop"},
	MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "tier", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"cache"}}},
}

func shopDeployment(edits ...func(*appsv1.Deployment)) *appsv1.Deployment {
	d := &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{Kind: "Deployment", APIVersion: "apps/v1"},
		ObjectMeta: shopMeta(),
		Spec:       appsv1.DeploymentSpec{Replicas: new(int32(2)), Selector: shopSelector, Template: shopTemplate()},
		Status:     appsv1.DeploymentStatus{ObservedGeneration: 5},
	}
	for _, edit := range edits {
		edit(d)
	}
	return d
}

func shopStatefulSet(edits ...func(*appsv1.StatefulSet)) *appsv1.StatefulSet {
	s := &appsv1.StatefulSet{
		TypeMeta:   metav1.TypeMeta{Kind: "StatefulSet", APIVersion: "apps/v1"},
		ObjectMeta: shopMeta(),
		Spec:       appsv1.StatefulSetSpec{Selector: shopSelector, Template: shopTemplate()},
		Status:     appsv1.StatefulSetStatus{ObservedGeneration: 5, CurrentRevision: "shop-old", UpdateRevision: "shop-new"},
	}
	for _, edit := range edits {
		edit(s)
	}
	return s
}

func shopDaemonSet(edits ...func(*appsv1.DaemonSet)) *appsv1.DaemonSet {
	s := &appsv1.DaemonSet{
		TypeMeta:   metav1.TypeMeta{Kind: "DaemonSet", APIVersion: "apps/v1"},
		ObjectMeta: shopMeta(),
		Spec:       appsv1.DaemonSetSpec{Selector: shopSelector, Template: shopTemplate()},
		Status:     appsv1.DaemonSetStatus{ObservedGeneration: 5},
	}
	for _, edit := range edits {
		edit(s)
	}
	return s
}

// shopRollout returns a Rollout as Argo Rollouts writes it, with changes to its spec and status. The value nil removes a key.
func shopRollout(spec, status map[string]any) map[string]any {
	rollout := map[string]any{
		"kind": "Rollout", "apiVersion": "argoproj.io/v1alpha1",
		"metadata": map[string]any{
			"name": "shop", "namespace": "shop", "uid": "u1", "resourceVersion": "7", "generation": 5,
			"annotations": map[string]any{"rollout.argoproj.io/workload-generation": "3"},
		},
		"spec":   map[string]any{"replicas": 2, "selector": shopSelector, "template": shopTemplate(), "strategy": map[string]any{"canary": map[string]any{}}},
		"status": map[string]any{"observedGeneration": "5", "currentPodHash": "new", "stableRS": "old", "phase": "Progressing"},
	}
	for part, changes := range map[string]map[string]any{"spec": spec, "status": status} {
		for key, value := range changes {
			if value == nil {
				delete(rollout[part].(map[string]any), key)
			} else {
				rollout[part].(map[string]any)[key] = value
			}
		}
	}
	return rollout
}

func asJSON(t *testing.T, object any) []byte {
	t.Helper()
	body, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// asRead returns an object of the API as it is read.
func asRead(t *testing.T, workload any) *workloadObject {
	t.Helper()
	var kind metav1.TypeMeta
	object, body := &workloadObject{}, asJSON(t, workload)
	if err := json.Unmarshal(body, &kind); err != nil {
		t.Fatal(err)
	}
	if err := decodeObject(body, kind.APIVersion, kind.Kind, object); err != nil {
		t.Fatal(err)
	}
	return object
}

// ownedBy is the metadata of a version of the workload with this UID.
func ownedBy(uid types.UID, name, label, hash string, created int64) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: name, UID: types.UID(name), CreationTimestamp: metav1.Unix(created, 0), Labels: map[string]string{"app": "shop", label: hash},
		OwnerReferences: []metav1.OwnerReference{{Kind: "Deployment", Name: "shop", UID: "another", Controller: new(false)}, {Name: "shop", UID: uid, Controller: new(true)}},
	}
}

// replicaSet returns the ReplicaSet of a version, with the label that the controller adds to its template.
func replicaSet(uid types.UID, hash string, created int64, edits ...func(*corev1.PodTemplateSpec)) appsv1.ReplicaSet {
	set := appsv1.ReplicaSet{ObjectMeta: ownedBy(uid, "shop-"+hash, "pod-template-hash", hash, created)}
	set.Spec.Template = shopTemplate(edits...)
	set.Spec.Template.Labels["pod-template-hash"] = hash
	return set
}

func TestVersionOfADeployment(t *testing.T) {
	oldSet, newSet := replicaSet("u1", "old", 1, withImage("shop:1")), replicaSet("u1", "new", 2)
	orphan, owned := newSet, newSet
	orphan.OwnerReferences = nil
	owned.OwnerReferences = []metav1.OwnerReference{{UID: "u1"}} // but not controlled
	unlabelled := replicaSet("u1", "", 2)
	otherForm := replicaSet("u1", "new", 2, func(template *corev1.PodTemplateSpec) {
		template.Annotations = map[string]string{}
		template.Spec.Containers[0].Resources.Requests["cpu"] = resource.MustParse("1000m")
	})
	paused := func(d *appsv1.Deployment) { d.Spec.Paused = true }
	labelled := func(d *appsv1.Deployment) { d.Spec.Template.Labels["pod-template-hash"] = "x" }
	sets := func(sets ...appsv1.ReplicaSet) []appsv1.ReplicaSet { return sets }
	const none = "deployment shop has no ReplicaSet with its pod template yet"
	for claim, test := range map[string]struct {
		deployment *appsv1.Deployment
		sets       []appsv1.ReplicaSet
		name       string // of the version
		pending    string
	}{
		"the ReplicaSet with the same template":     {shopDeployment(), sets(oldSet, newSet), "new", ""},
		"after a rollback, an old one":              {shopDeployment(func(d *appsv1.Deployment) { withImage("shop:1")(&d.Spec.Template) }), sets(oldSet, newSet), "old", ""},
		"a template in another form is the same":    {shopDeployment(), sets(otherForm), "new", ""},
		"a hash in the Deployment's own template":   {shopDeployment(labelled), sets(newSet), "new", ""},
		"of two, the oldest":                        {shopDeployment(), sets(newSet, replicaSet("u1", "older", 1)), "older", ""},
		"of two of the same second, the first name": {shopDeployment(), sets(newSet, replicaSet("u1", "first", 2)), "first", ""},
		"paused, with its ReplicaSet":               {shopDeployment(paused), sets(oldSet, newSet), "new", ""},
		"paused, without its ReplicaSet":            {shopDeployment(paused), sets(oldSet), "", "deployment shop is paused: no ReplicaSet has its pod template"},
		"no ReplicaSet":                             {shopDeployment(), nil, "", none},
		"no ReplicaSet with its template":           {shopDeployment(), sets(oldSet), "", none},
		"another owner's ReplicaSet":                {shopDeployment(), sets(replicaSet("u2", "new", 1)), "", none},
		"a ReplicaSet without an owner":             {shopDeployment(), sets(orphan), "", none},
		"a ReplicaSet that it owns, not controls":   {shopDeployment(), sets(owned), "", none},
		"a ReplicaSet without a hash":               {shopDeployment(), sets(unlabelled), "", "ReplicaSet shop- has no label pod-template-hash yet"},
	} {
		t.Run(claim, func(t *testing.T) {
			got := deploymentVersion(asRead(t, test.deployment), test.sets)
			want := Version{Name: test.name, Pending: test.pending}
			if test.name != "" {
				want.Source = "ReplicaSet shop-" + test.name + ", whose pod template equals that of deployment shop"
			}
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestVersionOfADaemonSet(t *testing.T) {
	revision := func(uid types.UID, hash string, number int64) appsv1.ControllerRevision {
		return appsv1.ControllerRevision{ObjectMeta: ownedBy(uid, "shop-"+hash, "controller-revision-hash", hash, 1), Revision: number}
	}
	for claim, test := range map[string]struct {
		revisions []appsv1.ControllerRevision
		want      Version
	}{
		"the highest revision": {[]appsv1.ControllerRevision{revision("u1", "old", 9), revision("u1", "new", 10), revision("u1", "older", 8)},
			Version{Name: "new", Source: "ControllerRevision shop-new, whose revision 10 is the highest of daemonset shop"}},
		"not another owner's": {[]appsv1.ControllerRevision{revision("u2", "new", 10)}, Version{Pending: "daemonset shop has no ControllerRevision yet"}},
		"no revision":         {nil, Version{Pending: "daemonset shop has no ControllerRevision yet"}},
		"one without a hash":  {[]appsv1.ControllerRevision{revision("u1", "", 1)}, Version{Pending: "ControllerRevision shop- has no label controller-revision-hash yet"}},
	} {
		t.Run(claim, func(t *testing.T) {
			if got := daemonSetVersion(asRead(t, shopDaemonSet()), test.revisions); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestVersionOfAStatefulSet(t *testing.T) {
	none := shopStatefulSet(func(s *appsv1.StatefulSet) { s.Status.UpdateRevision = "" })
	if got, want := statefulSetVersion(asRead(t, none)), (Version{Pending: "statefulset shop has no status.updateRevision yet"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	want := Version{Name: "shop-new", Source: "status.updateRevision of statefulset shop"}
	if got := statefulSetVersion(asRead(t, shopStatefulSet())); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestVersionOfARollout(t *testing.T) {
	invalid := func(status string) map[string]any {
		return map[string]any{"abort": true, "conditions": []map[string]any{
			{"type": "Progressing", "status": "True", "message": "fine"},
			{"type": "InvalidSpec", "status": status, "lastUpdateTime": "2026-05-04T03:02:01Z", "message": `The Rollout "shop" is invalid: no such Service`},
		}}
	}
	found := Version{Name: "new", Source: "status.currentPodHash of rollout shop"}
	for claim, test := range map[string]struct {
		status map[string]any
		want   Version
	}{
		"status.currentPodHash":             {nil, found},
		"none yet":                          {map[string]any{"currentPodHash": nil}, Version{Pending: "rollout shop has no status.currentPodHash yet"}},
		"aborted":                           {map[string]any{"abort": true, "message": "RolloutAborted: 2"}, Version{Aborted: "rollout shop was aborted: RolloutAborted: 2"}},
		"aborted without a message":         {map[string]any{"abort": true}, Version{Aborted: "rollout shop was aborted"}},
		"not aborted any more":              {map[string]any{"abort": false}, found},
		"invalid: the rest is of before":    {invalid("True"), Version{Pending: `the spec of rollout shop is invalid: The Rollout "shop" is invalid: no such Service`}},
		"not invalid any more, but aborted": {invalid("False"), Version{Aborted: "rollout shop was aborted"}},
	} {
		t.Run(claim, func(t *testing.T) {
			if got := rolloutVersion(asRead(t, shopRollout(nil, test.status))); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestAStatusThatIsNotAboutTheCurrentSpec(t *testing.T) {
	observed := func(generation int64) *appsv1.Deployment {
		return shopDeployment(func(d *appsv1.Deployment) { d.Generation, d.Status.ObservedGeneration = 10, generation })
	}
	rollout := func(generation any) map[string]any {
		return shopRollout(nil, map[string]any{"observedGeneration": generation})
	}
	reference := func(observed any) map[string]any {
		return shopRollout(map[string]any{"workloadRef": map[string]any{"kind": "Deployment", "name": "shop"}}, map[string]any{"workloadObservedGeneration": observed})
	}
	unannotated := reference(nil)
	delete(unannotated["metadata"].(map[string]any), "annotations")
	const (
		last     = "the controller of deployment shop has not observed generation 10 yet (last observed: %)"
		lastOf   = "the controller of rollout shop has not observed generation 5 yet (last observed: %)"
		lastOfIt = "the controller of rollout shop has not observed generation 3 of the workload that it refers to yet (last observed: %)"
	)
	say := func(text, number string) string { return strings.Replace(text, "%", number, 1) }
	for claim, test := range map[string]struct {
		workload any
		want     string
	}{
		"observed":                               {observed(10), ""},
		"a later one observed":                   {observed(11), ""},
		"numbers, not texts, are compared":       {observed(9), say(last, "9")},
		"never observed":                         {observed(0), say(last, "0")},
		"observed, in a Rollout":                 {rollout("5"), ""},
		"a later one observed, in a Rollout":     {rollout("10"), ""},
		"an earlier one observed, in a Rollout":  {rollout("4"), say(lastOf, "4")},
		"never observed, in a Rollout":           {rollout(nil), say(lastOf, "0")},
		"observed by a version before 0.10":      {rollout("6d8f9c"), say(lastOf, "0")},
		"observed as a number, in a Rollout":     {rollout(5), ""},
		"the referenced workload observed":       {reference("3"), ""},
		"an earlier referenced workload":         {reference("2"), say(lastOfIt, "2")},
		"a later one, which was deleted":         {reference("4"), say(lastOfIt, "4")},
		"no referenced workload observed":        {reference(nil), say(lastOfIt, "0")},
		"no annotation for a reference":          {unannotated, ""},
		"an annotation without a reference":      {rollout("5"), ""},
		"a workload that is being deleted":       {shopDeployment(func(d *appsv1.Deployment) { d.DeletionTimestamp = new(metav1.Now()) }), "deployment shop is being deleted"},
		"a StatefulSet that is not observed yet": {shopStatefulSet(func(s *appsv1.StatefulSet) { s.Generation = 6 }), "the controller of statefulset shop has not observed generation 6 yet (last observed: 5)"},
		"a DaemonSet that is not observed yet":   {shopDaemonSet(func(s *appsv1.DaemonSet) { s.Generation = 6 }), "the controller of daemonset shop has not observed generation 6 yet (last observed: 5)"},
	} {
		t.Run(claim, func(t *testing.T) {
			if got := asRead(t, test.workload).notCurrent(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestSelectorOfAVersion(t *testing.T) {
	extra := labels.SelectorFromSet(labels.Set{"track": "canary"})
	reference := func(selector any) map[string]any {
		return shopRollout(map[string]any{"selector": nil}, map[string]any{"selector": selector})
	}
	for claim, test := range map[string]struct {
		workload any
		extra    labels.Selector
		want     string
	}{
		"the workload's own labels and expressions": {shopDeployment(), nil, "app=shop,hash=abc,tier notin (cache)"},
		"and SELECTOR":                                {shopDeployment(), extra, "app=shop,hash=abc,tier notin (cache),track=canary"},
		"status.selector of a canary":                 {reference("app=shop,tier notin (cache)"), nil, "app=shop,hash=abc,tier notin (cache)"},
		"status.selector of the active version":       {reference("app=shop,rollouts-pod-template-hash=old"), extra, "app=shop,hash=abc,track=canary"},
		"spec.selector comes before status.selector":  {shopRollout(nil, map[string]any{"selector": "a=b"}), nil, "app=shop,hash=abc,tier notin (cache)"},
		"an empty selector still requires the hash":   {shopRollout(map[string]any{"selector": map[string]any{}}, nil), nil, "hash=abc"},
		"a workload without a selector":               {reference(nil), nil, "none"},
		"a selector that Argo Rollouts cannot format": {reference("<none>"), nil, "error"},
	} {
		t.Run(claim, func(t *testing.T) {
			own, err := asRead(t, test.workload).podSelector()
			got := "none"
			switch {
			case err != nil:
				got = "error"
			case own != nil:
				selector, err := versionSelector(own, test.extra, "hash", "abc")
				if err != nil {
					t.Fatal(err)
				}
				got = selector.String()
			}
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
	if _, err := versionSelector(labels.Everything(), nil, "hash", "a,b"); err == nil {
		t.Error("a hash that is not a label value: no error")
	}
}

func TestAWorkloadThatIsGone(t *testing.T) {
	replicas := func(n *int32) any {
		return shopDeployment(func(d *appsv1.Deployment) { d.Spec.Replicas = n })
	}
	deleted := shopDeployment(func(d *appsv1.Deployment) { d.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} })
	for claim, test := range map[string]struct {
		now  any
		want string
	}{
		"unchanged":                          {replicas(new(int32(2))), ""},
		"more replicas":                      {replicas(new(int32(9))), ""},
		"no number of replicas means 1":      {replicas(nil), ""},
		"no replicas":                        {replicas(new(int32(0))), "deployment shop was scaled to 0"},
		"a DaemonSet has none":               {shopDaemonSet(), ""},
		"a Rollout without replicas":         {shopRollout(map[string]any{"replicas": 0}, nil), "rollout shop was scaled to 0"},
		"being deleted":                      {deleted, "deployment shop is being deleted"},
		"another one with the same name":     {shopDeployment(func(d *appsv1.Deployment) { d.UID = "u2" }), "deployment shop was deleted and created again"},
		"another one that has not run a pod": {shopDeployment(func(d *appsv1.Deployment) { d.UID, d.Spec.Replicas = "u2", new(int32(0)) }), "deployment shop was deleted and created again"},
	} {
		t.Run(claim, func(t *testing.T) {
			if got := gone(asRead(t, shopDeployment()), asRead(t, test.now)); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
