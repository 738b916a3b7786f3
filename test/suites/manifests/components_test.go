package manifests_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/crashcheck/crashcheck/pkg/config"
)

const components = deploy + "/components"

// retryDeadlines are those of the Job and of the templates' Jobs with retry-inconclusive.
var retryDeadlines = map[string]int64{"Job": 1500, "AnalysisTemplate": 2400, "ClusterAnalysisTemplate": 2400}

// changes says what each component does to what is built without it. Everything that it does not do is compared, so a
// component does this and nothing else.
var changes = map[string]func(t *testing.T, objects map[string]any){
	"require-ready": eachJob(func(_ string, job *batchv1.JobSpec) {
		addVariable(job, "REQUIRE_READY", "true")
	}),
	"crash-logs": func(t *testing.T, objects map[string]any) {
		role := get[*rbacv1.ClusterRole](t, objects, "ClusterRole/"+clusterRoleName)
		role.Rules = append(role.Rules, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods/log"}, Verbs: []string{"get"}})
	},
	"no-sidecar-injection": eachJob(func(_ string, job *batchv1.JobSpec) {
		maps.Copy(job.Template.Labels, map[string]string{"kuma.io/sidecar-injection": "disabled"})
		maps.Copy(job.Template.Annotations, map[string]string{
			"appmesh.k8s.aws/sidecarInjectorWebhook": "disabled",
			"consul.hashicorp.com/connect-inject":    "false",
			"openservicemesh.io/sidecar-injection":   "disabled",
			"sidecar.opentelemetry.io/inject":        "false",
		})
	}),
	"restricted-network": func(_ *testing.T, objects map[string]any) {
		// What the policy holds is tested on its own.
		objects["NetworkPolicy/crashcheck"] = new(networkingv1.NetworkPolicy)
	},
	"retry-inconclusive": eachJob(func(kind string, job *batchv1.JobSpec) {
		*job.BackoffLimit = 2
		*job.ActiveDeadlineSeconds = retryDeadlines[kind]
		name := containerName
		job.PodFailurePolicy = &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{
			{
				Action: batchv1.PodFailurePolicyActionFailJob,
				OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{
					ContainerName: &name, Operator: batchv1.PodFailurePolicyOnExitCodesOpIn, Values: []int32{1, 2, 4},
				},
			},
			{
				Action: batchv1.PodFailurePolicyActionIgnore,
				OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{
					{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue},
				},
			},
		}}
	}),
}

// eachJob changes the Job, and the Jobs inside the templates.
func eachJob(change func(kind string, job *batchv1.JobSpec)) func(*testing.T, map[string]any) {
	return func(t *testing.T, objects map[string]any) {
		found := 0
		for key, object := range objects {
			kind, _, _ := strings.Cut(key, "/")
			if job := jobIn(object); job != nil {
				change(kind, job)
				found++
			}
		}
		if found == 0 {
			t.Fatal("there is no Job to change")
		}
	}
}

// jobIn returns the spec of a Job, or of the Job inside a template, and nil for other objects.
func jobIn(object any) *batchv1.JobSpec {
	switch object := object.(type) {
	case *batchv1.Job:
		return &object.Spec
	case *analysisTemplate:
		return &object.Spec.Metrics[0].Provider.Job.Spec
	}
	return nil
}

func addVariable(job *batchv1.JobSpec, name, value string) {
	container := &job.Template.Spec.Containers[0]
	container.Env = append(container.Env, corev1.EnvVar{Name: name, Value: value})
}

func componentNames(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(components)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	if want := slices.Sorted(maps.Keys(changes)); !slices.Equal(names, want) {
		t.Fatalf("the components are %q, want %q", names, want)
	}
	return names
}

// eachUse runs a test for each component over the base and over the templates.
func eachUse(t *testing.T, test func(t *testing.T, component, folder string)) {
	for _, component := range componentNames(t) {
		for _, folder := range []string{"base", "argo-rollouts"} {
			t.Run(component+" on "+folder, func(t *testing.T) { test(t, component, folder) })
		}
	}
}

func TestComponentDoesWhatItSaysAndNothingElse(t *testing.T) {
	eachUse(t, func(t *testing.T, component, folder string) {
		want := build(t, filepath.Join(deploy, folder))
		changes[component](t, want)
		got := buildWith(t, folder, component)
		if policy := "NetworkPolicy/crashcheck"; got[policy] != nil && want[policy] != nil {
			want[policy] = got[policy]
		}
		wantObjects(t, got, want)
	})
}

func TestAllComponentsTogether(t *testing.T) {
	for _, folder := range []string{"base", "argo-rollouts"} {
		t.Run(folder, func(t *testing.T) {
			want := build(t, filepath.Join(deploy, folder))
			names := componentNames(t)
			for _, component := range names {
				changes[component](t, want)
			}
			got := buildWith(t, folder, names...)
			want["NetworkPolicy/crashcheck"] = got["NetworkPolicy/crashcheck"]
			wantObjects(t, got, want)
		})
	}
}

// The comment of a component shows a kustomization to copy.
func TestWhatTheCommentShowsWorks(t *testing.T) {
	eachUse(t, func(t *testing.T, component, folder string) {
		shown := shownOverlay(t, component)
		if folder != "base" {
			shown = strings.Replace(shown, "deploy/base", "deploy/"+folder, 1)
		}
		objects := buildText(t, shown)
		want := slices.Sorted(maps.Keys(build(t, filepath.Join(deploy, folder))))
		if component == "restricted-network" {
			want = append(want, "NetworkPolicy/crashcheck")
			slices.Sort(want)
		}
		if got := slices.Sorted(maps.Keys(objects)); !slices.Equal(got, want) {
			t.Errorf("it makes %q, want %q", got, want)
		}
		for key, object := range objects {
			job := jobIn(object)
			if job == nil {
				continue
			}
			cfg, err := config.Parse(environ(*job, defaults(t)))
			if err != nil {
				t.Fatalf("%s: crashcheck refuses the environment: %v", key, err)
			}
			if len(cfg.Warnings) > 0 {
				t.Errorf("%s: crashcheck warns of the environment: %q", key, cfg.Warnings)
			}
			if want := component == "require-ready"; cfg.RequireReady != want {
				t.Errorf("%s: REQUIRE_READY is %t, want %t", key, cfg.RequireReady, want)
			}
			if want := component == "crash-logs"; (cfg.CrashLogLines > 0) != want {
				t.Errorf("%s: CRASH_LOG_LINES is %d", key, cfg.CrashLogLines)
			}
		}
		if component == "restricted-network" {
			policy := get[*networkingv1.NetworkPolicy](t, objects, "NetworkPolicy/crashcheck")
			if got := asYAML(t, policy.Spec.Egress); strings.Contains(got, placeholderAddress) || !strings.Contains(got, "172.18.0.2/32") {
				t.Errorf("the patch that the comment shows leaves the policy at\n%s", got)
			}
			if policy.Namespace != "shop" {
				t.Errorf("the policy is in namespace %q, want shop", policy.Namespace)
			}
		}
	})
}

// placeholderAddress is reserved for documentation: RFC 5737.
const placeholderAddress = "192.0.2.1/32"

func TestNetworkPolicyAllowsNothingUntilItIsFilledIn(t *testing.T) {
	for _, folder := range []string{"base", "argo-rollouts"} {
		t.Run(folder, func(t *testing.T) {
			objects := buildWith(t, folder, "restricted-network")
			policy := get[*networkingv1.NetworkPolicy](t, objects, "NetworkPolicy/crashcheck")
			tcp, port := corev1.ProtocolTCP, intstr.FromInt32(6443)
			want := networkingv1.NetworkPolicySpec{
				PodSelector: policy.Spec.PodSelector,
				PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
				Egress: []networkingv1.NetworkPolicyEgressRule{{
					To:    []networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: placeholderAddress}}},
					Ports: []networkingv1.NetworkPolicyPort{{Protocol: &tcp, Port: &port}},
				}},
			}
			if !reflect.DeepEqual(policy.Spec, want) {
				t.Errorf("the policy is\n%s\nwant\n%s", asYAML(t, policy.Spec), asYAML(t, want))
			}

			// It is for the gate's pods: not for all (an empty selector), and not for none.
			selector := policy.Spec.PodSelector
			if len(selector.MatchLabels) == 0 || len(selector.MatchExpressions) > 0 {
				t.Fatalf("the policy selects %+v", selector)
			}
			for key, object := range objects {
				job := jobIn(object)
				if job == nil {
					continue
				}
				for name, value := range selector.MatchLabels {
					if job.Template.Labels[name] != value {
						t.Errorf("the policy wants %s=%s, which the pods of %s do not have", name, value, key)
					}
				}
			}
		})
	}
}

// The three tries that retry-inconclusive allows have to fit in its deadline, with the Job's back-off of 10 s and 20 s.
func TestRetriesFitInTheDeadline(t *testing.T) {
	const backOff = 30 * time.Second
	for folder, longest := range map[string]time.Duration{"base": 0, "argo-rollouts": longestAnalysisWindow} {
		for key, object := range buildWith(t, folder, "retry-inconclusive") {
			job := jobIn(object)
			if job == nil {
				continue
			}
			cfg, err := config.Parse(environ(*job, defaults(t)))
			if err != nil {
				t.Fatal(err)
			}
			if cfg.Baseline != config.BaselineAbsolute {
				t.Errorf("%s: BASELINE is %s: a retry would forget the crashes of pods that live on", key, cfg.Baseline)
			}
			run := max(cfg.Duration, longest) + cfg.APIGrace + beyondWindowAndGrace
			least := time.Duration(*job.BackoffLimit+1)*run + backOff + schedulingAndPull
			if got := time.Duration(*job.ActiveDeadlineSeconds) * time.Second; got < least {
				t.Errorf("%s: activeDeadlineSeconds is %s, the tries take up to %s", key, got, least)
			}
			if job.Template.Spec.RestartPolicy != corev1.RestartPolicyNever {
				t.Errorf("%s: a podFailurePolicy needs restartPolicy: Never", key)
			}
		}
	}
}

// wantObjects compares what was built as users see it.
func wantObjects(t *testing.T, got, want map[string]any) {
	t.Helper()
	for key := range maps.Keys(got) {
		if want[key] == nil {
			t.Errorf("%s is there, which nobody asked for", key)
		}
	}
	for key, object := range want {
		if got[key] == nil {
			t.Errorf("%s is missing", key)
		} else if got, want := asYAML(t, got[key]), asYAML(t, object); got != want {
			t.Errorf("%s is\n%s\nwant\n%s", key, got, want)
		}
	}
}

// buildWith builds a folder of deploy with components, in a copy of it.
func buildWith(t *testing.T, folder string, names ...string) map[string]any {
	t.Helper()
	text := fmt.Sprintf("resources: [../deploy/%s]\ncomponents:\n", folder)
	for _, name := range names {
		text += "  - ../deploy/components/" + name + "\n"
	}
	return buildText(t, text)
}

// buildText builds a kustomization beside a copy of deploy.
func buildText(t *testing.T, kustomization string) map[string]any {
	t.Helper()
	copied := t.TempDir()
	overlay := filepath.Join(copied, "overlay")
	err := errors.Join(
		os.CopyFS(filepath.Join(copied, "deploy"), os.DirFS(deploy)),
		os.Mkdir(overlay, 0o755),
		os.WriteFile(filepath.Join(overlay, "kustomization.yaml"), []byte(kustomization), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return build(t, overlay)
}

// shownOverlay returns the kustomization in the comment of a component, with the folders of this checkout in place of
// their addresses on the network.
func shownOverlay(t *testing.T, component string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(components, component, "kustomization.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	const first = "#   apiVersion: kustomize.config.k8s.io/v1beta1\n"
	_, shown, found := strings.Cut(string(text), first)
	if !found {
		t.Fatal("the comment shows no kustomization")
	}
	overlay := strings.TrimPrefix(first, "#   ")
	for line := range strings.Lines(shown) {
		line, inside := strings.CutPrefix(line, "#   ")
		if !inside {
			break
		}
		overlay += line
	}
	const remote, version = "https://github.com/crashcheck/crashcheck//deploy/", "?ref=v0.1.0"
	if strings.Count(overlay, remote) != 2 || strings.Count(overlay, version) != 2 ||
		!strings.Contains(overlay, remote+"components/"+component+version) {
		t.Fatalf("the comment does not show how to use this component:\n%s", overlay)
	}
	return strings.NewReplacer(remote, "../deploy/", version, "").Replace(overlay)
}
