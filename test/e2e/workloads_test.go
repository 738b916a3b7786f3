package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/crashcheck/crashcheck/test/e2e/cluster"
	"github.com/crashcheck/crashcheck/test/e2e/gate"
)

// These run gates with WORKLOAD against the real controllers. No scheduler takes the pods: the tests write their status,
// so that nothing but the controllers decides when something changes.

// A workloadKind is a kind of workload, with a strategy that keeps pods of the old version while those of the new one are
// not Ready.
type workloadKind struct {
	kind     string // as in WORKLOAD
	resource schema.GroupVersionResource
	label    string // of the pods of a version
	spec     map[string]any
	scales   bool
	// template is the resource whose pod template is released, if it is another one: a Rollout can refer to a Deployment.
	template *schema.GroupVersionResource
	// rules are what WORKLOAD needs for this kind, in the order of its requests.
	rules []rbacv1.PolicyRule
}

var deploymentResource = appsv1.SchemeGroupVersion.WithResource("deployments")

func right(verb, group, resource string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{resource}, Verbs: []string{verb}}
}

var workloadKinds = map[string]workloadKind{
	"Deployment": {
		kind: "deployment", resource: deploymentResource, label: deploymentLabel, scales: true,
		spec:  map[string]any{"strategy": map[string]any{"rollingUpdate": map[string]any{"maxSurge": 1, "maxUnavailable": 0}}},
		rules: []rbacv1.PolicyRule{right("get", "apps", "deployments"), right("list", "apps", "replicasets")},
	},
	"StatefulSet": {
		kind: "statefulset", resource: appsv1.SchemeGroupVersion.WithResource("statefulsets"), label: appsv1.ControllerRevisionHashLabelKey, scales: true,
		spec:  map[string]any{"podManagementPolicy": "Parallel"},
		rules: []rbacv1.PolicyRule{right("get", "apps", "statefulsets")},
	},
	"DaemonSet": {
		kind: "daemonset", resource: appsv1.SchemeGroupVersion.WithResource("daemonsets"), label: appsv1.ControllerRevisionHashLabelKey,
		spec:  map[string]any{"updateStrategy": map[string]any{"rollingUpdate": map[string]any{"maxSurge": 1, "maxUnavailable": 0}}},
		rules: []rbacv1.PolicyRule{right("get", "apps", "daemonsets"), right("list", "apps", "controllerrevisions")},
	},
	"Rollout": {
		kind: "rollout", resource: rolloutResource, label: rolloutsLabel, scales: true,
		spec:  map[string]any{"strategy": map[string]any{"canary": map[string]any{"maxSurge": 1, "maxUnavailable": 0}}},
		rules: []rbacv1.PolicyRule{right("get", "argoproj.io", "rollouts")},
	},
	"Rollout with workloadRef": {
		kind: "rollout", resource: rolloutResource, label: rolloutsLabel, scales: true, template: &deploymentResource,
		spec: map[string]any{"strategy": map[string]any{"canary": map[string]any{"maxSurge": 1, "maxUnavailable": 0}}},
	},
}

// needs skips the test where the cluster cannot run this kind.
func (k workloadKind) needs(t *testing.T) {
	t.Helper()
	if k.resource == rolloutResource {
		needsRollouts(t)
	}
	if k.kind == "daemonset" {
		nodes, err := the.client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		if len(nodes.Items) == 0 {
			t.Skip("a DaemonSet has no pods in a cluster without nodes, and this is one")
		}
	}
}

// A workload is one that a test has created.
type workload struct {
	workloadKind
	namespace, name string
}

func (w workload) String() string { return w.kind + "/" + w.name }

// createWorkload creates version 1 of a workload of two pods (a DaemonSet: one for each node).
func createWorkload(t *testing.T, kind workloadKind, namespace, name string) workload {
	t.Helper()
	w := workload{kind, namespace, name}
	w.create(t)
	return w
}

func (w workload) create(t *testing.T) {
	t.Helper()
	spec := maps.Clone(w.spec)
	if w.scales {
		spec["replicas"] = 2
	}
	if w.template == nil {
		apply(t, w.namespace, []byte(marshal(t, w.object(w.resource, w.withTemplate(spec)))))
		return
	}
	apply(t, w.namespace, []byte(marshal(t, w.object(*w.template, w.withTemplate(map[string]any{"replicas": 0})))))
	spec["workloadRef"] = map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "name": w.name}
	apply(t, w.namespace, []byte(marshal(t, w.object(w.resource, spec))))
}

var objectKinds = map[string]string{"deployments": "Deployment", "statefulsets": "StatefulSet", "daemonsets": "DaemonSet", "rollouts": "Rollout"}

func (w workload) object(resource schema.GroupVersionResource, spec map[string]any) map[string]any {
	return map[string]any{
		"apiVersion": resource.GroupVersion().String(),
		"kind":       objectKinds[resource.Resource],
		"metadata":   map[string]any{"name": w.name},
		"spec":       spec,
	}
}

func (w workload) withTemplate(spec map[string]any) map[string]any {
	labels := map[string]string{"app": w.name}
	spec["selector"] = metav1.LabelSelector{MatchLabels: labels}
	spec["template"] = corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: labels},
		Spec: corev1.PodSpec{
			SchedulerName: "nobody",
			Containers:    []corev1.Container{{Name: "main", Image: cluster.CrasherImage, Env: []corev1.EnvVar{{Name: "VERSION", Value: "1"}}}},
		},
	}
	return spec
}

func (w workload) client(t *testing.T, resource schema.GroupVersionResource) dynamic.ResourceInterface {
	t.Helper()
	client, err := dynamic.NewForConfig(the.config)
	if err != nil {
		t.Fatal(err)
	}
	return client.Resource(resource).Namespace(w.namespace)
}

func (w workload) patch(t *testing.T, resource schema.GroupVersionResource, patch []map[string]any, subresources ...string) {
	t.Helper()
	data, err := json.Marshal(patch)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.client(t, resource).Patch(t.Context(), w.name, types.JSONPatchType, data, metav1.PatchOptions{}, subresources...); err != nil {
		t.Fatalf("patch %s: %v", w, err)
	}
}

// release makes a new version, together with further operations on the workload in the same request.
func (w workload) release(t *testing.T, version int, more ...map[string]any) {
	t.Helper()
	operation := map[string]any{"op": "replace", "path": "/spec/template/spec/containers/0/env/0/value", "value": strconv.Itoa(version)}
	if w.template != nil {
		w.patch(t, *w.template, []map[string]any{operation})
	} else {
		more = append(more, operation)
	}
	if len(more) > 0 {
		w.patch(t, w.resource, more)
	}
}

func scaleTo(replicas int) map[string]any {
	return map[string]any{"op": "replace", "path": "/spec/replicas", "value": replicas}
}

func (w workload) delete(t *testing.T) {
	t.Helper()
	background := metav1.DeletePropagationBackground
	if err := w.client(t, w.resource).Delete(t.Context(), w.name, metav1.DeleteOptions{PropagationPolicy: &background}); err != nil {
		t.Fatal(err)
	}
}

// hash returns the value that the controller gives to the label of a version's pods, as soon as there is a ReplicaSet or
// ControllerRevision for it.
func (w workload) hash(t *testing.T, version int) string {
	t.Helper()
	found := ""
	eventually(t, fmt.Sprintf("version %d of %s exists", version, w), patience, func(ctx context.Context) error {
		apps := the.client.AppsV1()
		ours := metav1.ListOptions{LabelSelector: "app=" + w.name}
		sets, err := apps.ReplicaSets(w.namespace).List(ctx, ours)
		if err != nil {
			return err
		}
		for _, set := range sets.Items {
			if hash := set.Labels[w.label]; hash != "" && versionIn(set.Spec.Template.Spec) == version {
				found = hash
				return nil
			}
		}
		revisions, err := apps.ControllerRevisions(w.namespace).List(ctx, ours)
		if err != nil {
			return err
		}
		for _, revision := range revisions.Items {
			var data struct {
				Spec struct{ Template corev1.PodTemplateSpec }
			}
			if err := json.Unmarshal(revision.Data.Raw, &data); err != nil {
				return err
			}
			if versionIn(data.Spec.Template.Spec) == version {
				found = revision.Labels[w.label]
				if w.kind == "statefulset" {
					found = revision.Name
				}
				return nil
			}
		}
		return fmt.Errorf("there are %d ReplicaSets and %d ControllerRevisions of other versions", len(sets.Items), len(revisions.Items))
	})
	return found
}

func versionIn(pod corev1.PodSpec) int {
	version, _ := strconv.Atoi(pod.Containers[0].Env[0].Value)
	return version
}

// pods waits for pods of this version: all of version 1, and at least one of another.
func (w workload) pods(t *testing.T, version int) []corev1.Pod {
	t.Helper()
	var ours []corev1.Pod
	eventually(t, fmt.Sprintf("%s has pods of version %d", w, version), patience, func(ctx context.Context) error {
		ours = nil
		pods, err := the.client.CoreV1().Pods(w.namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=" + w.name})
		if err != nil {
			return err
		}
		for _, pod := range pods.Items {
			if versionIn(pod.Spec) == version && pod.DeletionTimestamp == nil {
				ours = append(ours, pod)
			}
		}
		if len(ours) == 0 || version == 1 && w.scales && len(ours) < 2 {
			return fmt.Errorf("there are %d, and %d in all", len(ours), len(pods.Items))
		}
		return nil
	})
	return ours
}

// runs writes into the pods' statuses that they run after this many restarts.
func runs(t *testing.T, pods []corev1.Pod, restarts int32, ready corev1.ConditionStatus) {
	t.Helper()
	for _, pod := range pods {
		pod.Status.Conditions = []corev1.PodCondition{
			{Type: corev1.ContainersReady, Status: ready}, {Type: corev1.PodReady, Status: ready, LastTransitionTime: metav1.Now()},
		}
		setRestarts(t, &pod, restarts)
	}
}

// becomesAvailable lets all pods of version 1 run after this many restarts, and waits until the controller has noticed: only
// then it keeps them during the next release.
func (w workload) becomesAvailable(t *testing.T, restarts int32) {
	t.Helper()
	runs(t, w.pods(t, 1), restarts, corev1.ConditionTrue)
	if w.resource == rolloutResource {
		waitHealthy(t, w.namespace, w.name, "")
		return
	}
	kubectl(t, nil, "--namespace", w.namespace, "rollout", "status", w.String(), "--timeout="+patience.String())
}

// gate returns the environment of a gate that checks the workload every 10 ms. It never sets COUNT.
func (w workload) gate(more map[string]string) map[string]string {
	all := map[string]string{"WORKLOAD": w.String(), "COUNT": unset, "INTERVAL": "10ms", "DURATION": "120", "DEBUG": "1"}
	maps.Copy(all, more)
	return environment(w.namespace, all)
}

// wantVersionChecked wants a gate to have checked the workload's version with this hash, and to say so wherever it has to.
func wantVersionChecked(t *testing.T, w workload, result gate.Result, hash string) {
	t.Helper()
	if result.Report.Workload == nil || *result.Report.Workload != w.String() {
		t.Errorf("the report does not name %s:\n%s", w, result)
	}
	wantSelector(t, result, "app="+w.name+","+w.label+"="+hash)
	for _, line := range []string{
		"watching " + w.String() + " in namespace " + w.namespace,
		"checking version " + hash + ": pods with app=" + w.name + "," + w.label + "=" + hash,
		"version " + hash + " comes from ",
	} {
		if !strings.Contains(result.Stderr, line) {
			t.Errorf("the log does not say %q:\n%s", line, result)
		}
	}
}

// forEachKind runs a test for each kind, each in a namespace of its own.
func forEachKind(t *testing.T, test func(t *testing.T, kind workloadKind, namespace string)) {
	t.Helper()
	for name, kind := range workloadKinds {
		t.Run(name, func(t *testing.T) {
			kind.needs(t)
			t.Parallel()
			test(t, kind, newNamespace(t, nil))
		})
	}
}

// Old pods with many restarts are still there: they are not those of the release.
func TestWorkloadIsCheckedInItsCurrentVersion(t *testing.T) {
	t.Parallel()
	forEachKind(t, func(t *testing.T, kind workloadKind, namespace string) {
		w := createWorkload(t, kind, namespace, "web")
		w.becomesAvailable(t, 164)
		w.release(t, 2)
		pods := w.pods(t, 2)
		hash := pods[0].Labels[w.label]
		runs(t, pods, 3, corev1.ConditionFalse)

		result := runGate(t, w.gate(map[string]string{"DURATION": "2"}), gate.Pass)
		wantCounts(t, result, 3*int64(len(pods)), int64(len(pods)))
		wantVersionChecked(t, w, result, hash)
		result = runGate(t, w.gate(map[string]string{"CRASH_LIMIT": "3"}), gate.Fail)
		wantVersionChecked(t, w, result, hash)
	})
}

// Template and replicas change in one request, again and again. The status of a Deployment or a Rollout can then be about the
// new template before it names the new version. How often a test sees that depends on the moment, so it is logged only.
func TestWorkloadIsNeverCheckedInAnOldVersion(t *testing.T) {
	t.Parallel()
	forEachKind(t, func(t *testing.T, kind workloadKind, namespace string) {
		releases := map[string]int{"deployment": 20, "rollout": 10}[kind.kind]
		if releases == 0 || kind.template != nil {
			releases = 5
		}
		w := createWorkload(t, kind, namespace, "web")
		old := w.pods(t, 1)[0].Labels[w.label]
		early, waited := 0, 0
		for version := 2; version < 2+releases; version++ {
			var more []map[string]any
			if kind.scales {
				more = append(more, scaleTo(1+version%2))
			}
			w.release(t, version, more...)
			run := startGate(t, w.gate(map[string]string{"INTERVAL": "50ms"}))
			if w.namesOldVersion(t, old) {
				early++
			}
			hash := w.hash(t, version)
			logged(t, run, "checking version ")
			if err := run.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			result := finish(t, run, 143)
			wantVersionChecked(t, w, result, hash)
			if strings.Contains(result.Stderr, "the version to check is not known yet") {
				waited++
			}
			old = hash
		}
		t.Logf("%d releases: in %d, the status was about the new template and named the old version; in %d, the gate waited for its version",
			releases, early, waited)
	})
}

// namesOldVersion reads a Deployment or Rollout until its status is about its spec, and reports whether it names the old
// version then. A Deployment names a version with the revision in its annotation, which the ReplicaSet has too.
func (w workload) namesOldVersion(t *testing.T, old string) bool {
	t.Helper()
	const revision = "deployment.kubernetes.io/revision"
	if w.kind != "deployment" && w.kind != "rollout" {
		return false
	}
	client := w.client(t, w.resource)
	for begun := time.Now(); time.Since(begun) < patience; {
		object, err := client.Get(t.Context(), w.name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if status(object, "observedGeneration") != fmt.Sprint(object.GetGeneration()) {
			continue
		}
		if w.kind == "rollout" {
			return status(object, "currentPodHash") == old
		}
		sets, err := the.client.AppsV1().ReplicaSets(w.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: w.label + "=" + old})
		if err != nil {
			t.Fatal(err)
		}
		return len(sets.Items) == 1 && sets.Items[0].Annotations[revision] == object.GetAnnotations()[revision]
	}
	t.Fatalf("the controller has not observed %s", w)
	return false
}

func TestWorkloadThatChangesMidway(t *testing.T) {
	t.Parallel()
	const atOnce, atTheEnd = "120", "15" // windows
	for name, change := range map[string]struct {
		window  string
		minPods string
		scales  bool // it is a change of the number of replicas
		make    func(*testing.T, workload)
		verdict int
		reason  string // a regular expression; HASH and NEXT are those of versions 1 and 2
	}{
		"new-version": {atTheEnd, "0", false, func(t *testing.T, w workload) { w.release(t, 2) }, gate.Inconclusive,
			"superseded by NEXT; checked HASH"},
		"scaled-to-0": {atOnce, "0", true, func(t *testing.T, w workload) { w.patch(t, w.resource, []map[string]any{scaleTo(0)}) }, gate.Inconclusive,
			"TYPE NAME was scaled to 0; checked HASH"},
		"scaled": {atTheEnd, "1", true, func(t *testing.T, w workload) { w.patch(t, w.resource, []map[string]any{scaleTo(4)}) }, gate.Pass,
			"no crashes within .*s, limit 1000000; .* were still starting at the final check"},
		"deleted": {atOnce, "0", false, func(t *testing.T, w workload) { w.delete(t) }, gate.Inconclusive,
			"TYPE NAME (was deleted|is being deleted); checked HASH"},
		"created-again": {atTheEnd, "1", false, func(t *testing.T, w workload) { w.delete(t); w.create(t) }, gate.Inconclusive,
			"TYPE NAME (was deleted( and created again)?|is being deleted); checked HASH"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			forEachKind(t, func(t *testing.T, kind workloadKind, namespace string) {
				if change.scales && !kind.scales {
					return // a DaemonSet has no number of replicas
				}
				w := createWorkload(t, kind, namespace, name)
				w.becomesAvailable(t, 0)
				hash := w.hash(t, 1)
				run := startGate(t, w.gate(map[string]string{"DURATION": change.window, "MIN_PODS": change.minPods, "INTERVAL": "3", "DEBUG": "0"}))
				logged(t, run, " found: ")
				change.make(t, w)
				result := finish(t, run, change.verdict)
				reason := strings.NewReplacer("TYPE", w.kind, "NAME", w.name, "HASH", hash).Replace(change.reason)
				if strings.Contains(reason, "NEXT") {
					reason = strings.ReplaceAll(reason, "NEXT", w.hash(t, 2))
				}
				if !regexp.MustCompile("^(?:" + reason + ")$").MatchString(result.Report.Reason) {
					t.Errorf("the reason is\n%s\nwant\n%s\n%s", result.Report.Reason, reason, result)
				}
				t.Logf("%s after %.1fs: %s", result.Report.Verdict, result.Report.ElapsedSeconds, result.Report.Reason)
				if change.window == atOnce && result.Report.ElapsedSeconds > 60 {
					t.Errorf("it was not noticed when the pods disappeared:\n%s", result)
				}
			})
		})
	}
}

func TestWorkloadWhoseVersionIsNotKnown(t *testing.T) {
	t.Parallel()
	deployment, rollout := workloadKinds["Deployment"], workloadKinds["Rollout"]
	wantReason := func(t *testing.T, result gate.Result, reason string) {
		t.Helper()
		if !strings.HasPrefix(result.Report.Reason, reason) || result.Report.Selector != "" {
			t.Errorf("want the reason %q and no selector:\n%s", reason, result)
		}
		t.Log(result.Report.Reason)
	}

	t.Run("a Deployment that is paused, until it is resumed", func(t *testing.T) {
		t.Parallel()
		w := createWorkload(t, deployment, newNamespace(t, nil), "web")
		w.becomesAvailable(t, 164)
		w.release(t, 2, map[string]any{"op": "add", "path": "/spec/paused", "value": true}, scaleTo(3))
		result := runGate(t, w.gate(map[string]string{"DURATION": "3"}), gate.Inconclusive)
		wantReason(t, result, "the version to check is not known: deployment web is paused: no ReplicaSet has its pod template")
		wantCounts(t, result, 0, 0)

		run := startGate(t, w.gate(map[string]string{"CRASH_LIMIT": "2"}))
		logged(t, run, "deployment web is paused")
		w.patch(t, w.resource, []map[string]any{{"op": "replace", "path": "/spec/paused", "value": false}})
		pods := w.pods(t, 2)
		runs(t, pods, 2, corev1.ConditionFalse)
		wantVersionChecked(t, w, finish(t, run, gate.Fail), pods[0].Labels[w.label])
	})
	t.Run("a workload that does not exist, until it is created", func(t *testing.T) {
		t.Parallel()
		w := workload{deployment, newNamespace(t, nil), "web"}
		result := runGate(t, w.gate(map[string]string{"DURATION": "1"}), gate.Inconclusive)
		wantReason(t, result, "the version to check is not known: deployment web was not found in namespace "+w.namespace)

		run := startGate(t, w.gate(map[string]string{"CRASH_LIMIT": "2"}))
		logged(t, run, "was not found")
		w.create(t)
		pods := w.pods(t, 1)
		runs(t, pods, 2, corev1.ConditionFalse)
		wantVersionChecked(t, w, finish(t, run, gate.Fail), pods[0].Labels[w.label])
	})
	t.Run("a Rollout whose spec has become invalid", func(t *testing.T) {
		rollout.needs(t)
		t.Parallel()
		w := createWorkload(t, rollout, newNamespace(t, nil), "web")
		w.becomesAvailable(t, 0)
		w.release(t, 2, map[string]any{"op": "add", "path": "/spec/strategy/blueGreen", "value": map[string]any{"activeService": "web"}})
		result := runGate(t, w.gate(map[string]string{"DURATION": "5"}), gate.Inconclusive)
		wantReason(t, result, "the version to check is not known: the spec of rollout web is invalid: ")
	})
	t.Run("a Rollout that was aborted", func(t *testing.T) {
		rollout.needs(t)
		t.Parallel()
		w := createWorkload(t, rollout, newNamespace(t, nil), "web")
		w.becomesAvailable(t, 0)
		w.release(t, 2)
		w.pods(t, 2)
		w.patch(t, w.resource, []map[string]any{{"op": "add", "path": "/status/abort", "value": true}}, "status")
		waitAborted(t, w.namespace, w.name)
		result := runGate(t, w.gate(nil), gate.Inconclusive)
		wantReason(t, result, "rollout web was aborted")
		if result.Report.ElapsedSeconds > 5 {
			t.Errorf("it waited for %.1f s:\n%s", result.Report.ElapsedSeconds, result)
		}
	})
}

func TestWorkloadPermissions(t *testing.T) {
	t.Parallel()
	forEachKind(t, func(t *testing.T, kind workloadKind, namespace string) {
		w := createWorkload(t, kind, namespace, "web")
		pods := w.pods(t, 1)
		runs(t, pods, 3, corev1.ConditionTrue)
		as := func(account string, more map[string]string) map[string]string {
			all := map[string]string{"KUBECONFIG": kubeconfigWithToken(t, namespace, tokenOf(t, namespace, account))}
			maps.Copy(all, more)
			return w.gate(all)
		}

		// The component's rules are enough, and the version is read again with them.
		permissions, _ := withWorkload(t, namespace, nil)
		apply(t, namespace, permissions)
		permitted(t, namespace, shippedAccount)
		result := runGate(t, as(shippedAccount, map[string]string{"DURATION": "2"}), gate.Pass)
		wantCounts(t, result, 3*int64(len(pods)), int64(len(pods)))
		if result.Report.FailedChecks > 0 {
			t.Errorf("requests were denied:\n%s", result)
		}

		// Without one of them, the message names it.
		for i, missing := range kind.rules {
			account := "without-" + missing.Resources[0]
			newServiceAccount(t, namespace, account)
			allow(t, namespace, account, podRule("list"))
			for _, granted := range kind.rules[:i] {
				allowToo(t, namespace, account, granted)
			}
			permitted(t, namespace, account)
			result := runGate(t, as(account, map[string]string{"API_GRACE": "2"}), gate.Inconclusive)
			verb, resource := missing.Verbs[0], missing.Resources[0]
			for _, text := range []string{
				fmt.Sprintf("needs permission to %s %s in namespace %s", verb, resource, namespace),
				fmt.Sprintf("{apiGroups: [%q], resources: [%q], verbs: [%q]}", missing.APIGroups[0], resource, verb),
			} {
				if !strings.Contains(result.Report.Reason, text) {
					t.Errorf("the reason does not say %q:\n%s", text, result)
				}
			}
			t.Log(result.Report.Reason)
		}
	})
}

// allowToo gives an account that has rules one more.
func allowToo(t *testing.T, namespace, account string, rule rbacv1.PolicyRule) {
	t.Helper()
	data, err := json.Marshal([]map[string]any{{"op": "add", "path": "/rules/-", "value": rule}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := the.client.RbacV1().Roles(namespace).Patch(t.Context(), account, types.JSONPatchType, data, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

// withWorkload renders deploy/base with the component and these variables.
func withWorkload(t *testing.T, namespace string, environment map[string]string) (permissions, job []byte) {
	t.Helper()
	rendered := string(kubectl(t, nil, "kustomize", overlayWith(t, namespace, "base", []string{"workload"}, jobPatch(t, environment))))
	var others []string
	for document := range strings.SplitSeq(rendered, "\n---\n") {
		if strings.Contains(document, "\nkind: Job\n") {
			job = []byte(document)
		} else {
			others = append(others, document)
		}
	}
	return []byte(strings.Join(others, "\n---\n")), job
}

// The whole of it in the cluster: the shipped Job, with the component's permissions, on pods of this node.
func TestWorkloadJob(t *testing.T) {
	needsLocalImages(t)
	t.Parallel()
	namespace := newNamespace(t, nil)
	hash := deploy(t, namespace, 1, mains(container("main", ends("1s", "3"))))
	permissions, job := withWorkload(t, namespace, map[string]string{"WORKLOAD": "deploy/web", "INTERVAL": "1", "DURATION": "90", "CRASH_LIMIT": "2"})
	apply(t, namespace, permissions)
	permitted(t, namespace, shippedAccount)
	apply(t, namespace, job)
	result := finishJob(t, namespace, 2*patience)
	if result.Complete || result.ExitCode != gate.Fail || !strings.Contains(result.Message, "\n- checked version "+hash+" of deployment/web\n") {
		t.Errorf("want a fail, and version %s in the termination message: %s", hash, result)
	}
	t.Log(result.Message)
}
