// Package manifests_test tests the manifests under deploy and the examples under docs: they are strictly valid, they have
// their documented names and permissions, and they start crashcheck with a configuration that it accepts.
//
// It reads what users apply: the files themselves, and the output of kustomize. The types for Argo Rollouts hold only the
// fields that these tests check, so that the manifests cannot use other fields unnoticed. test/e2e applies the manifests
// to a real API server with the real CRDs.
package manifests_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const (
	root   = "../../.."
	deploy = root + "/deploy"
)

// kinds makes an empty object of each kind.
var kinds = map[metav1.TypeMeta]func() any{
	{APIVersion: "v1", Kind: "ServiceAccount"}:                              func() any { return new(corev1.ServiceAccount) },
	{APIVersion: "v1", Kind: "Service"}:                                     func() any { return new(corev1.Service) },
	{APIVersion: "apps/v1", Kind: "Deployment"}:                             func() any { return new(appsv1.Deployment) },
	{APIVersion: "batch/v1", Kind: "Job"}:                                   func() any { return new(batchv1.Job) },
	{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"}:             func() any { return new(networkingv1.NetworkPolicy) },
	{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRole"}:       func() any { return new(rbacv1.ClusterRole) },
	{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "Role"}:              func() any { return new(rbacv1.Role) },
	{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "RoleBinding"}:       func() any { return new(rbacv1.RoleBinding) },
	{APIVersion: "argoproj.io/v1alpha1", Kind: "AnalysisTemplate"}:          func() any { return new(analysisTemplate) },
	{APIVersion: "argoproj.io/v1alpha1", Kind: "ClusterAnalysisTemplate"}:   func() any { return new(analysisTemplate) },
	{APIVersion: "argoproj.io/v1alpha1", Kind: "Rollout"}:                   func() any { return new(rollout) },
	{APIVersion: types.KustomizationVersion, Kind: types.KustomizationKind}: func() any { return new(types.Kustomization) },
	{APIVersion: types.ComponentVersion, Kind: types.ComponentKind}:         func() any { return new(types.Kustomization) },
}

// decode reads one object as strictly as an API server can: an unknown field, a duplicate key or a number in place of a
// string is an error, and an unknown kind too.
func decode(text []byte) (any, error) {
	asJSON, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		return nil, err
	}
	var kind metav1.TypeMeta
	if err := json.UnmarshalCaseSensitivePreserveInts(asJSON, &kind); err != nil {
		return nil, err
	}
	newObject, known := kinds[kind]
	if !known {
		return nil, fmt.Errorf("%s %q is not a kind that these tests know", kind.APIVersion, kind.Kind)
	}
	object := newObject()
	// Not yaml.UnmarshalStrict: it would convert an unquoted 5 to the string that env[].value has to be.
	strict, err := json.UnmarshalStrict(asJSON, object)
	return object, errors.Join(append(strict, err)...)
}

// build runs kustomize on a folder, as kubectl apply -k does, and returns the objects by kind and name.
func build(t *testing.T, folder string) map[string]any {
	t.Helper()
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		t.Fatalf("kustomize build %s: %v", folder, err)
	}
	objects := map[string]any{}
	for _, resource := range made.Resources() {
		key := resource.GetKind() + "/" + resource.GetName()
		text, err := resource.AsYAML()
		if err == nil {
			objects[key], err = decode(text)
		}
		if err != nil {
			t.Fatalf("kustomize build %s: %s: %v", folder, key, err)
		}
	}
	return objects
}

// buildOverlay builds a kustomization in a folder next to a checkout of crashcheck, as the comments in deploy show it.
func buildOverlay(t *testing.T, kustomization string) map[string]any {
	t.Helper()
	parent := t.TempDir()
	overlay := filepath.Join(parent, "overlay")
	err := errors.Join(
		os.CopyFS(filepath.Join(parent, "crashcheck", "deploy"), os.DirFS(deploy)),
		os.Mkdir(overlay, 0o755),
		os.WriteFile(filepath.Join(overlay, "kustomization.yaml"), []byte(kustomization), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return build(t, overlay)
}

// buildWith builds a folder of deploy with components.
func buildWith(t *testing.T, folder string, components ...string) map[string]any {
	t.Helper()
	text := "resources: [../crashcheck/deploy/" + folder + "]\ncomponents:\n"
	for _, name := range components {
		text += "  - ../crashcheck/deploy/components/" + name + "\n"
	}
	return buildOverlay(t, text)
}

// get returns the object of a kind and name, or ends the test.
func get[T any](t *testing.T, objects map[string]any, key string) T {
	t.Helper()
	object, ok := objects[key].(T)
	if !ok {
		t.Fatalf("there is no %s", key)
	}
	return object
}

// filesIn returns the files below a folder.
func filesIn(t *testing.T, folder string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		files[path] = string(text)
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files in %s: %v", len(files), folder, err)
	}
	return files
}

func TestEveryManifestIsStrictlyValidAndPartOfAKustomization(t *testing.T) {
	for path, text := range filesIn(t, deploy) {
		if filepath.Ext(path) != ".yaml" || bytes.Contains([]byte(text), []byte("\n---")) {
			t.Errorf("%s: a manifest is a .yaml file with one object", path)
			continue
		}
		if _, err := decode([]byte(text)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if filepath.Base(path) == "kustomization.yaml" {
			continue
		}
		beside, err := os.ReadFile(filepath.Join(filepath.Dir(path), "kustomization.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		kustomization, err := decode(beside)
		if err != nil || !slices.Contains(kustomization.(*types.Kustomization).Resources, filepath.Base(path)) {
			t.Errorf("%s is not in the kustomization of its folder (%v)", path, err)
		}
	}
}

// keys are the sorted kinds and names of objects, one per line.
func keys(objects map[string]any) string {
	var keys []string
	for key := range objects {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return strings.Join(keys, "\n")
}

func asYAML(t *testing.T, value any) string {
	t.Helper()
	text, err := yaml.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
