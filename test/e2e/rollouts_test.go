package e2e

import (
	"context"
	"encoding/json"
	"fmt"
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

const (
	canaryExample    = "canary-example"
	blueGreenExample = "blue-green-example"
)

func TestCanary(t *testing.T) {
	needsRollouts(t)
	t.Parallel()
	namespace := releaseNamespace(t)
	applyExample(t, namespace, canaryExample, analysisArguments("/spec/strategy/canary/analysis/args/-")...)
	stable := waitHealthy(t, namespace, canaryExample, "")

	t.Run("a good release is promoted to the end", func(t *testing.T) {
		release(t, namespace, canaryExample, container("web", env("VERSION", "2"), ready))
		stable = waitHealthy(t, namespace, canaryExample, stable)
	})
	t.Run("a crash-looping release is aborted and the stable one is back at full scale", func(t *testing.T) {
		lengthenWindow(t, namespace, canaryExample, "canary/analysis")
		release(t, namespace, canaryExample, crashLoop)
		rollout := waitAborted(t, namespace, canaryExample)
		wantStable(t, namespace, rollout, stable, 5)
		reportDelay(t, namespace, rollout)
	})
}

// crashLoop is never Ready, so the release stays at its first step, even on a slow machine.
var crashLoop = container("web", ends("1s", "1"), neverReady)

func TestBlueGreen(t *testing.T) {
	needsRollouts(t)
	t.Parallel()
	namespace := releaseNamespace(t)
	applyExample(t, namespace, blueGreenExample, analysisArguments("/spec/strategy/blueGreen/prePromotionAnalysis/args/-")...)
	stable := waitHealthy(t, namespace, blueGreenExample, "")

	t.Run("a good release is promoted to the end", func(t *testing.T) {
		release(t, namespace, blueGreenExample, container("web", env("VERSION", "2"), ready))
		stable = waitHealthy(t, namespace, blueGreenExample, stable)
		if active := activeHash(t, namespace); active != stable {
			t.Errorf("the active Service selects %s, the stable version is %s", active, stable)
		}
	})
	t.Run("the active Service never moves to a release that crashes", func(t *testing.T) {
		moves := watchActive(t, namespace)
		lengthenWindow(t, namespace, blueGreenExample, "blueGreen/prePromotionAnalysis")
		// It crashes only after it has become available and the analysis has started.
		release(t, namespace, blueGreenExample, container("web", ends("5s", "1")))
		rollout := waitAborted(t, namespace, blueGreenExample)
		wantStable(t, namespace, rollout, stable, 2)
		for _, hash := range moves() {
			if hash != stable {
				t.Errorf("the active Service has selected %s, the stable version is %s", hash, stable)
			}
		}
		reportDelay(t, namespace, rollout)
	})
}

func TestMistypedArgumentsDoNotPromote(t *testing.T) {
	needsRollouts(t)
	t.Parallel()
	analysis := "/spec/strategy/blueGreen/prePromotionAnalysis/args"
	for name, arguments := range map[string][]any{
		"an argument's name":   {map[string]string{"name": "hahs", "value": "1"}},
		"a hash of nothing":    {map[string]string{"name": "hash", "value": "mistyped"}},
		"a limit that is none": {hashArgument, map[string]string{"name": "limit", "value": "many"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			namespace := releaseNamespace(t)
			applyExample(t, namespace, blueGreenExample, analysisArguments(analysis+"/-")...)
			stable := waitHealthy(t, namespace, blueGreenExample, "")
			moves := watchActive(t, namespace)

			patchRollout(t, namespace, blueGreenExample, []map[string]any{
				{"op": "replace", "path": analysis, "value": append(arguments, map[string]string{"name": "duration", "value": "10"})},
			})
			release(t, namespace, blueGreenExample, container("web", env("VERSION", "2"), ready))
			rollout := waitRollout(t, namespace, blueGreenExample, "degraded", func(r *unstructured.Unstructured) bool {
				return status(r, "phase") == "Degraded"
			})
			t.Logf("the Rollout says: %s", status(rollout, "message"))
			if got := status(rollout, "stableRS"); got != stable {
				t.Errorf("%s is stable now, want %s", got, stable)
			}
			for _, hash := range moves() {
				if hash != stable {
					t.Errorf("the active Service has selected %s, the stable version is %s", hash, stable)
				}
			}
		})
	}
}

// hashArgument is the argument of the examples.
var hashArgument = map[string]any{"name": "hash", "valueFrom": map[string]string{"podTemplateHashValue": "Latest"}}

// needsRollouts is for tests of the Argo Rollouts controller.
func needsRollouts(t *testing.T) {
	t.Helper()
	needsLocalImages(t)
	if _, err := the.client.Discovery().ServerResourcesForGroupVersion(rolloutResource.GroupVersion().String()); err != nil {
		t.Skip("the cluster has no Argo Rollouts:", err)
	}
}

// releaseNamespace creates a namespace with the shipped templates and permissions, and these components.
func releaseNamespace(t *testing.T, components ...string) string {
	t.Helper()
	namespace := newNamespace(t, nil)
	const pod = "/spec/metrics/0/provider/job/spec/template/spec"
	operations := []map[string]any{
		{"op": "add", "path": pod + "/containers/0/imagePullPolicy", "value": "Never"},
		{"op": "add", "path": pod + "/hostNetwork", "value": the.loopbackPort != ""},
	}
	for _, variable := range loopbackEnv() {
		operations = append(operations, map[string]any{"op": "add", "path": pod + "/containers/0/env/-", "value": variable})
	}
	templates := patch(t, "(Cluster)?AnalysisTemplate", "", operations)
	apply(t, namespace, kubectl(t, nil, "kustomize", overlayWith(t, namespace, "argo-rollouts", components, templates)))
	permitted(t, namespace, shippedAccount)
	return namespace
}

// applyExample applies one of the shipped example Rollouts with its Services.
func applyExample(t *testing.T, namespace, name string, operations ...map[string]any) {
	t.Helper()
	grace := map[string]any{"op": "add", "path": "/spec/template/spec/terminationGracePeriodSeconds", "value": 1}
	first := map[string]any{"op": "replace", "path": "/spec/template/spec/containers/0", "value": container("web", ready)}
	operations = append(operations, grace, first)
	if name == canaryExample {
		operations = append(operations,
			map[string]any{"op": "replace", "path": "/spec/strategy/canary/steps/1/pause/duration", "value": "10s"},
			map[string]any{"op": "replace", "path": "/spec/strategy/canary/steps/3/pause/duration", "value": "5s"},
			map[string]any{"op": "replace", "path": "/spec/strategy/canary/steps/4/analysis/args/1/value", "value": "10"})
	}
	rendered := kubectl(t, nil, "kustomize", overlay(t, namespace, "argo-rollouts/examples", patch(t, "Rollout", name, operations)))
	for _, manifest := range strings.Split(string(rendered), "\n---\n") {
		if strings.Contains(manifest, name) {
			apply(t, namespace, []byte(manifest))
		}
	}
}

// analysisArguments returns patches of the list at path that make an analysis short.
func analysisArguments(path string) []map[string]any {
	var operations []map[string]any
	for _, argument := range []map[string]string{
		{"name": "limit", "value": "3"},
		{"name": "interval", "value": "1"},
		{"name": "duration", "value": "30"},
	} {
		operations = append(operations, map[string]any{"op": "add", "path": path, "value": argument})
	}
	return operations
}

// lengthenWindow gives a bad release more time to crash on a slow machine. path is that of the analysis in the strategy.
func lengthenWindow(t *testing.T, namespace, name, path string) {
	t.Helper()
	argument := "/spec/strategy/" + path + "/args/3"
	patchRollout(t, namespace, name, []map[string]any{
		{"op": "test", "path": argument + "/name", "value": "duration"},
		{"op": "replace", "path": argument + "/value", "value": "240"},
	})
}

var rolloutResource = schema.GroupVersionResource{Group: "argoproj.io", Version: "v1alpha1", Resource: "rollouts"}

func rollouts(t *testing.T, namespace string) dynamic.ResourceInterface {
	t.Helper()
	client, err := dynamic.NewForConfig(the.config)
	if err != nil {
		t.Fatal(err)
	}
	return client.Resource(rolloutResource).Namespace(namespace)
}

// release changes the Rollout's container: this is a new version.
func release(t *testing.T, namespace, name string, c corev1.Container) {
	t.Helper()
	patchRollout(t, namespace, name, []map[string]any{
		{"op": "replace", "path": "/spec/template/spec/containers/0", "value": c},
	})
}

func patchRollout(t *testing.T, namespace, name string, operations []map[string]any) {
	t.Helper()
	data, err := json.Marshal(operations)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rollouts(t, namespace).Patch(t.Context(), name, types.JSONPatchType, data, metav1.PatchOptions{}); err != nil {
		t.Fatal("patch the Rollout:", err)
	}
}

// waitRollout waits until condition is true for the Rollout.
func waitRollout(t *testing.T, namespace, name, what string, condition func(*unstructured.Unstructured) bool) *unstructured.Unstructured {
	t.Helper()
	var rollout *unstructured.Unstructured
	eventually(t, "the Rollout is "+what, 4*time.Minute, func(ctx context.Context) error {
		var err error
		if rollout, err = rollouts(t, namespace).Get(ctx, name, metav1.GetOptions{}); err != nil {
			return err
		}
		if !condition(rollout) {
			return fmt.Errorf("its phase is %q: %s", status(rollout, "phase"), status(rollout, "message"))
		}
		return nil
	})
	return rollout
}

// waitHealthy waits until a version other than previous is the stable one, and
// returns its hash.
func waitHealthy(t *testing.T, namespace, name, previous string) string {
	t.Helper()
	rollout := waitRollout(t, namespace, name, "healthy", func(r *unstructured.Unstructured) bool {
		stable := status(r, "stableRS")
		return status(r, "phase") == "Healthy" && stable != "" && stable != previous && stable == status(r, "currentPodHash")
	})
	return status(rollout, "stableRS")
}

func waitAborted(t *testing.T, namespace, name string) *unstructured.Unstructured {
	t.Helper()
	return waitRollout(t, namespace, name, "aborted", func(r *unstructured.Unstructured) bool {
		return status(r, "abort") == "true" && status(r, "phase") == "Degraded"
	})
}

// status returns one field of the Rollout's status as text.
func status(rollout *unstructured.Unstructured, fields ...string) string {
	value, found, _ := unstructured.NestedFieldNoCopy(rollout.Object, append([]string{"status"}, fields...)...)
	if !found {
		return ""
	}
	return fmt.Sprint(value)
}

// wantStable checks that this version is still the stable one, and waits until all its pods are available.
func wantStable(t *testing.T, namespace string, rollout *unstructured.Unstructured, stable string, replicas int32) {
	t.Helper()
	if got := status(rollout, "stableRS"); got != stable {
		t.Errorf("%s is stable now, want %s", got, stable)
	}
	eventually(t, "the stable version is at full scale", patience, func(ctx context.Context) error {
		sets, err := the.client.AppsV1().ReplicaSets(namespace).List(ctx, metav1.ListOptions{LabelSelector: rolloutsLabel + "=" + stable})
		if err != nil {
			return err
		}
		if len(sets.Items) != 1 || sets.Items[0].Status.AvailableReplicas != replicas {
			return fmt.Errorf("its ReplicaSets are %+v", sets.Items)
		}
		return nil
	})
}

// activeHash returns the version that the active Service of the blue-green example selects.
func activeHash(t *testing.T, namespace string) string {
	t.Helper()
	service, err := the.client.CoreV1().Services(namespace).Get(t.Context(), blueGreenExample+"-active", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return service.Spec.Selector[rolloutsLabel]
}

// watchActive records every version that the active Service selects from now on. The function that it returns stops this,
// and returns the versions.
func watchActive(t *testing.T, namespace string) func() []string {
	t.Helper()
	watcher, err := the.client.CoreV1().Services(namespace).Watch(t.Context(), metav1.ListOptions{
		FieldSelector: "metadata.name=" + blueGreenExample + "-active",
	})
	if err != nil {
		t.Fatal(err)
	}
	var hashes []string
	var noted sync.WaitGroup
	noted.Go(func() {
		for event := range watcher.ResultChan() {
			if service, isService := event.Object.(*corev1.Service); isService {
				hashes = append(hashes, service.Spec.Selector[rolloutsLabel])
			}
		}
	})
	return func() []string {
		last := activeHash(t, namespace)
		watcher.Stop()
		noted.Wait()
		return append(hashes, last)
	}
}

// reportDelay logs the time from the crash that reached the limit to the exit of the gate, and to the abort.
func reportDelay(t *testing.T, namespace string, rollout *unstructured.Unstructured) {
	t.Helper()
	pods, err := the.client.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{
		LabelSelector: "app.kubernetes.io/name=crashcheck", FieldSelector: "status.phase=Failed",
	})
	if err != nil || len(pods.Items) != 1 {
		t.Fatalf("want one failed pod of the gate, got %d (%v)", len(pods.Items), err)
	}
	ended := pods.Items[0].Status.ContainerStatuses[0].State.Terminated
	log, err := the.client.CoreV1().Pods(namespace).GetLogs(pods.Items[0].Name, &corev1.PodLogOptions{}).DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	report := reportIn(t, string(log))
	if ended.ExitCode != 1 || report.Verdict != "fail" || len(report.Containers) == 0 || report.Containers[0].FinishedAt == nil {
		t.Fatalf("the gate has not failed: exit code %d\n%s", ended.ExitCode, log)
	}
	var crashed time.Time
	for _, c := range report.Containers {
		if c.FinishedAt == nil {
			continue
		}
		at, err := time.Parse(time.RFC3339, *c.FinishedAt)
		if err != nil {
			t.Fatal(err)
		}
		if at.After(crashed) {
			crashed = at
		}
	}
	aborted, err := time.Parse(time.RFC3339, status(rollout, "abortedAt"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("crash %d at %s; the gate's exit %s later, the abort %s later (all in whole seconds)",
		report.Crashes, crashed.Format(time.TimeOnly), ended.FinishedAt.Sub(crashed), aborted.Sub(crashed))
}
