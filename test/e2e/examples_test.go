package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crashcheck/crashcheck/test/e2e/build"
	"github.com/crashcheck/crashcheck/test/e2e/gate"
	"github.com/crashcheck/crashcheck/test/readme/commands"
)

// These run the examples that use WORKLOAD and are not in release_test.go and helm_test.go.

// The README's first command, with a binary that is there already.
func TestLaptopCommand(t *testing.T) {
	t.Parallel()
	w := createWorkload(t, workloadKinds["Deployment"], newNamespace(t, nil), "shop")
	w.becomesAvailable(t, 164)
	w.release(t, 2)
	runs(t, w.pods(t, 2), 5, corev1.ConditionFalse)

	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(the.binary, filepath.Join(folder, "bin", "crashcheck")); err != nil {
		t.Fatal(err)
	}
	root, err := build.ProductRoot()
	if err != nil {
		t.Fatal(err)
	}
	shown, err := commands.Read(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	command, found := strings.CutPrefix(shown["On a laptop, or in a pipeline"], "make build\n")
	if !found {
		t.Fatalf("README.md has no such commands: %q", shown)
	}
	code, output := shell(t, folder, append(clusterEnvironment(), "KUBECONFIG="+kubeconfigOf(t, w.namespace)), command)
	wantRelease(t, code, output, gate.Fail, "checking version "+w.hash(t, 2)+": ", "FAIL (exit code 1): 5 crashes in 1 of 1 pod")
	t.Log(output)
}

// docs/examples/k8s/crashcheck-statefulset, and the same for a DaemonSet, as jobs on this node.
func TestStatefulSetAndDaemonSetExample(t *testing.T) {
	needsLocalImages(t)
	t.Parallel()
	for name, test := range map[string]struct {
		kind, workload string
		container      corev1.Container
		exitCode       int32
		report         string
	}{
		"a StatefulSet that does not crash": {"StatefulSet", "statefulset/cart", container("cart", ready), gate.Pass, "PASS: no crashes within "},
		"a DaemonSet that crashes":          {"DaemonSet", "daemonset/cart", container("cart", ends("1s", "3")), gate.Fail, "FAIL: 2 crashes in 1 of 1 pod"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			namespace := newNamespace(t, nil)
			cart := func(spec any) []byte {
				return []byte(marshal(t, map[string]any{"apiVersion": "apps/v1", "kind": test.kind, "metadata": map[string]string{"name": "cart"}, "spec": spec}))
			}
			labels := map[string]string{"app": "cart"}
			spec := map[string]any{
				"selector": metav1.LabelSelector{MatchLabels: labels},
				"template": corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: shopPod(test.container)},
			}
			apply(t, namespace, cart(spec))
			if test.exitCode == gate.Pass {
				kubectl(t, nil, "--namespace", namespace, "rollout", "status", test.workload, "--timeout=90s")
			}
			folder := exampleFolder(t, namespace, "k8s/crashcheck-statefulset", "statefulset/cart", test.workload)
			apply(t, namespace, kubectl(t, nil, "kustomize", folder))
			result := finishJob(t, namespace, 2*patience)
			if result.ExitCode != test.exitCode || !strings.HasPrefix(result.Message, test.report) || result.Report.Workload == nil || *result.Report.Workload != test.workload {
				t.Errorf("want %s over %s, got %s", test.report, test.workload, result)
			}
			if !strings.Contains(result.Report.Selector, "app=cart,"+appsv1.ControllerRevisionHashLabelKey+"=") {
				t.Errorf("the selector is %s", result.Report.Selector)
			}
			t.Log(result.Message)
		})
	}
}

// exampleFolder is a copy of a kustomization in docs/examples, over this checkout, with what this node needs, a limit of two
// crashes and these replacements.
func exampleFolder(t *testing.T, namespace, example string, replacements ...string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	relative := func(folder string) string {
		path, err := filepath.Rel(dir, folder)
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	operations := append(loopbackPatch(), map[string]any{"op": "replace", "path": "/spec/template/spec/containers/0/env/3/value", "value": "2"})
	if strings.Contains(strings.Join(replacements, " "), "daemonset") {
		operations = append(operations, map[string]any{"op": "replace", "path": "/spec/template/spec/containers/0/env/2/value", "value": "120"})
	}
	path := filepath.Join(dir, "kustomization.yaml")
	write(t, path, string(readFile(t, filepath.Join(examplesFolder(t), example, "kustomization.yaml"))))
	replaceIn(t, path, append(replacements,
		"  - ../../../../deploy/base\n", "  - "+relative(overlay(t, namespace, "base", patch(t, "Job", "", operations)))+"\n",
		"  - ../../../../deploy/components/workload\n", "  - "+relative(filepath.Join(deployFolder(t), "components", "workload"))+"\n",
		"namespace: shop\n", "namespace: "+namespace+"\n",
	)...)
	return dir
}

// The argument namespace leads the gate to the pods where its Job runs elsewhere; docs/argo-rollouts.md says which permissions it
// needs there.
func TestAnalysisOfAnotherNamespace(t *testing.T) {
	needsRollouts(t)
	t.Parallel()
	jobs := releaseNamespace(t)
	rollouts := newNamespace(t, nil)
	setRestarts(t, paperPod(t, rollouts, "web-0", map[string]string{rolloutsLabel: someHash}), 7)
	subject := "  name: " + shippedAccount
	binding := string(shippedManifests(t, "base", "RoleBinding"))
	if strings.Count(binding, subject) != 1 {
		t.Fatalf("the RoleBinding has another subject:\n%s", binding)
	}
	apply(t, rollouts, []byte(strings.Replace(binding, subject, subject+"\n  namespace: "+jobs, 1)))

	startAnalysis(t, jobs, map[string]string{"namespace": rollouts, "limit": "7", "duration": "30"})
	phase, message := analysisEnd(t, jobs)
	if phase != "Failed" {
		t.Fatalf("the AnalysisRun is %s (%s), want Failed for the crashes of the pod in the other namespace", phase, message)
	}
	pods, err := the.client.CoreV1().Pods(jobs).List(t.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=crashcheck"})
	if err != nil || len(pods.Items) != 1 {
		t.Fatalf("want one pod of the gate, got %d (%v)", len(pods.Items), err)
	}
	log, err := the.client.CoreV1().Pods(jobs).GetLogs(pods.Items[0].Name, &corev1.PodLogOptions{}).DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if report := reportIn(t, string(log)); report.Verdict != "fail" || report.Crashes != 7 || report.Namespace != rollouts {
		t.Errorf("want a fail with 7 crashes in namespace %s:\n%s", rollouts, log)
	}
}
