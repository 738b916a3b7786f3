package manifests_test

import (
	"errors"
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
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	psaapi "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"github.com/crashcheck/crashcheck/pkg/config"
)

// These names are in manifests that exist: they do not change.
const (
	clusterRoleName    = "read-pod-status"
	roleBindingName    = "read-pod-status-binding"
	serviceAccountName = "read-pod-status-sa"
	jobName            = "rollout-crashcheck-job"
	containerName      = "crashcheck"
)

// A run ends by its own hand within its window, API_GRACE and this.
const beyondWindowAndGrace = 10 * time.Second

// schedulingAndPull is what a deadline must leave, at the least, for the pod to be scheduled and its image pulled.
const schedulingAndPull = 2 * time.Minute

const someHash = "6fd8d747"

func TestWhatTheKustomizationsHold(t *testing.T) {
	permissions := []string{"ClusterRole/" + clusterRoleName, "RoleBinding/" + roleBindingName, "ServiceAccount/" + serviceAccountName}
	templates := append([]string{"AnalysisTemplate/crashcheck", "ClusterAnalysisTemplate/crashcheck"}, permissions...)
	for _, test := range []struct {
		claim, folder string
		want          []string
	}{
		{"the base is the Job and its permissions", base, append([]string{"Job/" + jobName}, permissions...)},
		{"with Argo Rollouts, the templates take the place of the Job", argo, templates},
		{"the examples are two Rollouts and their Services", examples, []string{
			"Rollout/canary-example", "Service/canary-example",
			"Rollout/blue-green-example", "Service/blue-green-example-active", "Service/blue-green-example-preview",
		}},
	} {
		t.Run(test.claim, func(t *testing.T) {
			got := slices.Sorted(maps.Keys(build(t, test.folder)))
			if want := slices.Sorted(slices.Values(test.want)); !slices.Equal(got, want) {
				t.Errorf("kustomize build %s makes\n%s\nwant\n%s", test.folder, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

func TestEverythingHasTheRecommendedLabels(t *testing.T) {
	objects := buildWith(t, "base", "restricted-network")
	maps.Copy(objects, build(t, argo))
	maps.Copy(objects, build(t, examples))
	for key, object := range objects {
		labels := object.(metav1.Object).GetLabels()
		for _, name := range []string{"name", "component", "part-of"} {
			if labels["app.kubernetes.io/"+name] == "" {
				t.Errorf("%s has no label app.kubernetes.io/%s: %v", key, name, labels)
			}
		}
	}
}

func TestPermissionsAreToListPodsInOneNamespace(t *testing.T) {
	for _, folder := range []string{base, argo} {
		objects := build(t, folder)

		role := get[*rbacv1.ClusterRole](t, objects, "ClusterRole/"+clusterRoleName)
		rules := []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}}}
		if !reflect.DeepEqual(role.Rules, rules) || role.AggregationRule != nil {
			t.Errorf("%s: the role is %+v, want exactly %+v", folder, role.Rules, rules)
		}

		binding := get[*rbacv1.RoleBinding](t, objects, "RoleBinding/"+roleBindingName)
		if want := (rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: clusterRoleName}); binding.RoleRef != want {
			t.Errorf("%s: the binding is to %+v, want %+v", folder, binding.RoleRef, want)
		}
		if want := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: serviceAccountName}}; !reflect.DeepEqual(binding.Subjects, want) {
			t.Errorf("%s: the binding's subjects are %+v, want %+v", folder, binding.Subjects, want)
		}
	}
}

// gate is one of the three places in which the pod of the gate is written down.
type gate struct {
	source  string
	job     batchv1.JobSpec
	labels  map[string]string // of the Job
	longest time.Duration     // the longest window that the Job's deadline has to leave room for
}

func gates(t *testing.T) []gate {
	t.Helper()
	job := get[*batchv1.Job](t, build(t, base), "Job/"+jobName)
	all := []gate{{"the Job", job.Spec, job.Labels, 300 * time.Second}}
	for _, template := range templates(t) {
		inside := template.Spec.Metrics[0].Provider.Job
		all = append(all, gate{"the " + template.Kind, inside.Spec, inside.Metadata.Labels, longestAnalysisWindow})
	}
	return all
}

func eachGate(t *testing.T, check func(t *testing.T, g gate)) {
	for _, g := range gates(t) {
		t.Run(g.source, func(t *testing.T) { check(t, g) })
	}
}

func TestJobIsOneHardenedRun(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	eachGate(t, func(t *testing.T, g gate) {
		pod := g.job.Template.Spec
		if len(pod.Containers) != 1 || len(pod.InitContainers) != 0 || len(pod.Volumes) != 0 {
			t.Fatalf("the pod has more than the one container: %+v", pod)
		}
		container := pod.Containers[0]

		restricted := psaapi.LevelVersion{Level: psaapi.LevelRestricted, Version: psaapi.LatestVersion()}
		if result := policy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &g.job.Template.ObjectMeta, &pod)); !result.Allowed {
			t.Errorf("Pod Security %s: %s", restricted, result.ForbiddenDetail())
		}

		// Whole values, so that a field more (privileged: true) is seen as well as one less.
		var (
			yes, no       = true, false
			user    int64 = 65532
			never   int32
			day     int32 = 24 * 60 * 60
			grace   int64 = 5
			name          = containerName
		)
		deadline := g.job.ActiveDeadlineSeconds
		labels := map[string]string{
			"app.kubernetes.io/name": "crashcheck", "app.kubernetes.io/component": "release-gate", "app.kubernetes.io/part-of": "crashcheck",
		}
		podLabels := maps.Clone(labels)
		podLabels["sidecar.istio.io/inject"] = "false"
		wantJob := batchv1.JobSpec{
			BackoffLimit: &never, ActiveDeadlineSeconds: deadline, TTLSecondsAfterFinished: &day,
			PodFailurePolicy: &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{
				Action: batchv1.PodFailurePolicyActionFailJob,
				OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{
					ContainerName: &name, Operator: batchv1.PodFailurePolicyOnExitCodesOpNotIn, Values: []int32{0},
				},
			}}},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: podLabels, Annotations: map[string]string{
					"kubectl.kubernetes.io/default-container": containerName, "linkerd.io/inject": "disabled",
					"cluster-autoscaler.kubernetes.io/safe-to-evict": "false", "karpenter.sh/do-not-disrupt": "true",
				}},
				Spec: corev1.PodSpec{
					ServiceAccountName: serviceAccountName, AutomountServiceAccountToken: &yes, EnableServiceLinks: &no,
					RestartPolicy: corev1.RestartPolicyNever, TerminationGracePeriodSeconds: &grace,
					SecurityContext: &corev1.PodSecurityContext{
						RunAsNonRoot: &yes, RunAsUser: &user, RunAsGroup: &user,
						SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
					},
					Containers: []corev1.Container{{
						Name: containerName, Image: "crashcheck/crashcheck:v0.1.0", Env: container.Env,
						TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
						Resources: corev1.ResourceRequirements{
							Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("16Mi")},
							Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("32Mi")},
						},
						SecurityContext: &corev1.SecurityContext{
							AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes,
							Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
						},
					}},
				},
			},
		}
		if got, want := asYAML(t, g.job), asYAML(t, wantJob); got != want {
			t.Errorf("the Job's spec is\n%s\nwant\n%s", got, want)
		}
		if !maps.Equal(g.labels, labels) {
			t.Errorf("the Job's labels are %v, want %v", g.labels, labels)
		}
	})
}

func TestDeadlineLeavesTheRunItsTime(t *testing.T) {
	eachGate(t, func(t *testing.T, g gate) {
		cfg, err := config.Parse(environ(g.job, defaults(t)))
		if err != nil {
			t.Fatal(err)
		}
		window := max(cfg.Duration, g.longest)
		least := window + cfg.APIGrace + beyondWindowAndGrace + schedulingAndPull
		if g.job.ActiveDeadlineSeconds == nil {
			t.Fatal("activeDeadlineSeconds is not set: a pod that is never scheduled would hold the release for ever")
		}
		if got := time.Duration(*g.job.ActiveDeadlineSeconds) * time.Second; got < least {
			t.Errorf("activeDeadlineSeconds is %s, which cuts off a run of %s: at least %s", got, window, least)
		}
	})
}

func TestCrashcheckAcceptsTheEnvironment(t *testing.T) {
	eachGate(t, func(t *testing.T, g gate) {
		for _, v := range g.job.Template.Spec.Containers[0].Env {
			if !slices.ContainsFunc(config.Variables, func(known config.Variable) bool { return known.Name == v.Name }) {
				t.Errorf("crashcheck has no variable %s", v.Name)
			}
			if v.ValueFrom != nil {
				t.Errorf("%s is not a plain value", v.Name)
			}
		}
		cfg, err := config.Parse(environ(g.job, defaults(t)))
		if err != nil {
			t.Fatalf("crashcheck refuses the environment: %v", err)
		}
		if len(cfg.Warnings) > 0 {
			t.Errorf("crashcheck warns of the environment: %q", cfg.Warnings)
		}
		if cfg.Hash != someHash || cfg.Interval != 5*time.Second || cfg.Duration != 300*time.Second || cfg.CrashLimit != 5 {
			t.Errorf("the configuration is %v, want the hash %s, checks every 5 s for 300 s, and a limit of 5", cfg.Environ(), someHash)
		}
	})
}

func TestHashThatNobodyFilledInIsRefused(t *testing.T) {
	eachGate(t, func(t *testing.T, g gate) {
		filledIn := defaults(t)
		delete(filledIn, "hash")
		_, err := config.Parse(environ(g.job, filledIn))
		var faults config.Faults
		if !errors.As(err, &faults) || len(faults) != 1 || faults[0].Variable != "HASH" {
			t.Errorf("config.Parse says %v, want a fault of HASH and no other", err)
		}
	})
}

// What an overlay of a user does has to reach all that it is meant for.
func TestOverlaySetsNamespaceAndImage(t *testing.T) {
	for folder, gates := range map[string][]string{
		"base":          {"Job/" + jobName},
		"argo-rollouts": {"AnalysisTemplate/crashcheck", "ClusterAnalysisTemplate/crashcheck"},
	} {
		t.Run(folder, func(t *testing.T) {
			copied := t.TempDir()
			if err := os.CopyFS(filepath.Join(copied, "deploy"), os.DirFS(deploy)); err != nil {
				t.Fatal(err)
			}
			overlay := filepath.Join(copied, "overlay")
			if err := os.Mkdir(overlay, 0o755); err != nil {
				t.Fatal(err)
			}
			text := "namespace: shop\nresources: [../deploy/" + folder + "]\n" +
				"images: [{name: crashcheck/crashcheck, newName: registry.example.com/crashcheck, newTag: v1.2.3}]\n"
			if folder == "base" {
				text += jobPatch(t)
			}
			if err := os.WriteFile(filepath.Join(overlay, "kustomization.yaml"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}

			objects := build(t, overlay)
			for _, key := range gates {
				var job batchv1.JobSpec
				switch object := objects[key].(type) {
				case *batchv1.Job:
					job = object.Spec
					if cfg, err := config.Parse(environ(job, nil)); err != nil || cfg.Hash != someHash {
						t.Errorf("the patch that kustomization.yaml recommends makes HASH %q (%v), want %s", cfg.Hash, err, someHash)
					}
				case *analysisTemplate:
					job = object.Spec.Metrics[0].Provider.Job.Spec
				default:
					t.Fatalf("there is no %s", key)
				}
				if got, want := job.Template.Spec.Containers[0].Image, "registry.example.com/crashcheck:v1.2.3"; got != want {
					t.Errorf("%s runs %s, want %s", key, got, want)
				}
			}
			binding := get[*rbacv1.RoleBinding](t, objects, "RoleBinding/"+roleBindingName)
			account := get[*corev1.ServiceAccount](t, objects, "ServiceAccount/"+serviceAccountName)
			if binding.Namespace != "shop" || account.Namespace != "shop" {
				t.Errorf("binding and account are in %q and %q, want shop", binding.Namespace, account.Namespace)
			}
			if got := binding.Subjects[0]; got.Name != serviceAccountName || got.Namespace != "" && got.Namespace != "shop" {
				t.Errorf("the binding's subject is %+v, want the account of its own namespace", got)
			}
		})
	}
}

// jobPatch returns the patch that the comment in base/kustomization.yaml recommends, from that comment.
func jobPatch(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(base, "kustomization.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, patch, found := strings.Cut(string(text), "#   patches:\n")
	patch, _, ended := strings.Cut(patch, "\napiVersion:")
	if !found || !ended {
		t.Fatal("base/kustomization.yaml no longer shows how to patch the Job")
	}
	return "patches:\n" + strings.ReplaceAll("\n"+patch, "\n#   ", "\n") + "\n"
}

// environ returns the environment of the gate's container. Values for the arguments of a template are filled in as Argo
// Rollouts does; those for hash also replace the placeholder of the plain Job.
func environ(job batchv1.JobSpec, args map[string]string) []string {
	var pairs []string
	for _, v := range job.Template.Spec.Containers[0].Env {
		value := v.Value
		for name, arg := range args {
			value = strings.ReplaceAll(value, "{{args."+name+"}}", arg)
		}
		if hash, given := args["hash"]; given && value == "<pod-template-hash>" {
			value = hash
		}
		pairs = append(pairs, v.Name+"="+value)
	}
	return pairs
}
