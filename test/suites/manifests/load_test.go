// Package manifests_test holds the manifests under deploy/ to their promises: what users apply is well-formed, has the
// names and permissions that it is documented to have, and starts crashcheck with a configuration that it accepts.
//
// Everything is read as users get it: the files, strictly, and what kustomize makes of them. Whether an API server
// and the CRDs of Argo Rollouts take the manifests is tested in test/e2e; the types for them here hold only what
// these tests look at, and so keep the manifests from using more than that unseen.
package manifests_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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

const deploy = "../../deploy"

// The kustomizations that users apply.
const (
	base     = deploy + "/base"
	argo     = deploy + "/argo-rollouts"
	examples = deploy + "/argo-rollouts/examples"
)

// kinds says how an object of each kind is read.
var kinds = map[metav1.TypeMeta]func() any{
	{APIVersion: "v1", Kind: "ServiceAccount"}:                              func() any { return new(corev1.ServiceAccount) },
	{APIVersion: "v1", Kind: "Service"}:                                     func() any { return new(corev1.Service) },
	{APIVersion: "apps/v1", Kind: "Deployment"}:                             func() any { return new(appsv1.Deployment) },
	{APIVersion: "batch/v1", Kind: "Job"}:                                   func() any { return new(batchv1.Job) },
	{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"}:             func() any { return new(networkingv1.NetworkPolicy) },
	{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRole"}:       func() any { return new(rbacv1.ClusterRole) },
	{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "RoleBinding"}:       func() any { return new(rbacv1.RoleBinding) },
	{APIVersion: "argoproj.io/v1alpha1", Kind: "AnalysisTemplate"}:          func() any { return new(analysisTemplate) },
	{APIVersion: "argoproj.io/v1alpha1", Kind: "ClusterAnalysisTemplate"}:   func() any { return new(analysisTemplate) },
	{APIVersion: "argoproj.io/v1alpha1", Kind: "Rollout"}:                   func() any { return new(rollout) },
	{APIVersion: types.KustomizationVersion, Kind: types.KustomizationKind}: func() any { return new(types.Kustomization) },
	{APIVersion: types.ComponentVersion, Kind: types.ComponentKind}:         func() any { return new(types.Kustomization) },
}

// decode reads one object as an API server does: an unknown field, a duplicate key, a number where a string belongs,
// and here an unknown kind too, end the test.
func decode(t *testing.T, source string, text []byte) any {
	t.Helper()
	object, err := decodeStrict(text)
	if err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	return object
}

func decodeStrict(text []byte) (any, error) {
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
		return nil, fmt.Errorf("%s %q is not among the kinds that these tests know", kind.APIVersion, kind.Kind)
	}
	object := newObject()
	// Not yaml.UnmarshalStrict: it would turn an unquoted 5 into the string that env[].value has to be.
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
		text, err := resource.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		key := resource.GetKind() + "/" + resource.GetName()
		if objects[key] != nil {
			t.Errorf("kustomize build %s: %s twice", folder, key)
		}
		objects[key] = decode(t, folder+" "+key, text)
	}
	return objects
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

func TestEveryManifestIsStrictlyValidAndHoldsOneObject(t *testing.T) {
	files := 0
	err := filepath.WalkDir(deploy, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files++
		if filepath.Ext(path) != ".yaml" {
			t.Errorf("%s: manifests are called .yaml here", path)
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if bytes.Contains(text, []byte("\n---")) {
			t.Errorf("%s: holds more than one object, and only the first one is read here", path)
		}
		decode(t, path, text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files == 0 {
		t.Fatalf("there is no manifest in %s", deploy)
	}
}

func TestEveryManifestIsPartOfAKustomization(t *testing.T) {
	err := filepath.WalkDir(deploy, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() == "kustomization.yaml" {
			return err
		}
		beside := filepath.Join(filepath.Dir(path), "kustomization.yaml")
		text, err := os.ReadFile(beside)
		if err != nil {
			return err
		}
		kustomization, ok := decode(t, beside, text).(*types.Kustomization)
		if ok && slices.Contains(kustomization.Resources, entry.Name()) {
			return nil
		}
		t.Errorf("%s is in no kustomization: nobody would get it", path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
