package e2e

import (
	"context"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/crashcheck/crashcheck/test/e2e/cluster"
	"github.com/crashcheck/crashcheck/test/e2e/gate"
	"github.com/crashcheck/crashcheck/test/readme/commands"
)

// These tests run the commands of README.md that need a cluster, literally. test/readme runs the others.

// follow runs the commands of README.md with that name, in a folder, with a kubeconfig for this namespace.
func follow(t *testing.T, name, folder, namespace string) (output string) {
	t.Helper()
	blocks, err := commands.Read(root + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	if blocks[name] == "" {
		t.Fatalf("README.md has no commands under %q", name)
	}
	return shell(t, folder, []string{"KUBECONFIG=" + kubeconfigOf(t, namespace, "")}, blocks[name], 0)
}

// It does not run together with other tests: all namespaces share the ClusterAnalysisTemplate, and other tests need it
// with the images of this node.
func TestREADMECommandsWithArgoRollouts(t *testing.T) {
	needsNode(t)
	namespace := newNamespace(t)
	t.Cleanup(func() {
		out, err := exec.CommandContext(context.Background(), the.kubectl, "--kubeconfig", the.Kubeconfig, "delete",
			"--namespace", namespace, "--ignore-not-found", "-k", root+"/deploy/argo-rollouts").CombinedOutput()
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	follow(t, "With Argo Rollouts", root, namespace)
	want := map[string]string{"hash": "", "limit": "5", "interval": "5", "duration": "300", "namespace": ""}
	for _, kind := range []string{"analysistemplate", "clusteranalysistemplate"} {
		var template struct {
			Spec struct {
				Args []struct{ Name, Value string }
			}
		}
		parse(t, kubectl(t, "", "get", "--namespace", namespace, "-o", "yaml", kind, "crashcheck"), &template)
		arguments := map[string]string{}
		for _, arg := range template.Spec.Args {
			arguments[arg.Name] = arg.Value
		}
		if !maps.Equal(arguments, want) {
			t.Errorf("the arguments of the %s and their values are %v, README.md says %v", kind, arguments, want)
		}
	}
	permitted(t, namespace, shippedAccount)
	if jobs := jobsIn(t, namespace); len(jobs) > 0 {
		t.Errorf("there is the Job %s, which no analysis has made", jobs[0].Name)
	}
}

// The hash of a version is in one of two columns.
func TestREADMECommandForTheHash(t *testing.T) {
	needsNode(t)
	t.Parallel()
	namespace := newNamespace(t)
	createWorkload(t, workloadKinds["Deployment"], namespace, "shop")
	createWorkload(t, workloadKinds["Rollout"], namespace, "shop")
	eventually(t, "both have two pods", patience, func(context.Context) error {
		if pods := podsIn(t, namespace, "app=shop"); len(pods) != 4 {
			return fmt.Errorf("there are %d", len(pods))
		}
		return nil
	})
	output := follow(t, "On a laptop, or in a pipeline 2", t.TempDir(), namespace)
	selectors := map[string]bool{}
	for line := range strings.Lines(output) {
		fields := strings.Fields(line)
		if hash := fields[len(fields)-1]; fields[0] != "NAME" {
			result := runGate(t, environment(namespace, map[string]string{"HASH": hash, "DURATION": "1"}), gate.Inconclusive)
			wantCounts(t, result, 0, 2)
			label, _, _ := strings.Cut(result.Report.Selector, "=")
			selectors[label] = true
		}
	}
	if len(selectors) != 2 {
		t.Errorf("the hashes were those of the labels %v, want both:\n%s", selectors, output)
	}
}

// The Job runs with the kustomization in the comment of deploy/base, and the verdict is in the termination message and in the
// log.
func TestREADMECommandsForTheJob(t *testing.T) {
	needsNode(t)
	t.Parallel()
	namespace := newNamespace(t)
	// Together they reach the limit before the back-off becomes long.
	crashes := ends("0s", "3")
	hash := deploy(t, namespace, 1, mains(container("one", crashes), container("two", crashes), container("three", crashes)))
	source := checkout(t, namespace)
	// The run need not wait for a new binding.
	apply(t, namespace, documents(t, filepath.Join(source, "deploy/base"), permissionKinds...))
	permitted(t, namespace, shippedAccount)

	var shown strings.Builder
	for line := range strings.Lines(readFile(t, filepath.Join(source, "deploy/base/kustomization.yaml"))) {
		if text, found := strings.CutPrefix(line, "#   "); found {
			shown.WriteString(text)
		}
	}
	folder := filepath.Join(filepath.Dir(source), "release")
	path := filepath.Join(folder, "kustomization.yaml")
	write(t, path, shown.String())
	image, tag, _ := strings.Cut(cluster.GateImage, ":")
	replaceIn(t, path, "namespace: shop ", "namespace: "+namespace+" ", "newName: registry.shop.example/crashcheck\n", "newName: "+image+"\n",
		"newTag: v0.1.0 ", "newTag: \""+tag+"\" ", "value: 6fd8d747}", "value: "+hash+"}")
	wantTexts(t, follow(t, "As a Job", folder, namespace), "job.batch/"+shippedJob+" created")

	result := finishJob(t, namespace, 2*patience, gate.Fail)
	for _, c := range result.Report.Containers {
		wantTexts(t, result.Message, "- "+c.Pod+"/"+c.Container+": ")
	}
	// The runtime reads the two streams separately, so the line may come before the last lines of the log.
	output := follow(t, "Exit codes", t.TempDir(), namespace)
	wantTexts(t, output, result.Message, `"verdict":"fail"`, "FAIL (exit code 1): ")
	if !regexp.MustCompile(` Message: +FAIL: `).MatchString(output) {
		t.Errorf("kubectl describe does not show the verdict as the termination message:\n%s", output)
	}
}
