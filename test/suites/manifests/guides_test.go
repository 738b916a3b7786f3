package manifests_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"

	"github.com/crashcheck/crashcheck/pkg/config"
)

// The guides' commands are run in test/e2e. These tests need no cluster: they hold the guides to the files that are run.

const (
	docs         = "../../docs"
	docsExamples = docs + "/examples"
)

// A block is one fenced block of a guide.
type block struct{ language, text string }

var fence = regexp.MustCompile("(?ms)^```(.*?)\n(.*?)^```$")

func blocksOf(t *testing.T, guide string) []block {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(docs, guide))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []block
	for _, match := range fence.FindAllSubmatch(text, -1) {
		blocks = append(blocks, block{string(match[1]), string(match[2])})
	}
	if len(blocks) == 0 || strings.Count(string(text), "```") != 2*len(blocks) {
		t.Fatalf("%s: found %d blocks", guide, len(blocks))
	}
	return blocks
}

func TestGuideToPipelinesShowsWhatIsRun(t *testing.T) {
	files := map[string][]string{}
	for path, text := range exampleFiles(t) {
		for line := range strings.Lines(text) {
			files[path] = append(files[path], strings.TrimSpace(line))
		}
	}
	for _, block := range blocksOf(t, "pipelines.md") {
		var lines []string
		for line := range strings.Lines(block.text) {
			lines = append(lines, strings.TrimSpace(line))
		}
		found := false
		for _, file := range files {
			for start := range len(file) - len(lines) + 1 {
				// The end of a line is enough: a command stands behind "run:" there.
				found = found || slices.EqualFunc(lines, file[start:start+len(lines)], func(shown, written string) bool {
					return strings.HasSuffix(written, shown)
				})
			}
		}
		if !found {
			t.Errorf("this is in no file of docs/examples, and so is never run:\n%s", block.text)
		}
	}
}

// test/e2e runs the commands and asks the CRDs of Argo Rollouts for the manifests.
func TestGuideToArgoRolloutsIsWellFormed(t *testing.T) {
	for _, block := range blocksOf(t, "argo-rollouts.md") {
		switch block.language {
		case "sh":
			checkShell(t, "docs/argo-rollouts.md", block.text)
		case "yaml":
			fragment := "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nspec:\n  " + strings.ReplaceAll(block.text, "\n", "\n  ")
			example := decode(t, "docs/argo-rollouts.md", []byte(fragment)).(*rollout)
			for _, used := range analysesOf(example) {
				checkAnalysis(t, used)
			}
		default:
			t.Errorf("a block of %q is checked by nobody:\n%s", block.language, block.text)
		}
	}
}

// analysesOf returns all uses of a template in a Rollout.
func analysesOf(example *rollout) []analysis {
	var used []analysis
	if canary := example.Spec.Strategy.Canary; canary != nil {
		if canary.Analysis != nil {
			used = append(used, canary.Analysis.analysis)
		}
		for _, step := range canary.Steps {
			if step.Analysis != nil {
				used = append(used, *step.Analysis)
			}
		}
	}
	if blueGreen := example.Spec.Strategy.BlueGreen; blueGreen != nil {
		for _, analysis := range []*analysis{blueGreen.PrePromotionAnalysis, blueGreen.PostPromotionAnalysis} {
			if analysis != nil {
				used = append(used, *analysis)
			}
		}
	}
	return used
}

func TestGuidesLinkToFilesAndTestsThatExist(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#]+)\)`)
	named := regexp.MustCompile(`\bTest[A-Z]\w+`)
	tests := endToEndTests(t)
	for _, guide := range []string{"argo-rollouts.md", "pipelines.md"} {
		text, err := os.ReadFile(filepath.Join(docs, guide))
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range link.FindAllSubmatch(text, -1) {
			target := string(match[1])
			if strings.HasPrefix(target, "https://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(docs, target)); err != nil {
				t.Errorf("%s: a link leads nowhere: %v", guide, err)
			}
		}
		names := named.FindAllString(string(text), -1)
		if len(names) == 0 {
			t.Errorf("%s does not say which tests run it", guide)
		}
		for _, name := range names {
			if !strings.Contains(tests, "\nfunc "+name+"(t *testing.T)") {
				t.Errorf("%s names %s, which is no test of test/e2e", guide, name)
			}
		}
	}
}

func endToEndTests(t *testing.T) string {
	t.Helper()
	paths, err := filepath.Glob("../e2e/*_test.go")
	if err != nil || len(paths) == 0 {
		t.Fatalf("find the end-to-end tests: %v", err)
	}
	all := ""
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all += string(text)
	}
	return all
}

func TestExamplesOfThePipelinesAreWellFormed(t *testing.T) {
	for path, text := range exampleFiles(t) {
		name := strings.TrimPrefix(path, docsExamples+"/")
		switch {
		case filepath.Ext(path) == ".sh":
			checkShell(t, name, text)
			if info, err := os.Stat(path); err != nil || info.Mode()&0o111 == 0 {
				t.Errorf("%s is not executable (%v)", name, err)
			}
		case name == "github-actions.yaml" || name == "gitlab-ci.yaml":
			if _, err := yaml.YAMLToJSONStrict([]byte(text)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		default:
			decode(t, name, []byte(text))
		}
	}
}

// The gate that release.sh starts: deploy/base, with a HASH that is left open.
func TestGateOfThePipelines(t *testing.T) {
	objects := buildExample(t, "k8s/crashcheck")
	job := get[*batchv1.Job](t, objects, "Job/"+jobName)
	if got, want := job.Spec.Template.Spec.Containers[0].Image, "registry.example.com/crashcheck:v0.1.0"; got != want || job.Namespace != "shop" {
		t.Errorf("the Job runs %s in namespace %s, want %s in shop", got, job.Namespace, want)
	}
	if hash := job.Spec.Template.Spec.Containers[0].Env[0]; hash.Name != "HASH" || hash.Value != "<pod-template-hash>" {
		t.Errorf("release.sh would not find the HASH to fill in: %+v", hash)
	}
}

// The hook for Argo CD watches over the version that is synced with it.
func TestGateOfArgoCD(t *testing.T) {
	objects := buildExample(t, "argo-cd")
	deployment := get[*appsv1.Deployment](t, objects, "Deployment/shop")
	job := get[*batchv1.Job](t, objects, "Job/"+jobName)
	if job.Annotations["argocd.argoproj.io/hook"] != "PostSync" || job.Annotations["argocd.argoproj.io/hook-delete-policy"] != "BeforeHookCreation" {
		t.Errorf("the Job's annotations are %v", job.Annotations)
	}
	cfg, err := config.Parse(environ(job.Spec, nil))
	if err != nil {
		t.Fatalf("crashcheck refuses the environment: %v", err)
	}
	if len(cfg.Warnings) > 0 || cfg.Hash != "" {
		t.Errorf("the configuration is %v with the warnings %q", cfg.Environ(), cfg.Warnings)
	}
	want := "app.kubernetes.io/name=shop,app.kubernetes.io/version=" + deployment.Spec.Template.Labels["app.kubernetes.io/version"]
	if got := cfg.Environ(); !slices.Contains(got, "SELECTOR="+want) {
		t.Errorf("the configuration is %q, want the SELECTOR %s", got, want)
	}
	if !within(deployment.Spec.Selector.MatchLabels, deployment.Spec.Template.Labels) {
		t.Error("the Deployment does not select its pods")
	}
	if _, fixed := deployment.Spec.Selector.MatchLabels["app.kubernetes.io/version"]; fixed {
		t.Error("the version is in the Deployment's selector, which can never change")
	}
}

// buildExample builds a kustomization of docs/examples over this checkout's deploy.
func buildExample(t *testing.T, name string) map[string]any {
	t.Helper()
	copied := t.TempDir()
	err := errors.Join(
		os.CopyFS(filepath.Join(copied, "deploy"), os.DirFS(deploy)),
		os.CopyFS(filepath.Join(copied, "examples"), os.DirFS(docsExamples)))
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(copied, "examples", name)
	path := filepath.Join(folder, "kustomization.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := decode(t, path, text).(*types.Kustomization); !ok {
		t.Fatalf("%s is no kustomization", path)
	}
	up, err := filepath.Rel(folder, copied)
	if err != nil {
		t.Fatal(err)
	}
	const remote = "https://github.com/crashcheck/crashcheck//deploy/base?ref=v0.1.0"
	if strings.Count(string(text), remote) != 1 {
		t.Fatalf("%s does not build on %s", path, remote)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), remote, up+"/deploy/base", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return build(t, folder)
}

// exampleFiles returns the files under docs/examples.
func exampleFiles(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(docsExamples, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		files[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("there are no examples")
	}
	return files
}

// checkShell has a shell read commands without running them.
func checkShell(t *testing.T, name, commands string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-n")
	cmd.Stdin = strings.NewReader(commands)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", name, err, out)
	}
}
