// Package manifests_test tests the manifests under deploy and the examples under docs: they have their documented names and
// permissions, and they start crashcheck with a configuration that it accepts, within the Job's deadline.
//
// It reads what users apply: the output of kustomize. test/e2e applies the manifests to a real API server with the real CRDs,
// and runs the commands of the guides.
package manifests_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const (
	root         = "../../.."
	deploy       = root + "/deploy"
	docsExamples = root + "/docs/examples"
)

// strict decodes as an API server does: an unknown field, a duplicate key or a number in place of a string is an error.
var strict = json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme.Scheme, scheme.Scheme, json.SerializerOptions{Yaml: true, Strict: true})

// decode reads one object. The types for Argo Rollouts hold only the fields that these tests check.
func decode(text []byte) (any, error) {
	var kind metav1.TypeMeta
	if err := yaml.Unmarshal(text, &kind); err != nil {
		return nil, err
	}
	switch kind.Kind {
	case "AnalysisTemplate", "ClusterAnalysisTemplate":
		object := new(analysisTemplate)
		return object, yaml.Unmarshal(text, object)
	case "Rollout":
		object := new(rollout)
		return object, yaml.Unmarshal(text, object)
	}
	object, _, err := strict.Decode(text, nil, nil)
	return object, err
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
		files[path] = read(t, path)
		return nil
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files in %s: %v", len(files), folder, err)
	}
	return files
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func asYAML(t *testing.T, value any) string {
	t.Helper()
	text, err := yaml.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
