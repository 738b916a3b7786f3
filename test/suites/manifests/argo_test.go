package manifests_test

import (
	"maps"
	"regexp"
	"slices"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"

	"github.com/crashcheck/crashcheck/pkg/config"
)

type analysisTemplate struct {
	Spec struct {
		Args []struct {
			Name  string  `json:"name"`
			Value *string `json:"value"`
		} `json:"args"`
		Metrics []struct {
			Count             int `json:"count"`
			FailureLimit      int `json:"failureLimit"`
			InconclusiveLimit int `json:"inconclusiveLimit"`
			Provider          struct {
				Job struct {
					Spec batchv1.JobSpec `json:"spec"`
				} `json:"job"`
			} `json:"provider"`
		} `json:"metrics"`
	} `json:"spec"`
}

type rollout struct {
	Spec struct {
		Replicas                int32 `json:"replicas"`
		ProgressDeadlineSeconds int64 `json:"progressDeadlineSeconds"`
		ProgressDeadlineAbort   bool  `json:"progressDeadlineAbort"`
		Strategy                struct {
			Canary struct {
				Analysis *analysis `json:"analysis"`
				Steps    []struct {
					Pause *struct {
						Duration string `json:"duration"`
					} `json:"pause"`
					Analysis *analysis `json:"analysis"`
				} `json:"steps"`
			} `json:"canary"`
			BlueGreen struct {
				ActiveService        string    `json:"activeService"`
				PreviewService       string    `json:"previewService"`
				PrePromotionAnalysis *analysis `json:"prePromotionAnalysis"`
			} `json:"blueGreen"`
		} `json:"strategy"`
	} `json:"spec"`
}

type analysis struct {
	StartingStep int `json:"startingStep"`
	Templates    []struct {
		TemplateName string `json:"templateName"`
	} `json:"templates"`
	Args []struct {
		Name      string `json:"name"`
		Value     string `json:"value"`
		ValueFrom struct {
			PodTemplateHashValue string `json:"podTemplateHashValue"`
		} `json:"valueFrom"`
	} `json:"args"`
}

func template(t *testing.T) *analysisTemplate {
	t.Helper()
	return get[*analysisTemplate](t, build(t, deploy+"/argo-rollouts"), "AnalysisTemplate/crashcheck")
}

func exampleRollout(t *testing.T, name string) *rollout {
	t.Helper()
	example := get[*rollout](t, build(t, deploy+"/argo-rollouts/examples"), "Rollout/"+name)
	if example.Spec.Replicas < 1 || !example.Spec.ProgressDeadlineAbort || example.Spec.ProgressDeadlineSeconds == 0 {
		t.Error("without replicas there is nothing to check; without a progress deadline, a release that never becomes available never ends")
	}
	return example
}

// defaults returns the values of the template's arguments in a Rollout that sets only the hash.
func defaults(t *testing.T) map[string]string {
	t.Helper()
	values := map[string]string{"hash": someHash}
	for _, arg := range template(t).Spec.Args {
		if arg.Value != nil {
			values[arg.Name] = *arg.Value
		}
	}
	return values
}

func TestTemplatesAreTheSameAndNeedOneJobToComplete(t *testing.T) {
	one := template(t)
	other := get[*analysisTemplate](t, build(t, deploy+"/argo-rollouts"), "ClusterAnalysisTemplate/crashcheck")
	if got, want := asYAML(t, other.Spec), asYAML(t, one.Spec); got != want {
		t.Errorf("the ClusterAnalysisTemplate is\n%s\nand the AnalysisTemplate\n%s", got, want)
	}
	if m := one.Spec.Metrics[0]; len(one.Spec.Metrics) != 1 || m.Count != 1 || m.FailureLimit != 0 || m.InconclusiveLimit != 0 {
		t.Errorf("the metrics are\n%s", asYAML(t, one.Spec.Metrics))
	}
}

func TestTemplateUsesEachArgumentAndNoOther(t *testing.T) {
	var declared []string
	for _, arg := range template(t).Spec.Args {
		declared = append(declared, arg.Name)
		if required := arg.Value == nil; required != (arg.Name == "hash") {
			t.Errorf("argument %s is required: %t; only hash must be", arg.Name, required)
		}
	}
	used := map[string]bool{}
	for _, match := range regexp.MustCompile(`{{\s*args\.([^}\s]*)\s*}}`).FindAllStringSubmatch(asYAML(t, template(t).Spec.Metrics), -1) {
		used[match[1]] = true
	}
	slices.Sort(declared)
	if got := slices.Sorted(maps.Keys(used)); !slices.Equal(got, declared) {
		t.Errorf("the template uses the arguments %q and declares %q", got, declared)
	}
}

func TestCanaryIsWatchedFromTheFirstStepAndPromotedOnlyAfterAVerdict(t *testing.T) {
	canary := exampleRollout(t, "canary-example").Spec.Strategy.Canary
	if canary.Analysis == nil || canary.Analysis.StartingStep != 0 {
		t.Fatalf("the background analysis is %+v: it has to start at step 0, since a crash loop keeps the rollout from reaching others", canary.Analysis)
	}
	background := checkAnalysis(t, *canary.Analysis)
	if len(canary.Steps) == 0 || canary.Steps[len(canary.Steps)-1].Analysis == nil {
		t.Fatal("the last step is not an analysis: the canary can be promoted before the background analysis has a verdict")
	}
	// The steps last longer than the background analysis, so the last analysis may see only a part of its window.
	var steps time.Duration
	for _, step := range canary.Steps {
		switch {
		case step.Pause != nil:
			pause, err := time.ParseDuration(step.Pause.Duration)
			if err != nil {
				t.Fatalf("a pause without a duration waits for a person: %v", err)
			}
			steps += pause
		case step.Analysis != nil:
			steps += checkAnalysis(t, *step.Analysis).Duration
		}
	}
	if longest := longestRun(background.Duration, background); steps < longest {
		t.Errorf("the steps take %s, less than the %s of the background analysis", steps, longest)
	}
}

func TestBlueGreenIsWatchedBeforePromotion(t *testing.T) {
	example := exampleRollout(t, "blue-green-example")
	blueGreen := example.Spec.Strategy.BlueGreen
	if blueGreen.PrePromotionAnalysis == nil || blueGreen.ActiveService == blueGreen.PreviewService {
		t.Fatalf("the strategy is %+v", blueGreen)
	}
	checkAnalysis(t, *blueGreen.PrePromotionAnalysis)
	// The controller counts the time of a pre-promotion analysis as time without progress.
	if deadline := *template(t).Spec.Metrics[0].Provider.Job.Spec.ActiveDeadlineSeconds; example.Spec.ProgressDeadlineSeconds <= deadline {
		t.Errorf("progressDeadlineSeconds %d is not above the analysis' deadline %d: a good release would be aborted", example.Spec.ProgressDeadlineSeconds, deadline)
	}
}

// checkAnalysis checks how a Rollout uses the template, and returns crashcheck's configuration.
func checkAnalysis(t *testing.T, used analysis) config.Config {
	t.Helper()
	if len(used.Templates) != 1 || used.Templates[0].TemplateName != "crashcheck" {
		t.Fatalf("the analysis uses %+v, not the template crashcheck", used.Templates)
	}
	values := defaults(t)
	delete(values, "hash")
	for _, arg := range used.Args {
		// Argo Rollouts ignores an argument that the template does not declare.
		if _, declared := values[arg.Name]; !declared && arg.Name != "hash" {
			t.Errorf("the template has no argument %s", arg.Name)
		}
		values[arg.Name] = arg.Value
		if arg.ValueFrom.PodTemplateHashValue == "Latest" {
			values[arg.Name] = someHash
		}
	}
	cfg := parse(t, template(t).Spec.Metrics[0].Provider.Job.Spec, values)
	if cfg.Hash != someHash || cfg.Duration > longestAnalysisWindow {
		t.Errorf("the hash is %q, and the window of %s has to be at most %s for the template's deadline", cfg.Hash, cfg.Duration, longestAnalysisWindow)
	}
	return cfg
}
