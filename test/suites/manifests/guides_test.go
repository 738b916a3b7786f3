package manifests_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// test/e2e runs the guides' commands. These tests need no cluster: they compare the guides to the files that are run.

const (
	docs         = root + "/docs"
	docsExamples = docs + "/examples"
)

// A block is one fenced block of a guide.
type block struct{ language, text string }

func blocksOf(t *testing.T, guide string) []block {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(docs, guide))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []block
	for _, match := range regexp.MustCompile("(?ms)^```(.*?)\n(.*?)^```$").FindAllSubmatch(text, -1) {
		blocks = append(blocks, block{string(match[1]), string(match[2])})
	}
	if len(blocks) == 0 || strings.Count(string(text), "```") != 2*len(blocks) {
		t.Fatalf("%s: found %d blocks", guide, len(blocks))
	}
	return blocks
}

func trimmedLines(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines
}

func TestTheGuideToPipelinesShowsOnlyLinesOfTheExamples(t *testing.T) {
	files := filesIn(t, docsExamples)
	for _, block := range blocksOf(t, "pipelines.md") {
		shown, found := trimmedLines(block.text), false
		for _, text := range files {
			file := trimmedLines(text)
			for start := range len(file) - len(shown) + 1 {
				// The end of a line is enough: a command may follow "run:" in the file.
				found = found || slices.EqualFunc(shown, file[start:start+len(shown)], func(shown, written string) bool {
					return strings.HasSuffix(written, shown)
				})
			}
		}
		if !found {
			t.Errorf("no file of docs/examples has these lines, so nothing runs them:\n%s", block.text)
		}
	}
}

func TestTheGuideToArgoRolloutsIsValid(t *testing.T) {
	for _, block := range blocksOf(t, "argo-rollouts.md") {
		switch block.language {
		case "sh":
			checkShell(t, "docs/argo-rollouts.md", block.text)
		case "yaml":
			fragment := "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nspec:\n  " + strings.ReplaceAll(block.text, "\n", "\n  ")
			object, err := decode([]byte(fragment))
			if err != nil {
				t.Errorf("%v:\n%s", err, block.text)
				continue
			}
			for _, used := range analysesOf(object.(*rollout)) {
				checkAnalysis(t, used)
			}
		default:
			t.Errorf("nothing checks a block of %q:\n%s", block.language, block.text)
		}
	}
}

// analysesOf returns all uses of a template in a Rollout.
func analysesOf(example *rollout) []analysis {
	canary, blueGreen := example.Spec.Strategy.Canary, example.Spec.Strategy.BlueGreen
	all := []*analysis{blueGreen.PrePromotionAnalysis, blueGreen.PostPromotionAnalysis}
	if canary.Analysis != nil {
		all = append(all, &canary.Analysis.analysis)
	}
	for _, step := range canary.Steps {
		all = append(all, step.Analysis)
	}
	var used []analysis
	for _, analysis := range all {
		if analysis != nil {
			used = append(used, *analysis)
		}
	}
	return used
}

func TestTestsThatTheGuidesNameExist(t *testing.T) {
	endToEnd := ""
	for path, text := range filesIn(t, root+"/test/e2e") {
		if strings.HasSuffix(path, "_test.go") {
			endToEnd += text
		}
	}
	for _, guide := range []string{"argo-rollouts.md", "pipelines.md"} {
		text, err := os.ReadFile(filepath.Join(docs, guide))
		if err != nil {
			t.Fatal(err)
		}
		names := regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(string(text), -1)
		if len(names) == 0 {
			t.Errorf("%s does not say which tests run it", guide)
		}
		for _, name := range names {
			if !strings.Contains(endToEnd, "\nfunc "+name+"(t *testing.T)") {
				t.Errorf("%s names %s, which is not a test of test/e2e", guide, name)
			}
		}
	}
}

func TestExamplesOfPipelinesAreValid(t *testing.T) {
	for path, text := range filesIn(t, docsExamples) {
		var err error
		switch name := filepath.Base(path); {
		case strings.Contains(path, "/helm/"):
			continue // the chart, see TestChart
		case filepath.Ext(path) == ".sh":
			checkShell(t, path, text)
			if info, err := os.Stat(path); err != nil || info.Mode()&0o111 == 0 {
				t.Errorf("%s is not executable (%v)", path, err)
			}
		case name == "github-actions.yaml" || name == "gitlab-ci.yaml":
			_, err = yaml.YAMLToJSONStrict([]byte(text))
		default:
			_, err = decode([]byte(text))
		}
		if err != nil {
			t.Errorf("%s: %v", path, err)
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
		job := get[*batchv1.Job](t, objects, "Job/"+jobName)
		image := job.Spec.Template.Spec.Containers[0].Image
		cfg := parse(t, job.Spec, nil)
		if cfg.Workload.String() != workload || cfg.Selector != nil || image != "registry.shop.example/crashcheck:v0.1.0" || job.Namespace != "shop" {
			t.Errorf("%s: the Job runs %s in namespace %s with %+v, want WORKLOAD=%s", folder, image, job.Namespace, cfg, workload)
		}
		if role := get[*rbacv1.Role](t, objects, "Role/read-workloads"); len(role.Rules) != 3 {
			t.Errorf("%s: the Role is %+v, want that of the component workload", folder, role.Rules)
		}
	}
	job := get[*batchv1.Job](t, build(t, docsExamples+"/argo-cd"), "Job/"+jobName)
	if job.Annotations["argocd.argoproj.io/hook"] != "PostSync" || job.Annotations["argocd.argoproj.io/hook-delete-policy"] != "BeforeHookCreation" {
		t.Errorf("the Job's annotations are %v", job.Annotations)
	}
}

// checkShell parses commands with a shell, without running them.
func checkShell(t *testing.T, name, commands string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-n")
	cmd.Stdin = strings.NewReader(commands)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", name, err, out)
	}
}
