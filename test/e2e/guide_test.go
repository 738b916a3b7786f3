package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"
)

// TestGuideToArgoRollouts runs the commands of docs/argo-rollouts.md after an abort, and validates its manifests with the
// CRDs.
func TestGuideToArgoRollouts(t *testing.T) {
	needsNode(t)
	t.Parallel()
	guide := readFile(t, root+"/docs/argo-rollouts.md")
	namespace := rolloutsNamespace(t)
	stable := canaryExample.apply(t, namespace)
	blueGreenExample.apply(t, namespace)

	fragments := blocks(guide, "yaml")
	if len(fragments) == 0 {
		t.Error("the guide shows no manifest")
	}
	for _, fragment := range fragments {
		name := canaryExample.name
		if strings.Contains(fragment, "blueGreen:") {
			name = blueGreenExample.name
		}
		spec, err := yaml.YAMLToJSON([]byte("spec:\n  " + strings.ReplaceAll(fragment, "\n", "\n  ")))
		if err != nil {
			t.Fatal(err)
		}
		_, err = argo(t, namespace, "rollouts").Patch(t.Context(), name, types.MergePatchType, spec,
			metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict})
		if err != nil {
			t.Errorf("the server does not take\n%s\n%v", fragment, err)
		}
	}

	canaryExample.aborts(t, namespace, container("web", ends("1s", "1"), neverReady), stable)
	commands := blocks(guide, "sh")
	if len(commands) != 2 {
		t.Fatalf("the guide has %d blocks of commands, this test knows 2", len(commands))
	}
	environment := []string{"KUBECONFIG=" + kubeconfigOf(t, namespace, "")}
	rollout := canaryExample.wait(t, namespace, "aborted", aborted)
	wantTexts(t, shell(t, t.TempDir(), environment, commands[0], 0),
		// From the Rollout, the Job, the pod and the log, and the name of the AnalysisRun.
		`Metric "crashcheck" assessed Failed due to failed (1) > failureLimit (0)`,
		"failed with exit code 1",
		"Message:     FAIL",
		`"verdict":"fail"`,
		canaryExample.name+"-"+status(rollout, "currentPodHash"),
	)

	// The retried version is analyzed and aborted again.
	analyses := func(t *testing.T) int {
		runs, err := argo(t, namespace, "analysisruns").List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return len(runs.Items)
	}
	before := analyses(t)
	shell(t, t.TempDir(), environment, commands[1], 0)
	eventually(t, "there is another analysis", patience, func(context.Context) error {
		if now := analyses(t); now <= before {
			return fmt.Errorf("there were %d, and there are %d", before, now)
		}
		return nil
	})
	canaryExample.wantAborted(t, namespace, stable)
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

// waitForMeasurement waits until the controller has stored a measurement of the AnalysisRun.
func waitForMeasurement(t *testing.T, namespace string) {
	t.Helper()
	eventually(t, "the AnalysisRun has a measurement", patience, func(context.Context) error {
		if len(measurements(t, namespace)) == 0 {
			return errors.New("it has none")
		}
		return nil
	})
}

// TestEndsOfAnAnalysis shows how the controller treats a Job that does not finish, as the guide describes.
func TestEndsOfAnAnalysis(t *testing.T) {
	needsNode(t)
	t.Parallel()
	long := map[string]string{"duration": "300"}
	t.Run("a Job that somebody deletes is an Error, and another one begins", func(t *testing.T) {
		t.Parallel()
		namespace := rolloutsNamespace(t)
		startAnalysis(t, namespace, long)
		waitForMeasurement(t, namespace) // until then, the controller would create the same Job again
		first := jobOfAnalysis(t, namespace, "")
		background := metav1.DeletePropagationBackground
		if err := the.Client.BatchV1().Jobs(namespace).Delete(t.Context(), first, metav1.DeleteOptions{PropagationPolicy: &background}); err != nil {
			t.Fatal(err)
		}
		second := jobOfAnalysis(t, namespace, first)
		if taken := measurements(t, namespace); !strings.HasSuffix(second, ".2") || taken[0].Phase != "Error" {
			t.Errorf("the second Job is %s, and the measurements are %q, want an Error first", second, taken)
		}
	})
	t.Run("an analysis that is ended takes the Job with it, and is Inconclusive", func(t *testing.T) {
		t.Parallel()
		namespace := rolloutsNamespace(t)
		startAnalysis(t, namespace, long)
		jobOfAnalysis(t, namespace, "")
		waitForMeasurement(t, namespace) // an AnalysisRun that is ended without one is Successful
		patchObject(t, argo(t, namespace, "analysisruns"), "crashcheck", []map[string]any{{"op": "add", "path": "/spec/terminate", "value": true}})
		wantAnalysis(t, namespace, "Inconclusive", "")
		eventually(t, "the Job is gone", patience, func(context.Context) error {
			if len(jobsIn(t, namespace)) > 0 {
				return errors.New("it is still there")
			}
			return nil
		})
	})
	t.Run("an image that cannot be pulled is Inconclusive", func(t *testing.T) {
		t.Parallel()
		namespace := rolloutsNamespace(t)
		const image = "/spec/metrics/0/provider/job/spec/template/spec/containers/0/image"
		patchObject(t, argo(t, namespace, "analysistemplates"), "crashcheck",
			[]map[string]any{{"op": "replace", "path": image, "value": "127.0.0.1:1/crashcheck:1"}}) // a registry on a closed port
		startAnalysis(t, namespace, nil)
		wantAnalysis(t, namespace, "Inconclusive", "ImagePull")
	})
}

// jobOfAnalysis waits for a Job of the gate other than previous.
func jobOfAnalysis(t *testing.T, namespace, previous string) string {
	t.Helper()
	name := ""
	eventually(t, "there is a Job", patience, func(context.Context) error {
		for _, job := range jobsIn(t, namespace) {
			if job.Name != previous {
				name = job.Name
				return nil
			}
		}
		return errors.New("there is none")
	})
	return name
}

func jobsIn(t *testing.T, namespace string) []batchv1.Job {
	t.Helper()
	jobs, err := the.Client.BatchV1().Jobs(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return jobs.Items
}
