package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

// These tests run the shipped templates and examples with the real controller, with shorter times and the images of this
// node.

// An example is one of the shipped Rollouts.
type example struct {
	name     string
	analysis string // the JSON pointer of the arguments of its analysis
	replicas int32
}

var (
	canaryExample    = example{"canary-example", "/spec/strategy/canary/analysis/args", 5}
	blueGreenExample = example{"blue-green-example", "/spec/strategy/blueGreen/prePromotionAnalysis/args", 2}
	hashArgument     = map[string]any{"name": "hash", "valueFrom": map[string]string{"podTemplateHashValue": "Latest"}}
)

func TestCanary(t *testing.T) {
	needsNode(t)
	t.Parallel()
	namespace := rolloutsNamespace(t)
	stable := canaryExample.apply(t, namespace)
	stable = canaryExample.promotes(t, namespace, stable)
	// It is never Ready, so the release stays at its first step, even on a slow machine.
	canaryExample.aborts(t, namespace, container("web", ends("1s", "1"), neverReady), stable)
}

func TestBlueGreen(t *testing.T) {
	needsNode(t)
	t.Parallel()
	namespace := rolloutsNamespace(t)
	stable := blueGreenExample.apply(t, namespace)
	stable = blueGreenExample.promotes(t, namespace, stable)
	staysActive := watchActive(t, namespace, stable)
	// It crashes only after it has become available and the analysis has started.
	blueGreenExample.aborts(t, namespace, container("web", ends("5s", "1")), stable)
	staysActive()
}

// The analysis has no hash, so it cannot run.
func TestMistypedArgumentDoesNotPromote(t *testing.T) {
	needsNode(t)
	t.Parallel()
	namespace := rolloutsNamespace(t)
	stable := blueGreenExample.apply(t, namespace)
	staysActive := watchActive(t, namespace, stable)
	blueGreenExample.setArguments(t, namespace, map[string]any{"name": "hahs", "value": "1"})
	blueGreenExample.release(t, namespace, container("web", env("VERSION", "2"), ready))
	rollout := blueGreenExample.wait(t, namespace, "degraded", func(r *unstructured.Unstructured) bool {
		return status(r, "phase") == "Degraded"
	})
	t.Logf("the Rollout says: %s", status(rollout, "message"))
	staysActive()
}

// rolloutsNamespace creates a namespace with the shipped templates and permissions, and these components.
func rolloutsNamespace(t *testing.T, components ...string) string {
	t.Helper()
	namespace := newNamespace(t)
	apply(t, namespace, documents(t, overlay(t, checkout(t, namespace), namespace, "deploy/argo-rollouts", components)))
	permitted(t, namespace, shippedAccount)
	return namespace
}

// apply applies the example with its Services, a window of 30 s and a limit of 3, and waits until it is healthy. It returns
// the version.
func (e example) apply(t *testing.T, namespace string) string {
	t.Helper()
	source := checkout(t, namespace)
	operations := []map[string]any{
		{"op": "replace", "path": "/spec/template/spec/containers/0", "value": container("web", ready)},
		{"op": "add", "path": "/spec/template/spec/terminationGracePeriodSeconds", "value": 1},
		{"op": "replace", "path": e.analysis, "value": arguments("30")},
	}
	if e == canaryExample {
		operations = append(operations,
			map[string]any{"op": "replace", "path": "/spec/strategy/canary/steps/1/pause/duration", "value": "10s"},
			map[string]any{"op": "replace", "path": "/spec/strategy/canary/steps/3/pause/duration", "value": "5s"},
			map[string]any{"op": "replace", "path": "/spec/strategy/canary/steps/4/analysis/args/1/value", "value": "10"})
	}
	target := patch(t, "Rollout", operations)
	target["target"] = map[string]string{"kind": "Rollout", "name": e.name}
	all := documents(t, overlay(t, source, namespace, "deploy/argo-rollouts/examples", nil, target))
	for document := range strings.SplitSeq(all, "\n---\n") {
		if strings.Contains(document, e.name) {
			apply(t, namespace, document)
		}
	}
	return e.healthy(t, namespace, "")
}

// arguments are those of an analysis with this window, in seconds.
func arguments(window string) []any {
	all := []any{hashArgument}
	for name, value := range map[string]string{"limit": "3", "interval": "1", "duration": window} {
		all = append(all, map[string]string{"name": name, "value": value})
	}
	return all
}

func (e example) setArguments(t *testing.T, namespace string, arguments ...any) {
	t.Helper()
	e.patch(t, namespace, []map[string]any{{"op": "replace", "path": e.analysis, "value": arguments}})
}

// promotes releases a good version, and waits until it is the stable one.
func (e example) promotes(t *testing.T, namespace, stable string) string {
	t.Helper()
	e.release(t, namespace, container("web", env("VERSION", "2"), ready))
	return e.healthy(t, namespace, stable)
}

// aborts releases a version that crashes. It waits until the release is aborted, and the stable one is at full scale.
func (e example) aborts(t *testing.T, namespace string, c corev1.Container, stable string) {
	t.Helper()
	// A bad release has more time to crash, on a slow machine.
	e.setArguments(t, namespace, arguments("240")...)
	e.release(t, namespace, c)
	e.wantAborted(t, namespace, stable)
}

func (e example) wantAborted(t *testing.T, namespace, stable string) {
	t.Helper()
	rollout := e.wait(t, namespace, "aborted", aborted)
	if got := status(rollout, "stableRS"); got != stable {
		t.Errorf("%s is stable now, want %s", got, stable)
	}
	eventually(t, "the stable version is at full scale", patience, func(ctx context.Context) error {
		sets, err := the.Client.AppsV1().ReplicaSets(namespace).List(ctx, metav1.ListOptions{LabelSelector: rolloutsLabel + "=" + stable})
		if err != nil {
			return err
		}
		if len(sets.Items) != 1 || sets.Items[0].Status.AvailableReplicas != e.replicas {
			return fmt.Errorf("its ReplicaSets are %+v", sets.Items)
		}
		return nil
	})
}

func aborted(rollout *unstructured.Unstructured) bool {
	return status(rollout, "abort") == "true" && status(rollout, "phase") == "Degraded"
}

// healthy waits until a version other than previous is the stable one, and returns its hash.
func (e example) healthy(t *testing.T, namespace, previous string) string {
	t.Helper()
	rollout := e.wait(t, namespace, "healthy", func(r *unstructured.Unstructured) bool {
		stable := status(r, "stableRS")
		return status(r, "phase") == "Healthy" && stable != "" && stable != previous && stable == status(r, "currentPodHash")
	})
	return status(rollout, "stableRS")
}

// release changes the Rollout's container: this is a new version.
func (e example) release(t *testing.T, namespace string, c corev1.Container) {
	t.Helper()
	e.patch(t, namespace, []map[string]any{{"op": "replace", "path": "/spec/template/spec/containers/0", "value": c}})
}

func (e example) patch(t *testing.T, namespace string, operations []map[string]any) {
	t.Helper()
	patchObject(t, argo(t, namespace, "rollouts"), e.name, operations)
}

// wait waits until condition is true for the Rollout.
func (e example) wait(t *testing.T, namespace, what string, condition func(*unstructured.Unstructured) bool) *unstructured.Unstructured {
	t.Helper()
	var rollout *unstructured.Unstructured
	eventually(t, "the Rollout is "+what, 4*time.Minute, func(ctx context.Context) error {
		var err error
		if rollout, err = argo(t, namespace, "rollouts").Get(ctx, e.name, metav1.GetOptions{}); err != nil {
			return err
		}
		if !condition(rollout) {
			return fmt.Errorf("its phase is %q: %s", status(rollout, "phase"), status(rollout, "message"))
		}
		return nil
	})
	return rollout
}

// status returns one field of an object's status as text.
func status(object *unstructured.Unstructured, field string) string {
	value, found, _ := unstructured.NestedFieldNoCopy(object.Object, "status", field)
	if !found {
		return ""
	}
	return fmt.Sprint(value)
}

// argo is a client of a resource of Argo Rollouts.
func argo(t *testing.T, namespace, resource string) dynamic.ResourceInterface {
	t.Helper()
	return dynamicClient(t, namespace, schema.GroupVersionResource{Group: "argoproj.io", Version: "v1alpha1", Resource: resource})
}

func dynamicClient(t *testing.T, namespace string, resource schema.GroupVersionResource) dynamic.ResourceInterface {
	t.Helper()
	client, err := dynamic.NewForConfig(the.Config)
	if err != nil {
		t.Fatal(err)
	}
	return client.Resource(resource).Namespace(namespace)
}

func patchObject(t *testing.T, client dynamic.ResourceInterface, name string, operations []map[string]any, subresources ...string) {
	t.Helper()
	data, err := json.Marshal(operations)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Patch(t.Context(), name, types.JSONPatchType, data, metav1.PatchOptions{}, subresources...); err != nil {
		t.Fatalf("patch %s: %v", name, err)
	}
}

// watchActive watches the active Service of the blue-green example. The function that it returns checks that the Service has
// selected no version but this one since then.
func watchActive(t *testing.T, namespace, version string) (stays func()) {
	t.Helper()
	watcher, err := the.Client.CoreV1().Services(namespace).Watch(t.Context(), metav1.ListOptions{
		FieldSelector: "metadata.name=" + blueGreenExample.name + "-active",
	})
	if err != nil {
		t.Fatal(err)
	}
	changes := 0
	var noted sync.WaitGroup
	noted.Go(func() {
		for event := range watcher.ResultChan() {
			service, isService := event.Object.(*corev1.Service)
			if !isService {
				continue
			}
			changes++
			if hash := service.Spec.Selector[rolloutsLabel]; hash != version {
				t.Errorf("the active Service has selected %s, the stable version is %s", hash, version)
			}
		}
	})
	return func() {
		watcher.Stop()
		noted.Wait()
		if changes == 0 {
			t.Error("the watch has not shown the Service")
		}
	}
}

// startAnalysis creates an AnalysisRun from the shipped template, as a Rollout does, with these arguments and a window of
// 2 s.
func startAnalysis(t *testing.T, namespace string, arguments map[string]string) {
	t.Helper()
	template, err := argo(t, namespace, "analysistemplates").Get(t.Context(), "crashcheck", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{"hash": someHash, "interval": "500ms", "duration": "2"}
	for name, value := range arguments {
		all[name] = value
	}
	spec := template.Object["spec"].(map[string]any)
	for _, arg := range spec["args"].([]any) {
		arg := arg.(map[string]any)
		if value, given := all[arg["name"].(string)]; given {
			arg["value"] = value
		}
	}
	apply(t, namespace, marshal(t, map[string]any{
		"apiVersion": "argoproj.io/v1alpha1",
		"kind":       "AnalysisRun",
		"metadata":   map[string]string{"name": "crashcheck"},
		"spec":       spec,
	}))
}

// wantAnalysis waits until the AnalysisRun has finished, with this phase and a message that contains this text.
func wantAnalysis(t *testing.T, namespace, phase, text string) {
	t.Helper()
	var run *unstructured.Unstructured
	eventually(t, "the AnalysisRun has ended", 2*patience, func(ctx context.Context) error {
		var err error
		if run, err = argo(t, namespace, "analysisruns").Get(ctx, "crashcheck", metav1.GetOptions{}); err != nil {
			return err
		}
		if phase := status(run, "phase"); phase == "" || phase == "Pending" || phase == "Running" {
			return fmt.Errorf("its phase is %q", phase)
		}
		return nil
	})
	if got, message := status(run, "phase"), status(run, "message"); got != phase || !strings.Contains(message, text) {
		t.Errorf("the AnalysisRun is %s (%s), want %s (%s)", got, message, phase, text)
	}
}

type measurement struct{ Phase, Message string }

// measurements returns the measurements of the AnalysisRun so far.
func measurements(t *testing.T, namespace string) []measurement {
	t.Helper()
	run, err := argo(t, namespace, "analysisruns").Get(t.Context(), "crashcheck", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var read struct {
		Status struct {
			MetricResults []struct{ Measurements []measurement }
		}
	}
	parse(t, marshal(t, run.Object), &read)
	var all []measurement
	for _, result := range read.Status.MetricResults {
		all = append(all, result.Measurements...)
	}
	return all
}

// The argument namespace leads the gate to the pods where its Job runs elsewhere; docs/argo-rollouts.md says which
// permissions it needs there.
func TestAnalysisOfAnotherNamespace(t *testing.T) {
	needsNode(t)
	t.Parallel()
	jobs, pods := rolloutsNamespace(t), newNamespace(t)
	paperPod(t, pods, "web-0", 7)
	source := checkout(t, pods)
	subject := "    name: " + shippedAccount
	replaceIn(t, filepath.Join(source, "deploy/base/rolebinding.yaml"), subject, subject+"\n    namespace: "+jobs)
	apply(t, pods, documents(t, filepath.Join(source, "deploy/base"), "RoleBinding"))

	startAnalysis(t, jobs, map[string]string{"namespace": pods, "limit": "7", "duration": "30"})
	wantAnalysis(t, jobs, "Failed", "")
	report := resultOf(t, podsIn(t, jobs, ofAnyGate)[0]).Report
	if report.Verdict != "fail" || report.Crashes != 7 || report.Namespace != pods {
		t.Errorf("want a fail with 7 crashes in namespace %s, got %+v", pods, report)
	}
}
