package manifests_test

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crashcheck/crashcheck/pkg/config"
)

type analysisTemplate struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Args    []templateArg `json:"args"`
		Metrics []metric      `json:"metrics"`
	} `json:"spec"`
}

type templateArg struct {
	Name  string  `json:"name"`
	Value *string `json:"value"`
}

type metric struct {
	Name              string `json:"name"`
	Count             int    `json:"count"`
	FailureLimit      int    `json:"failureLimit"`
	InconclusiveLimit int    `json:"inconclusiveLimit"`
	Provider          struct {
		Job struct {
			Metadata metav1.ObjectMeta `json:"metadata"`
			Spec     batchv1.JobSpec   `json:"spec"`
		} `json:"job"`
	} `json:"provider"`
}

type rollout struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Replicas                int32                  `json:"replicas"`
		Selector                metav1.LabelSelector   `json:"selector"`
		Template                corev1.PodTemplateSpec `json:"template"`
		ProgressDeadlineSeconds int64                  `json:"progressDeadlineSeconds"`
		ProgressDeadlineAbort   bool                   `json:"progressDeadlineAbort"`
		Strategy                struct {
			Canary struct {
				Analysis *struct {
					analysis     `json:",inline"`
					StartingStep int `json:"startingStep"`
				} `json:"analysis"`
				Steps []step `json:"steps"`
			} `json:"canary"`
			BlueGreen struct {
				ActiveService         string    `json:"activeService"`
				PreviewService        string    `json:"previewService"`
				AutoPromotionEnabled  *bool     `json:"autoPromotionEnabled"`
				PrePromotionAnalysis  *analysis `json:"prePromotionAnalysis"`
				PostPromotionAnalysis *analysis `json:"postPromotionAnalysis"`
			} `json:"blueGreen"`
		} `json:"strategy"`
	} `json:"spec"`
}

// step has one of its fields set.
type step struct {
	SetWeight *int `json:"setWeight"`
	Pause     *struct {
		Duration string `json:"duration"`
	} `json:"pause"`
	Analysis *analysis `json:"analysis"`
}

type analysis struct {
	Templates []struct {
		TemplateName string `json:"templateName"`
		ClusterScope bool   `json:"clusterScope"`
	} `json:"templates"`
	Args []struct {
		Name      string  `json:"name"`
		Value     *string `json:"value"`
		ValueFrom *struct {
			PodTemplateHashValue string    `json:"podTemplateHashValue"`
			FieldRef             *fieldRef `json:"fieldRef"`
		} `json:"valueFrom"`
	} `json:"args"`
	DryRun []struct {
		MetricName string `json:"metricName"`
	} `json:"dryRun"`
}

type fieldRef struct {
	FieldPath string `json:"fieldPath"`
}

func template(t *testing.T) *analysisTemplate {
	t.Helper()
	return get[*analysisTemplate](t, build(t, deploy+"/argo-rollouts"), "AnalysisTemplate/crashcheck")
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

func networkPolicy(t *testing.T, objects map[string]any) networkingv1.NetworkPolicySpec {
	t.Helper()
	return get[*networkingv1.NetworkPolicy](t, objects, "NetworkPolicy/crashcheck").Spec
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
	text, err := json.Marshal(template(t).Spec.Metrics) // Argo Rollouts replaces arguments in the JSON
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, match := range regexp.MustCompile(`{{\s*args\.([^}\s]*)\s*}}`).FindAllSubmatch(text, -1) {
		used[string(match[1])] = true
	}
	slices.Sort(declared)
	if got := slices.Sorted(maps.Keys(used)); !slices.Equal(got, declared) {
		t.Errorf("the template uses the arguments %q and declares %q", got, declared)
	}
}

func TestCanaryIsWatchedFromTheFirstStepAndPromotedOnlyAfterAVerdict(t *testing.T) {
	example := get[*rollout](t, build(t, deploy+"/argo-rollouts/examples"), "Rollout/canary-example")
	canary := example.Spec.Strategy.Canary
	if canary.Analysis == nil || canary.Analysis.StartingStep != 0 {
		t.Fatalf("the background analysis is %+v: it has to start at step 0, since a crash loop keeps the rollout from reaching others", canary.Analysis)
	}
	background := checkAnalysis(t, canary.Analysis.analysis)
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
	checkRollout(t, example, "canary-example")
}

func TestBlueGreenIsWatchedBeforePromotion(t *testing.T) {
	example := get[*rollout](t, build(t, deploy+"/argo-rollouts/examples"), "Rollout/blue-green-example")
	blueGreen := example.Spec.Strategy.BlueGreen
	if blueGreen.PrePromotionAnalysis == nil || blueGreen.ActiveService == blueGreen.PreviewService {
		t.Fatalf("the strategy is %+v", blueGreen)
	}
	checkAnalysis(t, *blueGreen.PrePromotionAnalysis)
	// The controller counts the time of a pre-promotion analysis as time without progress.
	if deadline := *template(t).Spec.Metrics[0].Provider.Job.Spec.ActiveDeadlineSeconds; example.Spec.ProgressDeadlineSeconds <= deadline {
		t.Errorf("progressDeadlineSeconds %d is not above the analysis' deadline %d: a good release would be aborted", example.Spec.ProgressDeadlineSeconds, deadline)
	}
	checkRollout(t, example, blueGreen.ActiveService, blueGreen.PreviewService)
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
		if !slices.ContainsFunc(template(t).Spec.Args, func(declared templateArg) bool { return declared.Name == arg.Name }) {
			t.Errorf("the template has no argument %s", arg.Name)
		}
		switch {
		case arg.Name == "hash" && arg.ValueFrom != nil && arg.ValueFrom.PodTemplateHashValue == "Latest":
			values["hash"] = someHash
		case arg.Name == "namespace" && arg.ValueFrom != nil && *arg.ValueFrom.FieldRef == fieldRef{"metadata.namespace"}:
			values["namespace"] = "shop"
		case arg.Name == "hash" || arg.Value == nil:
			t.Errorf("argument %s has another value than it should: %+v", arg.Name, arg)
		default:
			values[arg.Name] = *arg.Value
		}
	}
	cfg := parse(t, template(t).Spec.Metrics[0].Provider.Job.Spec, values)
	if cfg.Duration > longestAnalysisWindow {
		t.Errorf("the window of %s is longer than the template's deadline allows", cfg.Duration)
	}
	return cfg
}

func checkRollout(t *testing.T, example *rollout, services ...string) {
	t.Helper()
	if example.Spec.Replicas < 1 || !example.Spec.ProgressDeadlineAbort || example.Spec.ProgressDeadlineSeconds == 0 {
		t.Error("without replicas there is nothing to check; without a progress deadline, a release that never becomes available never ends")
	}
	selected := example.Spec.Selector.MatchLabels
	if len(selected) == 0 || !within(selected, example.Spec.Template.Labels) {
		t.Errorf("the selector %v does not match the pods' labels %v", selected, example.Spec.Template.Labels)
	}
	for _, name := range services {
		if service := get[*corev1.Service](t, build(t, deploy+"/argo-rollouts/examples"), "Service/"+name); !maps.Equal(service.Spec.Selector, selected) {
			t.Errorf("service %s selects %v, the Rollout %v", name, service.Spec.Selector, selected)
		}
	}
}

// within reports whether all contains each of the labels.
func within(labels, all map[string]string) bool {
	for name, value := range labels {
		if got, found := all[name]; !found || got != value {
			return false
		}
	}
	return true
}
