package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/crashcheck/crashcheck/test/e2e/build"
	"github.com/crashcheck/crashcheck/test/e2e/gate"
)

// These tests run docs/examples as docs/pipelines.md describes, with the real kubectl, with the images of this node and
// short windows.

// noVerdict is the exit code of release.sh if there is no verdict.
const noVerdict = 100

// untilItCrashes is a window for a bad release, which fails before its end.
var untilItCrashes = map[string]string{"DURATION": "90"}

func TestReleaseScript(t *testing.T) {
	needsLocalImages(t)
	t.Parallel()
	t.Run("good releases proceed, and a bad one is rolled back to the last of them", func(t *testing.T) {
		t.Parallel()
		namespace := newNamespace(t, nil)
		folder := releaseFolder(t, namespace, nil)
		for _, version := range []string{"1", "2"} {
			writeShop(t, folder, container("shop", ready, env("VERSION", version)))
			code, output := releaseShop(t, folder, namespace)
			wantRelease(t, code, output, gate.Pass, `{"Crashes":0,"verdict":"pass"`, "the gate passed")
			wantVersion(t, namespace, version)
		}
		useGate(t, folder, namespace, untilItCrashes)
		writeShop(t, folder, container("shop", ends("1s", "3"), env("VERSION", "3")))
		code, output := releaseShop(t, folder, namespace)
		wantRelease(t, code, output, gate.Fail, `"verdict":"fail"`, "rolling back to revision 2", "failed with exit code 1")
		wantVersion(t, namespace, "2")
	})
	t.Run("a first release that crashes cannot be rolled back, nor can its repetition", func(t *testing.T) {
		t.Parallel()
		namespace := newNamespace(t, nil)
		folder := releaseFolder(t, namespace, untilItCrashes)
		writeShop(t, folder, container("shop", ends("1s", "3"), env("VERSION", "1")))
		for range 2 {
			code, output := releaseShop(t, folder, namespace)
			wantRelease(t, code, output, gate.Fail, `"verdict":"fail"`, "no other revision to roll back to")
			wantVersion(t, namespace, "1")
		}
	})
	for name, test := range map[string]struct {
		// environment and patches are for the gate.
		environment map[string]string
		patches     []map[string]any
		code        int
		output      []string
	}{
		"a gate with a mistyped setting rolls back": {
			map[string]string{"CRASH_LIMIT": "many"}, nil, gate.Invalid, []string{`"verdict":"invalid"`},
		},
		"a gate that finds too few pods rolls back": {
			map[string]string{"MIN_PODS": "50", "DURATION": "2"}, nil, gate.Inconclusive, []string{`"verdict":"inconclusive"`},
		},
		"a gate that never starts ends at its deadline and rolls back": {
			nil,
			[]map[string]any{
				{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "crashcheck.e2e/missing:1"},
				{"op": "replace", "path": "/spec/activeDeadlineSeconds", "value": 5},
			},
			noVerdict, []string{"DeadlineExceeded"},
		},
		"a gate that the server rejects rolls back": {
			nil,
			[]map[string]any{{"op": "replace", "path": "/spec/template/spec/restartPolicy", "value": "Always"}},
			noVerdict, []string{"restartPolicy"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			namespace := newNamespace(t, nil)
			folder := releaseFolder(t, namespace, nil)
			writeShop(t, folder, container("shop", ready, env("VERSION", "1")))
			code, output := releaseShop(t, folder, namespace)
			wantRelease(t, code, output, gate.Pass)

			useGate(t, folder, namespace, test.environment, test.patches...)
			writeShop(t, folder, container("shop", ready, env("VERSION", "2")))
			code, output = releaseShop(t, folder, namespace)
			wantRelease(t, code, output, test.code, append(test.output, "rolling back to revision 1")...)
			wantVersion(t, namespace, "1")
		})
	}
}

// TestPipelineExamples runs the commands of the examples literally: GitHub Actions for a first release, GitLab CI for a
// second one that crashes.
func TestPipelineExamples(t *testing.T) {
	needsLocalImages(t)
	t.Parallel()
	const namespace = "shop" // as the commands say; this cluster is the suite's own
	_, err := the.client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := the.client.CoreV1().Namespaces().Delete(context.Background(), namespace, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	eventually(t, "the default ServiceAccount exists", patience, func(ctx context.Context) error {
		_, err := the.client.CoreV1().ServiceAccounts(namespace).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
	folder := releaseFolder(t, namespace, nil)

	var workflow struct {
		Jobs map[string]struct {
			Steps []struct {
				Env map[string]string `json:"env"`
				Run string            `json:"run"`
			} `json:"steps"`
		} `json:"jobs"`
	}
	parse(t, readFile(t, filepath.Join(examplesFolder(t), "github-actions.yaml")), &workflow)
	writeShop(t, folder, container("shop", ready, env("VERSION", "1")))
	runner := runnerEnvironment(t)
	ran := 0
	for _, step := range workflow.Jobs["release"].Steps {
		if step.Run == "" {
			continue
		}
		environment := runner()
		for name, value := range step.Env {
			if value != "${{ secrets.KUBECONFIG }}" {
				t.Fatalf("%s is %s, which this test does not know", name, value)
			}
			environment = append(environment, name+"="+string(readFile(t, the.kubeconfig)))
		}
		code, output := shell(t, folder, environment, step.Run)
		wantRelease(t, code, output, 0)
		ran++
	}
	if ran != 2 {
		t.Errorf("%d steps were run, want 2", ran)
	}
	wantVersion(t, namespace, "1")

	var pipeline struct {
		Release struct {
			Script []string `json:"script"`
		} `json:"release"`
	}
	parse(t, readFile(t, filepath.Join(examplesFolder(t), "gitlab-ci.yaml")), &pipeline)
	useGate(t, folder, namespace, untilItCrashes)
	writeShop(t, folder, container("shop", ends("1s", "3"), env("VERSION", "2")))
	code, output := shell(t, folder, clusterEnvironment(), strings.Join(pipeline.Release.Script, "\n"))
	wantRelease(t, code, output, gate.Fail, `"verdict":"fail"`, "rolling back to revision 1")
	wantVersion(t, namespace, "1")
}

// TestArgoCDExample applies the example in the order of Argo CD: the sync, the wait until everything is healthy, the
// hook.
func TestArgoCDExample(t *testing.T) {
	needsLocalImages(t)
	t.Parallel()
	namespace := newNamespace(t, nil)
	manifests := string(rendered(t, argoCDOverlay(t, namespace)))
	var sync, hooks []string
	for document := range strings.SplitSeq(manifests, "\n---\n") {
		if strings.Contains(document, "argocd.argoproj.io/hook: PostSync") {
			hooks = append(hooks, document)
		} else {
			sync = append(sync, document)
		}
	}
	if len(hooks) != 1 {
		t.Fatalf("there are %d hooks, want the Job:\n%s", len(hooks), manifests)
	}
	apply(t, namespace, []byte(strings.Join(sync, "\n---\n")))
	permitted(t, namespace, shippedAccount)
	kubectl(t, nil, "--namespace", namespace, "rollout", "status", "deployment/shop", "--timeout=90s")
	apply(t, namespace, []byte(hooks[0]))
	result := finishJob(t, namespace, patience)
	if !result.Complete || result.Report.Pods != 2 || result.Report.Workload == nil || *result.Report.Workload != "deployment/shop" {
		t.Errorf("want a pass over the 2 pods of deployment/shop, got %s", result)
	}
}

// argoCDOverlay is a copy of docs/examples/argo-cd with this node's images, over this checkout's deploy folder.
func argoCDOverlay(t *testing.T, namespace string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(examplesFolder(t), "argo-cd"))); err != nil {
		t.Fatal(err)
	}
	gate := overlay(t, namespace, "base", patch(t, "Job", "", loopbackPatch()))
	relative := func(folder string) string {
		path, err := filepath.Rel(dir, folder)
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	path := filepath.Join(dir, "kustomization.yaml")
	text := strings.NewReplacer(
		"../../../deploy/base\n", relative(gate)+"\n",
		"../../../deploy/components/", relative(filepath.Join(deployFolder(t), "components"))+"/",
		"namespace: shop\n", "namespace: "+namespace+"\n",
	).Replace(string(readFile(t, path)))
	var kustomization map[string]any
	parse(t, []byte(text), &kustomization)
	for _, change := range ownClusterRole(t, namespace) {
		kustomization["patches"] = append(kustomization["patches"].([]any), change)
	}
	write(t, path, marshal(t, kustomization))

	path = filepath.Join(dir, "deployment.yaml")
	var deployment appsv1.Deployment
	parse(t, readFile(t, path), &deployment)
	deployment.Spec.Template.Spec = shopPod(container("shop", ready))
	write(t, path, marshal(t, deployment))
	return dir
}

// releaseFolder returns a folder with release.sh and a gate, as a user has it.
func releaseFolder(t *testing.T, namespace string, environment map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "k8s"), 0o755); err != nil {
		t.Fatal(err)
	}
	script := readFile(t, filepath.Join(examplesFolder(t), "release.sh"))
	if err := os.WriteFile(filepath.Join(folder, "release.sh"), script, 0o755); err != nil {
		t.Fatal(err)
	}
	useGate(t, folder, namespace, environment)
	// No run has to wait for a new binding.
	grant(t, namespace, filepath.Join(folder, "k8s", "crashcheck"))
	return folder
}

// useGate creates k8s/crashcheck in the folder, a gate for the Deployment of writeShop.
func useGate(t *testing.T, folder, namespace string, environment map[string]string, operations ...map[string]any) {
	t.Helper()
	all := map[string]string{"WORKLOAD": "deployment/shop", "INTERVAL": "1", "DURATION": "20", "CRASH_LIMIT": "1"}
	maps.Copy(all, environment)
	patches := []map[string]any{jobPatch(t, all)}
	if len(operations) > 0 {
		patches = append(patches, patch(t, "Job", "", operations))
	}
	link := filepath.Join(folder, "k8s", "crashcheck")
	if err := os.Remove(link); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	patches = append(patches, ownClusterRole(t, namespace)...)
	if err := os.Symlink(overlayWith(t, namespace, "base", []string{"workload"}, patches...), link); err != nil {
		t.Fatal(err)
	}
}

// writeShop writes the Deployment of the example with this container.
func writeShop(t *testing.T, folder string, c corev1.Container) {
	t.Helper()
	var shop appsv1.Deployment
	parse(t, readFile(t, filepath.Join(examplesFolder(t), "k8s", "shop.yaml")), &shop)
	shop.Spec.Template.Spec = shopPod(c)
	write(t, filepath.Join(folder, "k8s", "shop.yaml"), marshal(t, shop))
}

func shopPod(c corev1.Container) corev1.PodSpec {
	grace := int64(1)
	return corev1.PodSpec{Containers: []corev1.Container{c}, TerminationGracePeriodSeconds: &grace}
}

// releaseShop runs release.sh.
func releaseShop(t *testing.T, folder, namespace string) (code int, output string) {
	t.Helper()
	return shell(t, folder, clusterEnvironment(), "./release.sh "+namespace+" shop k8s/shop.yaml k8s/crashcheck")
}

// wantRelease checks the exit code of a script, and that its output contains these texts.
func wantRelease(t *testing.T, code int, output string, want int, texts ...string) {
	t.Helper()
	if code != want {
		t.Fatalf("want exit code %d, got %d:\n%s", want, code, output)
	}
	for _, text := range texts {
		if !strings.Contains(output, text) {
			t.Errorf("the output does not say %q:\n%s", text, output)
		}
	}
}

// wantVersion waits until all pods of the Deployment have that VERSION.
func wantVersion(t *testing.T, namespace, version string) {
	t.Helper()
	eventually(t, "all pods are of version "+version, patience, func(ctx context.Context) error {
		pods, err := the.client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=shop"})
		if err != nil {
			return err
		}
		for _, pod := range pods.Items {
			for _, variable := range pod.Spec.Containers[0].Env {
				if variable.Name == "VERSION" && variable.Value != version {
					return fmt.Errorf("%s is of version %s", pod.Name, variable.Value)
				}
			}
		}
		if len(pods.Items) == 0 {
			return errors.New("there are no pods")
		}
		return nil
	})
}

// shell runs commands as a pipeline does: it stops at the first one that fails.
func shell(t *testing.T, folder string, environment []string, commands string) (code int, output string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-e", "-c", commands)
	cmd.Dir = folder
	cmd.Env = environment
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", commands, err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// clusterEnvironment is an environment in which kubectl uses the cluster.
func clusterEnvironment() []string {
	return []string{
		"PATH=" + filepath.Dir(the.kubectl) + string(filepath.ListSeparator) + os.Getenv("PATH"),
		"HOME=" + the.work, // kubectl keeps a cache there
		"KUBECONFIG=" + the.kubeconfig,
	}
}

// runnerEnvironment returns the environment of a step on a GitHub runner. A step can set variables of the next steps in
// the file GITHUB_ENV.
func runnerEnvironment(t *testing.T) func() []string {
	t.Helper()
	temp := t.TempDir()
	file := filepath.Join(temp, "env")
	write(t, file, "")
	return func() []string {
		environment := []string{"RUNNER_TEMP=" + temp, "GITHUB_ENV=" + file}
		for _, variable := range clusterEnvironment() {
			if !strings.HasPrefix(variable, "KUBECONFIG=") {
				environment = append(environment, variable)
			}
		}
		lines := bufio.NewScanner(strings.NewReader(string(readFile(t, file))))
		for lines.Scan() {
			environment = append(environment, lines.Text())
		}
		return environment
	}
}

// loopbackPatch changes only what the Job's pod needs on this node.
func loopbackPatch() []map[string]any {
	const podSpec = "/spec/template/spec"
	operations := []map[string]any{
		{"op": "add", "path": podSpec + "/containers/0/imagePullPolicy", "value": "Never"},
		{"op": "add", "path": podSpec + "/hostNetwork", "value": the.loopbackPort != ""},
		{"op": "replace", "path": podSpec + "/containers/0/env/1/value", "value": "1"}, // INTERVAL
		{"op": "replace", "path": podSpec + "/containers/0/env/2/value", "value": "5"}, // DURATION
	}
	for _, variable := range loopbackEnv() {
		operations = append(operations, map[string]any{"op": "add", "path": podSpec + "/containers/0/env/-", "value": variable})
	}
	return operations
}

func docsFolder(t *testing.T) string {
	t.Helper()
	root, err := build.ProductRoot()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, "docs")
}

func examplesFolder(t *testing.T) string {
	t.Helper()
	return filepath.Join(docsFolder(t), "examples")
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func marshal(t *testing.T, object any) string {
	t.Helper()
	data, err := yaml.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
