package manifests_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	texttemplate "text/template"

	batchv1 "k8s.io/api/batch/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// test/e2e runs the guides' commands. These tests need no cluster: they compare the guides to the files that are run.

func TestTheGuideToPipelinesShowsOnlyLinesOfTheExamples(t *testing.T) {
	lines := func(text string) (trimmed []string) {
		for line := range strings.Lines(text) {
			trimmed = append(trimmed, strings.TrimSpace(line))
		}
		return trimmed
	}
	blocks := regexp.MustCompile("(?ms)^```.*?\n(.*?)^```$").FindAllStringSubmatch(read(t, root+"/docs/pipelines.md"), -1)
	if len(blocks) == 0 {
		t.Error("the guide shows nothing")
	}
	files := filesIn(t, docsExamples)
	for _, block := range blocks {
		shown, found := lines(block[1]), false
		for _, text := range files {
			file := lines(text)
			for start := range len(file) - len(shown) + 1 {
				// The end of a line is enough: a command may follow "run:" in the file.
				found = found || slices.EqualFunc(shown, file[start:start+len(shown)], func(shown, written string) bool {
					return strings.HasSuffix(written, shown)
				})
			}
		}
		if !found {
			t.Errorf("no file of docs/examples has these lines, so nothing runs them:\n%s", block[1])
		}
	}
}

func TestTestsThatTheGuidesNameExist(t *testing.T) {
	var endToEnd strings.Builder
	for path, text := range filesIn(t, root+"/test/e2e") {
		if strings.HasSuffix(path, "_test.go") {
			endToEnd.WriteString(text)
		}
	}
	for _, guide := range []string{"argo-rollouts.md", "pipelines.md"} {
		for _, name := range regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(read(t, root+"/docs/"+guide), -1) {
			if !strings.Contains(endToEnd.String(), "\nfunc "+name+"(t *testing.T)") {
				t.Errorf("%s names %s, which is not a test of test/e2e", guide, name)
			}
		}
	}
}

// The examples name the workload, so that no pipeline needs a hash.
func TestExamplesNameTheWorkload(t *testing.T) {
	for folder, workload := range map[string]string{
		"k8s/crashcheck":             "deployment/shop",
		"k8s/crashcheck-statefulset": "statefulset/cart",
		"argo-cd":                    "deployment/shop",
	} {
		objects := build(t, docsExamples+"/"+folder)
		job := get[*batchv1.Job](t, objects, "Job/rollout-crashcheck-job")
		image := job.Spec.Template.Spec.Containers[0].Image
		cfg := parse(t, job.Spec, nil)
		if cfg.Workload.String() != workload || cfg.Selector != nil || image != "registry.shop.example/crashcheck:v0.1.0" || job.Namespace != "shop" {
			t.Errorf("%s: the Job runs %s in namespace %s with %+v, want WORKLOAD=%s", folder, image, job.Namespace, cfg, workload)
		}
		get[*rbacv1.Role](t, objects, "Role/read-workloads") // of the component workload
	}
	hook := get[*batchv1.Job](t, build(t, docsExamples+"/argo-cd"), "Job/rollout-crashcheck-job").Annotations
	if hook["argocd.argoproj.io/hook"] != "PostSync" || hook["argocd.argoproj.io/hook-delete-policy"] != "BeforeHookCreation" {
		t.Errorf("the annotations of the hook for Argo CD are %v", hook)
	}
}

// render renders the chart as Helm does, as far as its templates need. test/e2e installs it with the real Helm.
func render(t *testing.T) map[string]any {
	t.Helper()
	files := filesIn(t, docsExamples+"/helm")
	values := map[string]any{}
	if err := yaml.Unmarshal([]byte(files[docsExamples+"/helm/values.yaml"]), &values); err != nil {
		t.Fatal(err)
	}
	functions := texttemplate.FuncMap{
		"quote": func(value any) string { return fmt.Sprintf("%q", fmt.Sprint(value)) },
		"add":   func(a float64, b int) int { return int(a) + b },
	}
	objects := map[string]any{}
	for path, text := range files {
		if filepath.Base(filepath.Dir(path)) != "templates" {
			continue
		}
		var rendered bytes.Buffer
		parsed, err := texttemplate.New(path).Option("missingkey=error").Funcs(functions).Parse(text)
		if err == nil {
			err = parsed.Execute(&rendered, map[string]any{"Values": values, "Release": map[string]any{"Name": "shop"}})
		}
		if err != nil {
			t.Fatal(err)
		}
		for document := range strings.SplitSeq(rendered.String(), "\n---\n") {
			object, err := decode([]byte(document))
			if err != nil {
				t.Fatalf("%s: %v\n%s", path, err, document)
			}
			objects[strings.TrimPrefix(fmt.Sprintf("%T", object), "*v1.")] = object
		}
	}
	return objects
}

func TestChart(t *testing.T) {
	objects := render(t)
	job := get[*batchv1.Job](t, objects, "Job")
	cfg := parse(t, job.Spec, nil)
	if got, want := cfg.Workload.String(), "deployment/shop"; got != want {
		t.Errorf("WORKLOAD is %s, want %s", got, want)
	}
	checkDeadline(t, job.Spec, cfg, cfg.Duration)
	if hook := job.Annotations; hook["helm.sh/hook"] != "post-install,post-upgrade" || hook["helm.sh/hook-delete-policy"] != "before-hook-creation" {
		t.Errorf("the Job's annotations are %v", hook)
	}
	base := jobsIn(build(t, deploy+"/base"))["Job/rollout-crashcheck-job"]
	checkPod(t, job.Spec.Template.Spec, base.Template.Spec)
	if asYAML(t, job.Spec.PodFailurePolicy) != asYAML(t, base.PodFailurePolicy) || *job.Spec.BackoffLimit != 0 || job.Spec.TTLSecondsAfterFinished == nil {
		t.Errorf("the Job's spec is\n%s", asYAML(t, job.Spec))
	}
	const want = "list pods, get deployments in apps, list replicasets in apps"
	if got := rules(get[*rbacv1.Role](t, objects, "Role").Rules); got != want {
		t.Errorf("the role permits to %s, want %s", got, want)
	}
}
