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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/crashcheck/crashcheck/pkg/config"
)

// longestAnalysisWindow is the longest duration that the templates say they cover.
const longestAnalysisWindow = 10 * time.Minute

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
	Count             *int   `json:"count"`
	FailureLimit      *int   `json:"failureLimit"`
	InconclusiveLimit *int   `json:"inconclusiveLimit"`
	Provider          struct {
		Job *struct {
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
			Canary    *canary    `json:"canary"`
			BlueGreen *blueGreen `json:"blueGreen"`
		} `json:"strategy"`
	} `json:"spec"`
}

type canary struct {
	Analysis *struct {
		analysis     `json:",inline"`
		StartingStep int `json:"startingStep"`
	} `json:"analysis"`
	Steps []step `json:"steps"`
}

// step has one of its fields set.
type step struct {
	SetWeight *int      `json:"setWeight"`
	Pause     *pause    `json:"pause"`
	Analysis  *analysis `json:"analysis"`
}

type pause struct {
	Duration string `json:"duration"`
}

type blueGreen struct {
	ActiveService        string    `json:"activeService"`
	PreviewService       string    `json:"previewService"`
	AutoPromotionEnabled *bool     `json:"autoPromotionEnabled"`
	PrePromotionAnalysis *analysis `json:"prePromotionAnalysis"`

	PostPromotionAnalysis *analysis `json:"postPromotionAnalysis"`
}

type analysis struct {
	Templates []struct {
		TemplateName string `json:"templateName"`
		ClusterScope bool   `json:"clusterScope"`
	} `json:"templates"`
	Args   []rolloutArg `json:"args"`
	DryRun []struct {
		MetricName string `json:"metricName"`
	} `json:"dryRun"`
}

type rolloutArg struct {
	Name      string  `json:"name"`
	Value     *string `json:"value"`
	ValueFrom *struct {
		PodTemplateHashValue string `json:"podTemplateHashValue"`
	} `json:"valueFrom"`
}

// templates returns the AnalysisTemplate and the ClusterAnalysisTemplate.
func templates(t *testing.T) []*analysisTemplate {
	t.Helper()
	objects := build(t, argo)
	var both []*analysisTemplate
	for _, kind := range []string{"AnalysisTemplate", "ClusterAnalysisTemplate"} {
		template := get[*analysisTemplate](t, objects, kind+"/crashcheck")
		if len(template.Spec.Metrics) != 1 || template.Spec.Metrics[0].Provider.Job == nil {
			t.Fatalf("the %s has not the one metric with a Job", kind)
		}
		both = append(both, template)
	}
	return both
}

// defaults returns the values of the arguments where a Rollout gives only the hash.
func defaults(t *testing.T) map[string]string {
	t.Helper()
	values := map[string]string{"hash": someHash}
	for _, arg := range templates(t)[0].Spec.Args {
		if arg.Value != nil {
			values[arg.Name] = *arg.Value
		}
	}
	return values
}

func TestBothTemplatesAreTheSame(t *testing.T) {
	both := templates(t)
	if one, other := asYAML(t, both[0].Spec), asYAML(t, both[1].Spec); one != other {
		t.Errorf("the AnalysisTemplate is\n%s\nand the ClusterAnalysisTemplate\n%s", one, other)
	}
}

func TestTemplateNeedsOneJobToComplete(t *testing.T) {
	for _, template := range templates(t) {
		m := template.Spec.Metrics[0]
		for field, test := range map[string]struct {
			got  *int
			want int
		}{
			"count": {m.Count, 1}, "failureLimit": {m.FailureLimit, 0}, "inconclusiveLimit": {m.InconclusiveLimit, 0},
		} {
			if test.got == nil || *test.got != test.want {
				t.Errorf("%s: %s is not %d", template.Kind, field, test.want)
			}
		}
	}
}

func TestTemplateUsesEachArgumentAndNoOther(t *testing.T) {
	used := regexp.MustCompile(`{{\s*args\.([^}\s]*)\s*}}`)
	for _, template := range templates(t) {
		var declared []string
		for _, arg := range template.Spec.Args {
			declared = append(declared, arg.Name)
			if required := arg.Value == nil; required != (arg.Name == "hash") {
				t.Errorf("%s: argument %s: required is %t; only hash is", template.Kind, arg.Name, required)
			}
		}
		text, err := json.Marshal(template.Spec.Metrics) // what Argo Rollouts replaces arguments in
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]bool{}
		for _, match := range used.FindAllSubmatch(text, -1) {
			found[string(match[1])] = true
		}
		slices.Sort(declared)
		if got := slices.Sorted(maps.Keys(found)); !slices.Equal(got, declared) {
			t.Errorf("%s: uses the arguments %q, and declares %q", template.Kind, got, declared)
		}
	}
}

func TestCanaryIsWatchedFromTheFirstStepAndPromotedOnlyOnAVerdict(t *testing.T) {
	example := get[*rollout](t, build(t, examples), "Rollout/canary-example")
	canary := example.Spec.Strategy.Canary
	if canary == nil || canary.Analysis == nil || len(canary.Steps) == 0 {
		t.Fatal("the canary has no background analysis, or no steps")
	}
	if canary.Analysis.StartingStep != 0 {
		t.Errorf("startingStep is %d: a crash loop holds the rollout at the first step, so nobody would watch", canary.Analysis.StartingStep)
	}
	background := checkAnalysis(t, canary.Analysis.analysis)

	last := canary.Steps[len(canary.Steps)-1]
	if last.Analysis == nil {
		t.Fatal("the last step is no analysis: a canary can be promoted before the background analysis has a verdict")
	}

	// A last analysis that sees only a part of the window is good enough while the background one sees all of it:
	// the steps must last longer than its run.
	var steps time.Duration
	for _, step := range canary.Steps {
		switch {
		case step.Pause != nil:
			pause, err := time.ParseDuration(step.Pause.Duration)
			if err != nil {
				t.Fatalf("a pause needs an end, or the release waits for a person: %v", err)
			}
			steps += pause
		case step.Analysis != nil:
			steps += checkAnalysis(t, *step.Analysis).Duration
		}
	}
	if run := background.Duration + background.APIGrace + beyondWindowAndGrace; steps < run {
		t.Errorf("the steps take %s, too little for the background analysis, which takes up to %s", steps, run)
	}
	checkRollout(t, example)
}

func TestBlueGreenIsWatchedBeforePromotion(t *testing.T) {
	objects := build(t, examples)
	example := get[*rollout](t, objects, "Rollout/blue-green-example")
	blueGreen := example.Spec.Strategy.BlueGreen
	if blueGreen == nil || blueGreen.PrePromotionAnalysis == nil {
		t.Fatal("there is no prePromotionAnalysis")
	}
	checkAnalysis(t, *blueGreen.PrePromotionAnalysis)
	if blueGreen.ActiveService == blueGreen.PreviewService {
		t.Error("the active and the preview service are the same")
	}
	for _, name := range []string{blueGreen.ActiveService, blueGreen.PreviewService} {
		checkService(t, get[*corev1.Service](t, objects, "Service/"+name), example)
	}
	// The controller counts the time of a pre-promotion analysis as time without progress.
	for _, template := range templates(t) {
		deadline := template.Spec.Metrics[0].Provider.Job.Spec.ActiveDeadlineSeconds
		if deadline == nil || example.Spec.ProgressDeadlineSeconds <= *deadline {
			t.Errorf("progressDeadlineSeconds %d must be above the deadline of the analysis: it would end a good release",
				example.Spec.ProgressDeadlineSeconds)
		}
	}
	checkRollout(t, example)
}

func TestCanaryServiceSelectsItsPods(t *testing.T) {
	objects := build(t, examples)
	checkService(t, get[*corev1.Service](t, objects, "Service/canary-example"), get[*rollout](t, objects, "Rollout/canary-example"))
}

// checkAnalysis says whether a Rollout uses the template as it is meant, and returns what crashcheck makes of it.
func checkAnalysis(t *testing.T, used analysis) config.Config {
	t.Helper()
	if len(used.Templates) != 1 || used.Templates[0].TemplateName != "crashcheck" {
		t.Fatalf("the analysis uses %+v, not the template crashcheck", used.Templates)
	}
	template := templates(t)[0]
	if used.Templates[0].ClusterScope {
		template = templates(t)[1]
	}
	values := defaults(t)
	delete(values, "hash")
	for _, arg := range used.Args {
		// Argo Rollouts drops an argument that the template does not declare, without a word.
		if !slices.ContainsFunc(template.Spec.Args, func(declared templateArg) bool { return declared.Name == arg.Name }) {
			t.Errorf("the template has no argument %s", arg.Name)
		}
		switch {
		case arg.Name == "hash":
			if arg.Value != nil || arg.ValueFrom == nil || arg.ValueFrom.PodTemplateHashValue != "Latest" {
				t.Errorf("hash is not podTemplateHashValue: Latest, but %+v: another version would be checked", arg)
			}
			values["hash"] = someHash
		case arg.Value != nil:
			values[arg.Name] = *arg.Value
		default:
			t.Errorf("argument %s has no value", arg.Name)
		}
	}
	cfg, err := config.Parse(environ(template.Spec.Metrics[0].Provider.Job.Spec, values))
	if err != nil {
		t.Fatalf("crashcheck refuses the environment: %v", err)
	}
	if len(cfg.Warnings) > 0 {
		t.Errorf("crashcheck warns of the environment: %q", cfg.Warnings)
	}
	if cfg.Duration > longestAnalysisWindow {
		t.Errorf("the window of %s is longer than the %s that the template's deadline covers", cfg.Duration, longestAnalysisWindow)
	}
	return cfg
}

func checkRollout(t *testing.T, example *rollout) {
	t.Helper()
	if example.Spec.Replicas < 1 {
		t.Error("there are no replicas to check")
	}
	if !example.Spec.ProgressDeadlineAbort || example.Spec.ProgressDeadlineSeconds == 0 {
		t.Error("a release whose pods never become available would never be ended")
	}
	selector := example.Spec.Selector
	if len(selector.MatchExpressions) > 0 || len(selector.MatchLabels) == 0 || !within(selector.MatchLabels, example.Spec.Template.Labels) {
		t.Errorf("the selector %v does not match the pods' labels %v", selector, example.Spec.Template.Labels)
	}
}

func checkService(t *testing.T, service *corev1.Service, example *rollout) {
	t.Helper()
	if !maps.Equal(service.Spec.Selector, example.Spec.Selector.MatchLabels) {
		t.Errorf("service %s selects %v, the Rollout %v", service.Name, service.Spec.Selector, example.Spec.Selector.MatchLabels)
	}
	for _, port := range service.Spec.Ports {
		if !slices.ContainsFunc(example.Spec.Template.Spec.Containers, func(c corev1.Container) bool {
			return slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.Name == port.TargetPort.String() })
		}) {
			t.Errorf("service %s leads to port %s, which the pods do not have", service.Name, port.TargetPort.String())
		}
	}
}

// within says whether all has each of the labels.
func within(labels, all map[string]string) bool {
	for name, value := range labels {
		if got, found := all[name]; !found || got != value {
			return false
		}
	}
	return true
}

func asYAML(t *testing.T, value any) string {
	t.Helper()
	text, err := yaml.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
