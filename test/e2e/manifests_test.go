package e2e

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// TestManifestsAreStrictlyValid validates the manifests with the API server, and those for Argo Rollouts with the real
// CRDs. An unknown field is an error.
func TestManifestsAreStrictlyValid(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t, nil)
	folder := deployFolder(t)
	found := 0
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		manifest := func(t *testing.T) []byte { return readFile(t, path) }
		if entry.Name() == "kustomization.yaml" {
			manifest = func(t *testing.T) []byte { return kubectl(t, nil, "kustomize", filepath.Dir(path)) }
		}
		name, _ := filepath.Rel(folder, path)
		found++
		if entry.Name() == "kustomization.yaml" && strings.HasPrefix(name, "components/") {
			// A component cannot be used alone. Use it with the base, and with the templates.
			component := filepath.Base(filepath.Dir(name))
			for _, over := range []string{"base", "argo-rollouts"} {
				t.Run(name+" on "+over, func(t *testing.T) {
					if over != "base" {
						needsRollouts(t)
					}
					content := kubectl(t, nil, "kustomize", overlayWith(t, namespace, over, []string{component}))
					applyStrictly(t, namespace, content)
				})
			}
			return nil
		}
		t.Run(name, func(t *testing.T) {
			content := manifest(t)
			if strings.Contains(string(content), "argoproj.io") {
				needsRollouts(t)
			}
			applyStrictly(t, namespace, content)
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found == 0 {
		t.Fatalf("there are no manifests in %s", folder)
	}
	t.Run("and a field that nobody knows is an error", func(t *testing.T) {
		out, err := tryKubectl(t.Context(), []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\nunknown: 1\n"),
			"apply", "--server-side", "--dry-run=server", "--validate=strict", "--namespace", namespace, "-f", "-")
		if err == nil {
			t.Errorf("it was accepted: %s", out)
		}
	})
}

// applyStrictly asks the server whether it would accept the manifest.
func applyStrictly(t *testing.T, namespace string, manifest []byte) {
	t.Helper()
	kubectl(t, manifest, "apply", "--server-side", "--dry-run=server", "--validate=strict", "--namespace", namespace, "-f", "-")
}

// The pods of the shipped Jobs are admitted under the strictest level of Pod Security.
func TestJobPodsAreAdmittedUnderRestricted(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t, map[string]string{"pod-security.kubernetes.io/enforce": "restricted"})
	apply(t, namespace, shippedManifests(t, "base", permissionKinds...))
	admit := func(t *testing.T, spec corev1.PodSpec) error {
		_, err := the.client.CoreV1().Pods(namespace).Create(t.Context(),
			&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "gate"}, Spec: spec},
			metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	}

	var job batchv1.Job
	parse(t, shippedManifests(t, "base", "Job"), &job)
	t.Run("the Job's", func(t *testing.T) {
		if err := admit(t, job.Spec.Template.Spec); err != nil {
			t.Error(err)
		}
	})
	for _, kind := range []string{"AnalysisTemplate", "ClusterAnalysisTemplate"} {
		t.Run("the "+kind+"'s", func(t *testing.T) {
			var template struct {
				Spec struct {
					Metrics []struct {
						Provider struct{ Job batchv1.Job }
					}
				}
			}
			parse(t, shippedManifests(t, "argo-rollouts", kind), &template)
			if len(template.Spec.Metrics) != 1 {
				t.Fatalf("want one metric, got %d", len(template.Spec.Metrics))
			}
			if err := admit(t, template.Spec.Metrics[0].Provider.Job.Spec.Template.Spec); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("and none that may run as root", func(t *testing.T) {
		spec := job.Spec.Template.Spec.DeepCopy()
		spec.SecurityContext = nil
		if err := admit(t, *spec); !apierrors.IsForbidden(err) {
			t.Errorf("want a refusal, got %v", err)
		}
	})
}

func parse(t *testing.T, manifest []byte, into any) {
	t.Helper()
	if err := yaml.Unmarshal(manifest, into); err != nil {
		t.Fatal(err)
	}
}
