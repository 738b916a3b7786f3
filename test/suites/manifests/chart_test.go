package manifests_test

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	texttemplate "text/template"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// render renders the chart as Helm does, as far as its templates need. test/e2e installs it with the real Helm.
func render(t *testing.T, values map[string]any) map[string]any {
	t.Helper()
	files := filesIn(t, docsExamples+"/helm")
	defaults := map[string]any{}
	if err := yaml.Unmarshal([]byte(files[docsExamples+"/helm/values.yaml"]), &defaults); err != nil {
		t.Fatal(err)
	}
	maps.Copy(defaults, values)
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
			err = parsed.Execute(&rendered, map[string]any{"Values": defaults, "Release": map[string]any{"Name": "shop"}})
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

func TestTheGuideToHelmIsValid(t *testing.T) {
	for _, block := range blocksOf(t, "helm.md") {
		checkShell(t, "docs/helm.md", block.text)
	}
}

func TestChart(t *testing.T) {
	objects := render(t, map[string]any{"env": map[string]any{"VERSION": 2}})
	deployment := get[*appsv1.Deployment](t, objects, "Deployment")
	if selected := deployment.Spec.Selector.MatchLabels; len(selected) == 0 || !within(selected, deployment.Spec.Template.Labels) {
		t.Errorf("the Deployment selects %v", selected)
	}
	if env := deployment.Spec.Template.Spec.Containers[0].Env; len(env) != 1 || env[0].Name != "VERSION" || env[0].Value != "2" {
		t.Errorf("the application has the variables %v", env)
	}

	job := get[*batchv1.Job](t, objects, "Job")
	if hook := job.Annotations; hook["helm.sh/hook"] != "post-install,post-upgrade" || hook["helm.sh/hook-delete-policy"] != "before-hook-creation" {
		t.Errorf("the Job's annotations are %v", hook)
	}
	cfg := parse(t, job.Spec, nil)
	if got, want := cfg.Workload.String(), "deployment/"+deployment.Name; got != want {
		t.Errorf("WORKLOAD is %s, want %s", got, want)
	}
	if deadline := time.Duration(*job.Spec.ActiveDeadlineSeconds) * time.Second; deadline < 2*time.Minute+longestRun(cfg.Duration, cfg) {
		t.Errorf("activeDeadlineSeconds is %s: a run of %s does not fit", deadline, longestRun(cfg.Duration, cfg))
	}
	// But for its environment and account, the pod is that of deploy/base, which TestGates tests.
	pod, base := job.Spec.Template.Spec, jobsIn(build(t, deploy+"/base"))["Job/"+jobName]
	same := *base.Template.Spec.DeepCopy()
	same.Containers[0].Env, same.ServiceAccountName = pod.Containers[0].Env, pod.ServiceAccountName
	if got, want := asYAML(t, pod), asYAML(t, same); got != want {
		t.Errorf("the pod is\n%s\nwant\n%s", got, want)
	}
	if !reflect.DeepEqual(job.Spec.PodFailurePolicy, base.PodFailurePolicy) || *job.Spec.BackoffLimit != 0 || job.Spec.TTLSecondsAfterFinished == nil {
		t.Errorf("the Job's spec is\n%s", asYAML(t, job.Spec))
	}

	rules := []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}},
		{APIGroups: []string{"apps"}, Resources: []string{"deployments"}, Verbs: []string{"get"}},
		{APIGroups: []string{"apps"}, Resources: []string{"replicasets"}, Verbs: []string{"list"}},
	}
	role, binding := get[*rbacv1.Role](t, objects, "Role"), get[*rbacv1.RoleBinding](t, objects, "RoleBinding")
	if !reflect.DeepEqual(role.Rules, rules) {
		t.Errorf("the role is %+v, want exactly %+v", role.Rules, rules)
	}
	subjects := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: pod.ServiceAccountName}}
	if binding.RoleRef.Kind != "Role" || binding.RoleRef.Name != role.Name || !slices.Equal(binding.Subjects, subjects) {
		t.Errorf("the binding is of %+v to %+v", binding.RoleRef, binding.Subjects)
	}
}
