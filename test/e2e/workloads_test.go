package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/crashcheck/crashcheck/test/e2e/gate"
)

// These run gates with WORKLOAD against the real controllers. No scheduler takes the pods: the tests write their status,
// so that nothing but the controllers decides when something changes.

// A workloadKind is a kind of workload, with a strategy that keeps pods of the old version while those of the new one are
// not Ready.
type workloadKind struct {
	kind       string // as in WORKLOAD
	apiVersion string
	label      string // of the pods of a version
	spec       map[string]any
	scales     bool
	// byReference is a Rollout that refers to a Deployment, which has the pod template.
	byReference bool
}

var (
	keepOld = map[string]any{"rollingUpdate": map[string]any{"maxSurge": 1, "maxUnavailable": 0}}
	canary  = map[string]any{"canary": map[string]any{"maxSurge": 1, "maxUnavailable": 0}}
)

var workloadKinds = map[string]workloadKind{
	"Deployment": {
		kind: "deployment", apiVersion: "apps/v1", label: deploymentLabel,
		spec: map[string]any{"strategy": keepOld}, scales: true,
	},
	"StatefulSet": {
		kind: "statefulset", apiVersion: "apps/v1", label: appsv1.ControllerRevisionHashLabelKey,
		spec: map[string]any{"podManagementPolicy": "Parallel"}, scales: true,
	},
	"DaemonSet": {
		kind: "daemonset", apiVersion: "apps/v1", label: appsv1.ControllerRevisionHashLabelKey,
		spec: map[string]any{"updateStrategy": keepOld},
	},
	"Rollout": {
		kind: "rollout", apiVersion: "argoproj.io/v1alpha1", label: rolloutsLabel,
		spec: map[string]any{"strategy": canary}, scales: true,
	},
	"Rollout with workloadRef": {
		kind: "rollout", apiVersion: "argoproj.io/v1alpha1", label: rolloutsLabel,
		spec: map[string]any{"strategy": canary}, scales: true, byReference: true,
	},
}

// forEachKind runs a test for each kind, each in a namespace of its own.
func forEachKind(t *testing.T, test func(t *testing.T, kind workloadKind, namespace string)) {
	t.Helper()
	for name, kind := range workloadKinds {
		t.Run(name, func(t *testing.T) {
			if kind.kind == "rollout" || kind.kind == "daemonset" {
				needsNode(t) // for the controller, and because a DaemonSet has one pod for each node
			}
			t.Parallel()
			test(t, kind, newNamespace(t))
		})
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
	labels := map[string]string{"app": name}
	pod := mains(container("main", env("VERSION", "1")))
	pod.SchedulerName = "nobody"
	template := map[string]any{
		"selector": metav1.LabelSelector{MatchLabels: labels},
		"template": corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: pod},
	}
	spec := maps.Clone(w.spec)
	if w.scales {
		spec["replicas"] = 2
	}
	if w.byReference {
		template["replicas"] = 0
		w.apply(t, "apps/v1", "deployment", template)
		spec["workloadRef"] = map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
	} else {
		maps.Copy(spec, template)
	}
	w.apply(t, w.apiVersion, w.kind, spec)
	return w
}

func (w workload) apply(t *testing.T, apiVersion, kind string, spec map[string]any) {
	t.Helper()
	kinds := map[string]string{"deployment": "Deployment", "statefulset": "StatefulSet", "daemonset": "DaemonSet", "rollout": "Rollout"}
	apply(t, w.namespace, marshal(t, map[string]any{
		"apiVersion": apiVersion, "kind": kinds[kind], "metadata": map[string]any{"name": w.name}, "spec": spec,
	}))
}

func (w workload) client(t *testing.T) dynamic.ResourceInterface {
	t.Helper()
	group, err := schema.ParseGroupVersion(w.apiVersion)
	if err != nil {
		t.Fatal(err)
	}
	return dynamicClient(t, w.namespace, group.WithResource(w.kind+"s"))
}

func (w workload) patch(t *testing.T, operations ...map[string]any) {
	t.Helper()
	patchObject(t, w.client(t), w.name, operations)
}

// release makes a new version, together with further operations on the workload in the same request.
func (w workload) release(t *testing.T, version int, more ...map[string]any) {
	t.Helper()
	operation := map[string]any{"op": "replace", "path": "/spec/template/spec/containers/0/env/0/value", "value": strconv.Itoa(version)}
	if w.byReference {
		deployments := dynamicClient(t, w.namespace, appsv1.SchemeGroupVersion.WithResource("deployments"))
		patchObject(t, deployments, w.name, []map[string]any{operation})
	} else {
		more = append(more, operation)
	}
	if len(more) > 0 {
		w.patch(t, more...)
	}
}

func scaleTo(replicas int) map[string]any {
	return map[string]any{"op": "replace", "path": "/spec/replicas", "value": replicas}
}

func (w workload) delete(t *testing.T) {
	t.Helper()
	background := metav1.DeletePropagationBackground
	if err := w.client(t).Delete(t.Context(), w.name, metav1.DeleteOptions{PropagationPolicy: &background}); err != nil {
		t.Fatal(err)
	}
}

// hash returns the value that the controller gives to the label of a version's pods, as soon as there is a ReplicaSet or
// ControllerRevision for it.
func (w workload) hash(t *testing.T, version int) string {
	t.Helper()
	found := ""
	eventually(t, fmt.Sprintf("version %d of %s exists", version, w), patience, func(ctx context.Context) error {
		apps := the.Client.AppsV1()
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

// runs waits for pods of this version (all of version 1, and at least one of another), writes into their statuses that they
// run after this many restarts, and returns their number.
func (w workload) runs(t *testing.T, version int, restarts int32, ready corev1.ConditionStatus) int {
	t.Helper()
	var ours []corev1.Pod
	eventually(t, fmt.Sprintf("%s has pods of version %d", w, version), patience, func(context.Context) error {
		ours = nil
		for _, pod := range podsIn(t, w.namespace, "app="+w.name) {
			if versionIn(pod.Spec) == version && pod.DeletionTimestamp == nil {
				ours = append(ours, pod)
			}
		}
		if len(ours) == 0 || version == 1 && w.scales && len(ours) < 2 {
			return fmt.Errorf("there are %d", len(ours))
		}
		return nil
	})
	for _, pod := range ours {
		pod.Status.Conditions = []corev1.PodCondition{
			{Type: corev1.ContainersReady, Status: ready}, {Type: corev1.PodReady, Status: ready, LastTransitionTime: metav1.Now()},
		}
		if err := writeRestarts(t.Context(), &pod, restarts); err != nil {
			t.Fatal(err)
		}
	}
	return len(ours)
}

// becomesAvailable lets all pods of version 1 run after this many restarts, and waits until the controller has noticed: only
// then it keeps them during the next release.
func (w workload) becomesAvailable(t *testing.T, restarts int32) {
	t.Helper()
	w.runs(t, 1, restarts, corev1.ConditionTrue)
	if w.kind == "rollout" {
		example{name: w.name}.healthy(t, w.namespace, "")
		return
	}
	kubectl(t, "", "--namespace", w.namespace, "rollout", "status", w.String(), "--timeout="+patience.String())
}

// gate returns the environment of a gate that checks the workload every 10 ms.
func (w workload) gate(more map[string]string) map[string]string {
	all := environment(w.namespace, map[string]string{"WORKLOAD": w.String(), "INTERVAL": "10ms", "DEBUG": "1"})
	maps.Copy(all, more)
	delete(all, "HASH")
	return all
}

// wantChecked wants a gate to have checked the workload's version with this hash.
func (w workload) wantChecked(t *testing.T, result gate.Result, hash string) {
	t.Helper()
	if want := "app=" + w.name + "," + w.label + "=" + hash; result.Report.Selector != want {
		t.Errorf("want the selector %s, got\n%s", want, result)
	}
	wantTexts(t, result.Stderr, "checking version "+hash+": ")
}

// Old pods with many restarts are still there: they are not those of the release. The gate has the permissions of the
// component.
func TestWorkloadIsCheckedInItsCurrentVersion(t *testing.T) {
	t.Parallel()
	forEachKind(t, func(t *testing.T, kind workloadKind, namespace string) {
		kubeconfig := shippedPermissions(t, namespace, "workload")
		w := createWorkload(t, kind, namespace, "web")
		w.becomesAvailable(t, 164)
		w.release(t, 2)
		pods := w.runs(t, 2, 3, corev1.ConditionFalse)
		result := runGate(t, w.gate(map[string]string{"KUBECONFIG": kubeconfig, "DURATION": "2"}), gate.Pass)
		wantCounts(t, result, 3*pods, pods)
		w.wantChecked(t, result, w.hash(t, 2))
		if result.Report.FailedChecks > 0 {
			t.Errorf("requests were denied:\n%s", result)
		}
	})
}

// Template and replicas change in one request, again and again. The status of a Deployment or a Rollout can then be about the
// new template before it names the new version. How often a test sees that depends on the moment, so it is logged only.
func TestWorkloadIsNeverCheckedInAnOldVersion(t *testing.T) {
	t.Parallel()
	forEachKind(t, func(t *testing.T, kind workloadKind, namespace string) {
		w := createWorkload(t, kind, namespace, "web")
		old := w.hash(t, 1)
		const releases = 6
		early := 0
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
			old = w.hash(t, version)
			logged(t, run, "checking version ")
			if err := run.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			w.wantChecked(t, finish(t, run, gate.Terminated), old)
		}
		t.Logf("%d releases: in %d, the status was about the new template and named the old version", releases, early)
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
	for begun := time.Now(); time.Since(begun) < patience; {
		object, err := w.client(t).Get(t.Context(), w.name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if status(object, "observedGeneration") != fmt.Sprint(object.GetGeneration()) {
			continue
		}
		if w.kind == "rollout" {
			return status(object, "currentPodHash") == old
		}
		sets, err := the.Client.AppsV1().ReplicaSets(w.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: w.label + "=" + old})
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
	for name, test := range map[string]struct {
		window string
		change func(*testing.T, workload)
		reason string // HASH and NEXT are those of versions 1 and 2
	}{
		"new-version": {"15", func(t *testing.T, w workload) { w.release(t, 2) }, "superseded by version NEXT; the checked version was HASH"},
		"scaled-to-0": {"120", func(t *testing.T, w workload) { w.patch(t, scaleTo(0)) }, "TYPE NAME was scaled to 0; the checked version was HASH"},
		"deleted":     {"120", func(t *testing.T, w workload) { w.delete(t) }, "TYPE NAME (was deleted|is being deleted); the checked version was HASH"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			forEachKind(t, func(t *testing.T, kind workloadKind, namespace string) {
				if name == "scaled-to-0" && !kind.scales {
					t.Skip("a DaemonSet has no number of replicas")
				}
				w := createWorkload(t, kind, namespace, name)
				w.becomesAvailable(t, 0)
				hash, next := w.hash(t, 1), ""
				run := startGate(t, w.gate(map[string]string{"DURATION": test.window, "MIN_PODS": "0", "INTERVAL": "3", "DEBUG": "0"}))
				logged(t, run, " found: ")
				test.change(t, w)
				result := finish(t, run, gate.Inconclusive)
				if name == "new-version" {
					next = w.hash(t, 2)
				}
				wantReason(t, result.Report, strings.NewReplacer("TYPE", w.kind, "NAME", w.name, "HASH", hash, "NEXT", next).Replace(test.reason))
				if test.window == "120" && result.Report.ElapsedSeconds > 60 {
					t.Errorf("it was not noticed when the pods disappeared:\n%s", result)
				}
			})
		})
	}
}

// The controllers' own statuses say why a version is not known.
func TestWorkloadWhoseVersionIsNotKnown(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		kind   string
		change func(*testing.T, workload)
		reason string
	}{
		"a Deployment that is paused": {"Deployment", func(t *testing.T, w workload) {
			w.release(t, 2, map[string]any{"op": "add", "path": "/spec/paused", "value": true}, scaleTo(3))
		}, "the version to check is not known: deployment web is paused: no ReplicaSet has its pod template"},
		"a workload that does not exist": {"Deployment", func(t *testing.T, w workload) { w.delete(t) },
			"the version to check is not known: deployment web was not found in namespace .*"},
		"a Rollout whose spec has become invalid": {"Rollout", func(t *testing.T, w workload) {
			w.release(t, 2, map[string]any{"op": "add", "path": "/spec/strategy/blueGreen", "value": map[string]any{"activeService": "web"}})
		}, "the version to check is not known: the spec of rollout web is invalid: .*"},
		"a Rollout that was aborted": {"Rollout", func(t *testing.T, w workload) {
			w.release(t, 2)
			w.runs(t, 2, 0, corev1.ConditionFalse)
			patchObject(t, w.client(t), w.name, []map[string]any{{"op": "add", "path": "/status/abort", "value": true}}, "status")
			example{name: w.name}.wait(t, w.namespace, "aborted", aborted)
		}, "rollout web was aborted.*"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.kind == "Rollout" {
				needsNode(t)
			}
			t.Parallel()
			w := createWorkload(t, workloadKinds[test.kind], newNamespace(t), "web")
			w.becomesAvailable(t, 164)
			test.change(t, w)
			result := runGate(t, w.gate(map[string]string{"DURATION": "15"}), gate.Inconclusive)
			wantReason(t, result.Report, test.reason)
			wantCounts(t, result, 0, 0)
		})
	}
}
