package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crashcheck/crashcheck/test/e2e/cluster"
)

const root = "../.."

// checkout returns a copy of deploy and docs/examples, in a folder "crashcheck", for users of this namespace. The image,
// the network and the address of the API server are those of this node.
func checkout(t *testing.T, namespace string) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "crashcheck")
	adapt := []struct{ pattern, replacement string }{
		{`registry\.example\.com/crashcheck:v0\.1\.0`, cluster.GateImage},
		{`(?m)^namespace: shop$`, "namespace: " + namespace},
		{`(?m)^( *)restartPolicy: Never$`, "${1}restartPolicy: Never\n${1}hostNetwork: true"},
	}
	for _, part := range []string{"deploy", "docs/examples"} {
		if err := os.CopyFS(filepath.Join(folder, part), os.DirFS(filepath.Join(root, part))); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range filesIn(t, folder, ".yaml") {
		text := readFile(t, path)
		for _, change := range adapt {
			text = regexp.MustCompile(change.pattern).ReplaceAllString(text, change.replacement)
		}
		write(t, path, text)
		if strings.Contains(text, "terminationMessagePolicy: ") {
			setEnvironment(t, path, map[string]string{"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": strconv.Itoa(the.APIPort)})
		}
	}
	return folder
}

func filesIn(t *testing.T, folder, suffix string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(folder, func(path string, _ os.DirEntry, err error) error {
		if strings.HasSuffix(path, suffix) {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("there are %d files in %s: %v", len(files), folder, err)
	}
	return files
}

// setEnvironment sets variables of the gate in a manifest.
func setEnvironment(t *testing.T, path string, environment map[string]string) {
	t.Helper()
	text := readFile(t, path)
	for name, value := range environment {
		given := regexp.MustCompile(`(- name: ` + name + `\n +value: ).*`)
		if given.MatchString(text) {
			text = given.ReplaceAllString(text, "${1}"+strconv.Quote(value))
			continue
		}
		// The line after the variables.
		text = regexp.MustCompile(`(?m)^( *)terminationMessagePolicy: `).ReplaceAllString(text,
			"${1}  - name: "+name+"\n${1}    value: "+strconv.Quote(value)+"\n${1}terminationMessagePolicy: ")
	}
	write(t, path, text)
}

// overlay writes a kustomization over a folder of a checkout, with these components and patches, and returns its folder.
func overlay(t *testing.T, checkout, namespace, folder string, components []string, patches ...map[string]any) string {
	t.Helper()
	used := []string{}
	for _, component := range components {
		used = append(used, "../crashcheck/deploy/components/"+component)
	}
	dir := filepath.Join(filepath.Dir(checkout), "overlay")
	write(t, filepath.Join(dir, "kustomization.yaml"), marshal(t, map[string]any{
		"namespace":  namespace,
		"resources":  []string{"../crashcheck/" + folder},
		"components": used,
		"patches":    patches,
	}))
	return dir
}

// patch returns a patch of a kustomization: of all objects of a kind.
func patch(t *testing.T, kind string, operations []map[string]any) map[string]any {
	t.Helper()
	return map[string]any{"target": map[string]string{"kind": kind}, "patch": marshal(t, operations)}
}

// documents renders a kustomization and returns its objects of these kinds, or all objects.
func documents(t *testing.T, folder string, kinds ...string) string {
	t.Helper()
	all := kubectl(t, "", "kustomize", folder)
	if len(kinds) == 0 {
		return all
	}
	var chosen []string
	for document := range strings.SplitSeq(all, "\n---\n") {
		for _, kind := range kinds {
			if strings.Contains(document, "\nkind: "+kind+"\n") {
				chosen = append(chosen, document)
			}
		}
	}
	return strings.Join(chosen, "\n---\n")
}

// apply applies a manifest, as a user does.
func apply(t *testing.T, namespace, manifest string, more ...string) {
	t.Helper()
	kubectl(t, manifest, append([]string{"apply", "--server-side", "--validate=strict", "--namespace", namespace, "-f", "-"}, more...)...)
}

// kubectl runs kubectl with this input and returns its output.
func kubectl(t *testing.T, input string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), the.kubectl, append([]string{"--kubeconfig", the.Kubeconfig}, args...)...)
	cmd.Stdin = strings.NewReader(input)
	var out, errout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errout
	if err := cmd.Run(); err != nil {
		t.Fatalf("kubectl %s: %v\n%s%s", strings.Join(args, " "), err, &out, &errout)
	}
	return out.String()
}

// TestManifestsAreStrictlyValid validates the manifests with the API server, and those for Argo Rollouts with the real
// CRDs. An unknown field is an error.
func TestManifestsAreStrictlyValid(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	for _, path := range filesIn(t, root+"/deploy", "/kustomization.yaml") {
		folder, _ := filepath.Rel(root, filepath.Dir(path))
		component, isComponent := strings.CutPrefix(folder, "deploy/components/")
		overlays := map[string][]string{folder: nil}
		if isComponent {
			// It cannot be used alone.
			overlays = map[string][]string{"deploy/base": {component}, "deploy/argo-rollouts": {component}}
		}
		for over, components := range overlays {
			t.Run(component+" on "+over, func(t *testing.T) {
				if strings.Contains(over, "argo-rollouts") {
					needsNode(t)
				}
				apply(t, namespace, documents(t, overlay(t, checkout(t, namespace), namespace, over, components)), "--dry-run=server")
			})
		}
	}
}

// The pods of the shipped Jobs are admitted under the strictest level of Pod Security.
func TestJobPodsAreAdmittedUnderRestricted(t *testing.T) {
	t.Parallel()
	namespace := createNamespace(t, metav1.ObjectMeta{
		GenerateName: "crashcheck-e2e-", Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	})
	apply(t, namespace, documents(t, root+"/deploy/base", permissionKinds...))
	admit := func(t *testing.T, spec corev1.PodSpec) error {
		_, err := the.Client.CoreV1().Pods(namespace).Create(t.Context(),
			&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "gate"}, Spec: spec},
			metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	}
	var job batchv1.Job
	parse(t, documents(t, root+"/deploy/base", "Job"), &job)
	if err := admit(t, job.Spec.Template.Spec); err != nil {
		t.Error("the Job's pod:", err)
	}
	for _, kind := range []string{"AnalysisTemplate", "ClusterAnalysisTemplate"} {
		var template struct {
			Spec struct {
				Metrics []struct {
					Provider struct{ Job batchv1.Job }
				}
			}
		}
		parse(t, documents(t, root+"/deploy/argo-rollouts", kind), &template)
		if err := admit(t, template.Spec.Metrics[0].Provider.Job.Spec.Template.Spec); err != nil {
			t.Errorf("the pod of the %s: %v", kind, err)
		}
	}
	job.Spec.Template.Spec.SecurityContext = nil
	if err := admit(t, job.Spec.Template.Spec); !apierrors.IsForbidden(err) {
		t.Error("a pod that may run as root is admitted:", err)
	}
}

// replaceIn replaces texts that a file has once each.
func replaceIn(t *testing.T, path string, pairs ...string) {
	t.Helper()
	text := readFile(t, path)
	for i := 0; i < len(pairs); i += 2 {
		if strings.Count(text, pairs[i]) != 1 {
			t.Fatalf("%s does not have %q once:\n%s", path, pairs[i], text)
		}
	}
	write(t, path, strings.NewReplacer(pairs...).Replace(text))
}
