package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crashcheck/crashcheck/test/e2e/cluster"
	"github.com/crashcheck/crashcheck/test/e2e/gate"
	"github.com/crashcheck/crashcheck/test/readme/commands"
)

// These tests run the commands of README.md that need a cluster, literally. test/readme runs the others.

// It does not run together with other tests: all namespaces share the ClusterAnalysisTemplate, and other tests need it
// with the images of this node.
func TestREADMECommandsWithArgoRollouts(t *testing.T) {
	needsRollouts(t)
	namespace := newNamespace(t, nil)
	t.Cleanup(func() {
		out, err := tryKubectl(context.Background(), nil, "delete", "--namespace", namespace, "--ignore-not-found", "-k", filepath.Join(deployFolder(t), "argo-rollouts"))
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	code, output := follow(t, "With Argo Rollouts", filepath.Dir(deployFolder(t)), namespace)
	wantRelease(t, code, output, 0)

	inNamespace := []string{"get", "--namespace", namespace, "-o", "yaml"}
	for _, kind := range []string{"analysistemplate", "clusteranalysistemplate"} {
		var template struct {
			Spec struct {
				Args []struct {
					Name  string  `json:"name"`
					Value *string `json:"value"`
				} `json:"args"`
			} `json:"spec"`
		}
		parse(t, kubectl(t, nil, append(inNamespace, kind, "crashcheck")...), &template)
		arguments := map[string]string{}
		for _, arg := range template.Spec.Args {
			arguments[arg.Name] = "none"
			if arg.Value != nil {
				arguments[arg.Name] = *arg.Value
			}
		}
		want := map[string]string{"hash": "none", "limit": "5", "interval": "5", "duration": "300", "namespace": ""}
		if fmt.Sprint(arguments) != fmt.Sprint(want) {
			t.Errorf("the arguments of the %s and their values are %v, README.md says %v", kind, arguments, want)
		}
	}
	permitted(t, namespace, shippedAccount)
	if jobs := analysisJobs(t.Context(), t, namespace); len(jobs) > 0 {
		t.Errorf("there is the Job %s, which no analysis has made", jobs[0].Name)
	}
}

func TestREADMECommands(t *testing.T) {
	needsLocalImages(t)
	t.Parallel()
	t.Run("the hash of a version is in one of two columns, and the gate takes it", func(t *testing.T) {
		needsRollouts(t)
		t.Parallel()
		namespace := newNamespace(t, nil)
		makeShops(t, namespace)
		code, output := follow(t, "On a laptop, or in a pipeline 2", t.TempDir(), namespace)
		wantRelease(t, code, output, 0)

		rows := table(output)
		if len(rows) != 2 {
			t.Fatalf("want two pods, and a line for each:\n%s", output)
		}
		for _, row := range rows {
			label, hash := deploymentLabel, row["POD-TEMPLATE-HASH"]
			if strings.HasPrefix(row["NAME"], "rollout-") {
				label, hash = rolloutsLabel, row["ROLLOUTS-POD-TEMPLATE-HASH"]
			}
			if hash == "" || row["POD-TEMPLATE-HASH"]+row["ROLLOUTS-POD-TEMPLATE-HASH"] != hash {
				t.Fatalf("%s does not have its one hash under %s:\n%s", row["NAME"], strings.ToUpper(label), output)
			}
			result := runGate(t, environment(namespace, map[string]string{"HASH": hash}), gate.Pass)
			wantCounts(t, result, 0, 1)
			wantSelector(t, result, label+"="+hash)
		}
	})
	t.Run("the Job runs to its verdict", func(t *testing.T) {
		t.Parallel()
		result := jobOfREADME(t, newNamespace(t, nil), "20", container("main", ready))
		if !result.Complete || result.ExitCode != gate.Pass || result.Report.Verdict != "pass" || result.Report.Pods != 1 {
			t.Errorf("want a pass over one pod, got %s", result)
		}
	})
	t.Run("the verdict is in the termination message and in the log", func(t *testing.T) {
		t.Parallel()
		namespace := newNamespace(t, nil)
		// Together they reach the limit before the back-off becomes long.
		crashes := ends("0s", "3")
		result := jobOfREADME(t, namespace, "300", container("one", crashes), container("two", crashes), container("three", crashes))
		if result.Complete || result.ExitCode != gate.Fail || len(result.Report.Containers) == 0 {
			t.Fatalf("want a fail, got %s", result)
		}
		for _, c := range result.Report.Containers {
			if !strings.Contains(result.Message, "- "+c.Pod+"/"+c.Container+": ") {
				t.Errorf("the termination message does not name %s:\n%s", c.Container, result)
			}
		}

		code, output := follow(t, "Exit codes", t.TempDir(), namespace)
		wantRelease(t, code, output, 0, result.Message)
		described, log, _ := strings.Cut(output, result.Message)
		if !strings.HasPrefix(result.Message, "FAIL: ") || !strings.HasSuffix(strings.TrimRight(described, " "), " Message:") {
			t.Errorf("kubectl describe does not show the verdict as the termination message:\n%s", output)
		}
		// The runtime reads the two streams separately, so the line may come before the last lines of the log.
		if report := reportIn(t, log); report.Verdict != "fail" || report.Crashes != result.Report.Crashes {
			t.Errorf("the log has another report than before:\n%s", output)
		}
		if !strings.Contains(log, "FAIL (exit code 1): ") {
			t.Errorf("the log does not say the verdict:\n%s", output)
		}
	})
}

// follow runs the commands of README.md with that name, in a folder, with a kubeconfig for this namespace.
func follow(t *testing.T, name, folder, namespace string) (code int, output string) {
	t.Helper()
	blocks, err := commands.Read("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if blocks[name] == "" {
		t.Fatalf("README.md has no commands under %q", name)
	}
	return shell(t, folder, append(clusterEnvironment(), "KUBECONFIG="+kubeconfigOf(t, namespace)), blocks[name])
}

// makeShops creates a Deployment and a Rollout with the label app=shop and one pod each.
func makeShops(t *testing.T, namespace string) {
	t.Helper()
	labels := func(kind string) map[string]string { return map[string]string{"app": "shop", "kind": kind} }
	shop := func(apiVersion, kind string) appsv1.Deployment {
		one := int32(1)
		return appsv1.Deployment{
			TypeMeta:   metav1.TypeMeta{APIVersion: apiVersion, Kind: kind},
			ObjectMeta: metav1.ObjectMeta{Name: strings.ToLower(kind)},
			Spec: appsv1.DeploymentSpec{
				Replicas: &one,
				Selector: &metav1.LabelSelector{MatchLabels: labels(kind)},
				Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels(kind)}, Spec: shopPod(container("main"))},
			},
		}
	}
	// A Rollout differs from a Deployment only in its strategy.
	apply(t, namespace, []byte(marshal(t, shop("apps/v1", "Deployment"))))
	rollout := marshal(t, shop("argoproj.io/v1alpha1", "Rollout"))
	apply(t, namespace, []byte(strings.Replace(rollout, "strategy: {}", "strategy: {canary: {}}", 1)))
	eventually(t, "both have a running pod", patience, func(ctx context.Context) error {
		pods, err := the.client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=shop", FieldSelector: "status.phase=Running"})
		if err == nil && len(pods.Items) != 2 {
			err = fmt.Errorf("there are %d", len(pods.Items))
		}
		return err
	})
}

// table parses the output of kubectl get: rows of cells, also empty ones, by the heading of their column.
func table(output string) []map[string]string {
	lines := strings.Split(strings.TrimSuffix(output, "\n"), "\n")
	headings := strings.Fields(lines[0])
	var rows []map[string]string
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, heading := range headings {
			begin, end := column(lines[0], heading), len(line)
			if i+1 < len(headings) {
				end = column(lines[0], headings[i+1])
			}
			row[heading] = strings.TrimSpace(line[min(begin, len(line)):min(end, len(line))])
		}
		rows = append(rows, row)
	}
	return rows
}

// column returns where the column with this heading begins.
func column(headings, heading string) int {
	return strings.Index(" "+headings+" ", " "+heading+" ")
}

// jobOfREADME deploys these containers, and runs the Job as README.md describes, with a window of this many seconds.
func jobOfREADME(t *testing.T, namespace, seconds string, containers ...corev1.Container) jobResult {
	t.Helper()
	hash := deploy(t, namespace, 1, mains(containers...))
	// The run need not wait for a new binding, and does not create the ClusterRole at the same time as another test.
	grantBase(t, namespace)

	folder := overlay(t, namespace, "base")
	here := append(loopbackPatch(), map[string]any{"op": "replace", "path": "/spec/template/spec/containers/0/env/2/value", "value": seconds})
	write(t, filepath.Join(folder, "kustomization.yaml"), kustomizationOfComment(t, folder, namespace, hash, here))
	code, output := follow(t, "As a Job", folder, namespace)
	wantRelease(t, code, output, 0, "job.batch/"+shippedJob+" created")
	return finishJob(t, namespace, 2*patience)
}

// kustomizationOfComment returns the kustomization in the comment of deploy/base/kustomization.yaml, with this namespace,
// hash and image, over this checkout, and with the operations on the Job that this node needs.
func kustomizationOfComment(t *testing.T, folder, namespace, hash string, operations []map[string]any) string {
	t.Helper()
	base := filepath.Join(deployFolder(t), "base")
	var shown strings.Builder
	for line := range strings.Lines(string(readFile(t, filepath.Join(base, "kustomization.yaml")))) {
		if text, found := strings.CutPrefix(line, "#   "); found {
			shown.WriteString(text)
		}
	}
	relative, err := filepath.Rel(folder, base)
	if err != nil {
		t.Fatal(err)
	}
	image, tag, _ := strings.Cut(cluster.GateImage, ":")
	text := shown.String()
	for _, change := range [][2]string{
		{"namespace: shop ", "namespace: " + namespace + " "},
		{"- ../crashcheck/deploy/base\n", "- " + relative + "\n"},
		{"newName: registry.shop.example/crashcheck\n", "newName: " + image + "\n"},
		{"newTag: v0.1.0 ", "newTag: \"" + tag + "\" "},
		{"value: 6fd8d747}", "value: " + hash + "}"},
	} {
		if strings.Count(text, change[0]) != 1 {
			t.Fatalf("the comment does not have %q once:\n%s", change[0], text)
		}
		text = strings.Replace(text, change[0], change[1], 1)
	}
	var kustomization map[string]any
	parse(t, []byte(text), &kustomization)
	kustomization["patches"] = append(kustomization["patches"].([]any), patch(t, "Job", "", operations))
	return marshal(t, kustomization)
}
