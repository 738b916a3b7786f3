package e2e

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"
)

// TestGuideToArgoRollouts runs the commands of docs/argo-rollouts.md after an abort, and validates its manifests with the
// CRDs.
func TestGuideToArgoRollouts(t *testing.T) {
	needsRollouts(t)
	t.Parallel()
	guide := string(readFile(t, filepath.Join(docsFolder(t), "argo-rollouts.md")))
	namespace := releaseNamespace(t)
	applyExample(t, namespace, canaryExample, analysisArguments("/spec/strategy/canary/analysis/args/-")...)
	applyExample(t, namespace, blueGreenExample, analysisArguments("/spec/strategy/blueGreen/prePromotionAnalysis/args/-")...)

	fragments := blocks(guide, "yaml")
	if len(fragments) == 0 {
		t.Error("the guide shows no manifest")
	}
	for _, fragment := range fragments {
		name := canaryExample
		if strings.Contains(fragment, "blueGreen:") {
			name = blueGreenExample
		}
		spec, err := yaml.YAMLToJSON([]byte("spec:\n  " + strings.ReplaceAll(fragment, "\n", "\n  ")))
		if err != nil {
			t.Fatal(err)
		}
		_, err = rollouts(t, namespace).Patch(t.Context(), name, types.MergePatchType, spec,
			metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict})
		if err != nil {
			t.Errorf("the server does not take\n%s\n%v", fragment, err)
		}
	}

	stable := waitHealthy(t, namespace, canaryExample, "")
	lengthenWindow(t, namespace, canaryExample, "canary/analysis")
	release(t, namespace, canaryExample, crashLoop)
	waitAborted(t, namespace, canaryExample)
	commands := blocks(guide, "sh")
	if len(commands) != 2 {
		t.Fatalf("the guide has %d blocks of commands, this test knows 2", len(commands))
	}
	environment := append(clusterEnvironment(), "KUBECONFIG="+kubeconfigOf(t, namespace))

	code, output := shell(t, t.TempDir(), environment, commands[0])
	wantRelease(t, code, output, 0,
		// From the Rollout, the Job, the pod and the log, and the name of the AnalysisRun.
		`Metric "crashcheck" assessed Failed due to failed (1) > failureLimit (0)`,
		"failed with exit code 1",
		"Message:     FAIL",
		`"verdict":"fail"`,
		canaryExample+"-"+newHash(t, namespace),
	)

	// The retried version is analyzed and aborted again.
	runs := analysisRuns(t, namespace)
	code, output = shell(t, t.TempDir(), environment, commands[1])
	wantRelease(t, code, output, 0)
	eventually(t, "there is another analysis", patience, func(context.Context) error {
		if now := analysisRuns(t, namespace); now <= runs {
			return fmt.Errorf("there were %d, and there are %d", runs, now)
		}
		return nil
	})
	wantStable(t, namespace, waitAborted(t, namespace, canaryExample), stable, 5)
}

// TestEndsOfAnAnalysis shows how the controller treats a Job that does not finish, as the guide describes.
func TestEndsOfAnAnalysis(t *testing.T) {
	needsRollouts(t)
	t.Parallel()
	long := map[string]string{"duration": "300"}
	t.Run("a Job that somebody deletes is an Error, and another one begins", func(t *testing.T) {
		t.Parallel()
		namespace := analysisNamespace(t)
		startAnalysis(t, namespace, long)
		first := analysisJob(t, namespace, "")
		// Before the controller has stored its measurement, it would create the same Job again.
		eventually(t, "the AnalysisRun has a measurement", patience, func(context.Context) error {
			if len(measurements(t, namespace)) == 0 {
				return errors.New("it has none")
			}
			return nil
		})
		background := metav1.DeletePropagationBackground
		if err := the.client.BatchV1().Jobs(namespace).Delete(t.Context(), first, metav1.DeleteOptions{PropagationPolicy: &background}); err != nil {
			t.Fatal(err)
		}
		second := analysisJob(t, namespace, first)
		if !strings.HasSuffix(second, ".2") {
			t.Errorf("the second Job is %s", second)
		}
		if taken := measurements(t, namespace); len(taken) == 0 || taken[0].phase != "Error" {
			t.Errorf("the measurements are %q, want an Error first", taken)
		}
	})
	t.Run("an analysis that is ended takes the Job with it, and is Inconclusive", func(t *testing.T) {
		t.Parallel()
		namespace := analysisNamespace(t)
		startAnalysis(t, namespace, long)
		job := analysisJob(t, namespace, "")
		_, err := analysisRunsIn(t, namespace).Patch(t.Context(), "crashcheck", types.MergePatchType, []byte(`{"spec":{"terminate":true}}`), metav1.PatchOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if phase, message := analysisEnd(t, namespace); phase != "Inconclusive" {
			t.Errorf("the AnalysisRun is %s (%s), want Inconclusive", phase, message)
		}
		eventually(t, "the Job is gone", patience, func(ctx context.Context) error {
			if jobs := analysisJobs(ctx, t, namespace); len(jobs) > 0 {
				return fmt.Errorf("%s is still there", job)
			}
			return nil
		})
	})
	t.Run("an image that cannot be pulled is Inconclusive", func(t *testing.T) {
		t.Parallel()
		namespace := analysisNamespace(t)
		const pod = "/spec/metrics/0/provider/job/spec/template/spec/containers/0"
		client, err := dynamic.NewForConfig(the.config)
		if err != nil {
			t.Fatal(err)
		}
		// A registry on a closed port of this machine.
		operations := `[{"op": "replace", "path": "` + pod + `/image", "value": "127.0.0.1:1/crashcheck:1"},
			{"op": "replace", "path": "` + pod + `/imagePullPolicy", "value": "Always"}]`
		_, err = client.Resource(templateResource).Namespace(namespace).Patch(t.Context(), "crashcheck", types.JSONPatchType, []byte(operations), metav1.PatchOptions{})
		if err != nil {
			t.Fatal(err)
		}
		startAnalysis(t, namespace, nil)
		if phase, message := analysisEnd(t, namespace); phase != "Inconclusive" || !strings.Contains(message, "ImagePull") {
			t.Errorf("the AnalysisRun is %s (%s), want Inconclusive for the image", phase, message)
		}
	})
}

// analysisNamespace creates a namespace with the shipped templates and one pod that does not crash.
func analysisNamespace(t *testing.T) string {
	t.Helper()
	namespace := releaseNamespace(t)
	setRestarts(t, paperPod(t, namespace, "web-0", map[string]string{rolloutsLabel: someHash}), 0)
	return namespace
}

// analysisJob waits for a Job of the gate other than previous.
func analysisJob(t *testing.T, namespace, previous string) string {
	t.Helper()
	name := ""
	eventually(t, "there is a Job", patience, func(ctx context.Context) error {
		for _, job := range analysisJobs(ctx, t, namespace) {
			if job.Name != previous {
				name = job.Name
				return nil
			}
		}
		return errors.New("there is none")
	})
	return name
}

func analysisJobs(ctx context.Context, t *testing.T, namespace string) []batchv1.Job {
	t.Helper()
	jobs, err := the.client.BatchV1().Jobs(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return jobs.Items
}

func analysisRunsIn(t *testing.T, namespace string) dynamic.ResourceInterface {
	t.Helper()
	client, err := dynamic.NewForConfig(the.config)
	if err != nil {
		t.Fatal(err)
	}
	return client.Resource(analysisRunResource).Namespace(namespace)
}

// analysisRuns returns the number of AnalysisRuns.
func analysisRuns(t *testing.T, namespace string) int {
	t.Helper()
	runs, err := analysisRunsIn(t, namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return len(runs.Items)
}

type measurement struct{ phase, message string }

// measurements returns the measurements of the AnalysisRun so far.
func measurements(t *testing.T, namespace string) []measurement {
	t.Helper()
	run, err := analysisRunsIn(t, namespace).Get(t.Context(), "crashcheck", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var all []measurement
	results, _, _ := unstructured.NestedSlice(run.Object, "status", "metricResults")
	for _, result := range results {
		taken, _, _ := unstructured.NestedSlice(result.(map[string]any), "measurements")
		for _, one := range taken {
			fields := one.(map[string]any)
			message, _, _ := unstructured.NestedString(fields, "message")
			all = append(all, measurement{fmt.Sprint(fields["phase"]), message})
		}
	}
	return all
}

// newHash returns the hash of the Rollout's latest version.
func newHash(t *testing.T, namespace string) string {
	t.Helper()
	rollout, err := rollouts(t, namespace).Get(t.Context(), canaryExample, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return status(rollout, "currentPodHash")
}

// kubeconfigOf returns a copy of the suite's kubeconfig with this namespace in its context.
func kubeconfigOf(t *testing.T, namespace string) string {
	t.Helper()
	config, err := clientcmd.LoadFromFile(the.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.Contexts[config.CurrentContext].Namespace = namespace
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// blocks returns the fenced blocks of a Markdown text in this language.
func blocks(text, language string) []string {
	var found []string
	for {
		_, rest, opened := strings.Cut(text, "\n```"+language+"\n")
		if !opened {
			return found
		}
		block, after, _ := strings.Cut(rest, "\n```\n")
		found = append(found, block)
		text = "\n" + after
	}
}
