package manifests_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	k8slabels "k8s.io/apimachinery/pkg/labels"
	psaapi "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"github.com/crashcheck/crashcheck/pkg/config"
)

const someHash = "6fd8d747"

// Existing manifests and scripts use these names: they do not change.
func TestNames(t *testing.T) {
	permissions := []string{"ClusterRole/read-pod-status", "RoleBinding/read-pod-status-binding", "ServiceAccount/read-pod-status-sa"}
	for folder, others := range map[string][]string{
		"base":          {"Job/rollout-crashcheck-job"},
		"argo-rollouts": {"AnalysisTemplate/crashcheck", "ClusterAnalysisTemplate/crashcheck"},
	} {
		objects := build(t, deploy+"/"+folder)
		got, want := slices.Sorted(maps.Keys(objects)), slices.Sorted(slices.Values(slices.Concat(permissions, others)))
		if !slices.Equal(got, want) {
			t.Errorf("kustomize build deploy/%s makes %q, want %q", folder, got, want)
		}
		for key, job := range jobsIn(objects) {
			// Nobody can serve an image of this domain.
			container, account := job.Template.Spec.Containers[0], job.Template.Spec.ServiceAccountName
			if container.Name != "crashcheck" || container.Image != "registry.example.com/crashcheck:v0.1.0" || account != "read-pod-status-sa" {
				t.Errorf("%s: container %s runs %s as %s", key, container.Name, container.Image, account)
			}
		}
	}
}

func TestPermissions(t *testing.T) {
	const listPods = "list pods"
	for component, want := range map[string]struct{ role, rules string }{
		"require-ready": {},
		"crash-logs":    {"read-pod-logs", "get pods/log"},
		"workload":      {"read-workloads", "get deployments statefulsets daemonsets in apps, get rollouts in argoproj.io, list replicasets controllerrevisions in apps"},
	} {
		for _, folder := range []string{"base", "argo-rollouts"} {
			objects := buildWith(t, folder, component)
			role := get[*rbacv1.ClusterRole](t, objects, "ClusterRole/read-pod-status")
			if got := rules(role.Rules); got != listPods || role.AggregationRule != nil {
				t.Errorf("%s with %s: the ClusterRole permits to %s, want %s", folder, component, got, listPods)
			}
			checkBinding(t, objects, "read-pod-status-binding", "ClusterRole/read-pod-status")
			if want.role == "" {
				continue
			}
			// A Role belongs to a namespace: applying the manifests in another namespace, without the component, does not
			// change it.
			if got := rules(get[*rbacv1.Role](t, objects, "Role/"+want.role).Rules); got != want.rules {
				t.Errorf("%s with %s: the Role permits to %s, want %s", folder, component, got, want.rules)
			}
			checkBinding(t, objects, want.role+"-binding", "Role/"+want.role)
		}
	}
}

// rules says what rules permit, such as "get deployments in apps, list pods".
func rules(rules []rbacv1.PolicyRule) string {
	var texts []string
	for _, rule := range rules {
		text := strings.Join(rule.Verbs, " ") + " " + strings.Join(rule.Resources, " ")
		if groups := strings.Join(rule.APIGroups, " "); groups != "" {
			text += " in " + groups
		}
		if len(rule.ResourceNames)+len(rule.NonResourceURLs) > 0 {
			text += fmt.Sprint(rule.ResourceNames, rule.NonResourceURLs)
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ", ")
}

func checkBinding(t *testing.T, objects map[string]any, name, role string) {
	t.Helper()
	binding := get[*rbacv1.RoleBinding](t, objects, "RoleBinding/"+name)
	account := rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Name: "read-pod-status-sa"}
	if binding.RoleRef.Kind+"/"+binding.RoleRef.Name != role || len(binding.Subjects) != 1 || binding.Subjects[0] != account {
		t.Errorf("%s is of %+v to %+v", name, binding.RoleRef, binding.Subjects)
	}
}

// jobsIn returns the specs of all gates: of the Job, and of the Jobs inside the templates.
func jobsIn(objects map[string]any) map[string]batchv1.JobSpec {
	jobs := map[string]batchv1.JobSpec{}
	for key, object := range objects {
		switch object := object.(type) {
		case *batchv1.Job:
			jobs[key] = object.Spec
		case *analysisTemplate:
			jobs[key] = object.Spec.Metrics[0].Provider.Job.Spec
		}
	}
	return jobs
}

// The template's deadline covers windows up to this length.
const longestAnalysisWindow = 10 * time.Minute

// Every gate is tested without components, with each component, and with all of them together.
func TestGates(t *testing.T) {
	all := []string{"crash-logs", "no-sidecar-injection", "require-ready", "restricted-network", "retry-inconclusive", "workload"}
	sets := [][]string{nil, all}
	for _, component := range all {
		sets = append(sets, []string{component})
	}
	base := jobsIn(build(t, deploy+"/base"))["Job/rollout-crashcheck-job"]
	gates := 0
	for _, folder := range []string{"base", "argo-rollouts"} {
		for _, components := range sets {
			for key, job := range jobsIn(buildWith(t, folder, components...)) {
				gates++
				window := longestAnalysisWindow
				if folder == "base" {
					window = 5 * time.Minute
				}
				t.Run(key+" with "+strings.Join(components, ","), func(t *testing.T) { checkGate(t, job, base, components, window) })
			}
		}
	}
	if gates != 3*len(sets) {
		t.Errorf("%d gates were tested, want %d", gates, 3*len(sets))
	}
}

func checkGate(t *testing.T, job, base batchv1.JobSpec, components []string, window time.Duration) {
	has := func(component string) bool { return slices.Contains(components, component) }
	pod := job.Template.Spec
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := psaapi.LevelVersion{Level: psaapi.LevelRestricted, Version: psaapi.LatestVersion()}
	if result := policy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &job.Template.ObjectMeta, &pod)); !result.Allowed {
		t.Errorf("Pod Security %s: %s", restricted, result.ForbiddenDetail())
	}
	checkPod(t, pod, base.Template.Spec)
	if limits := pod.Containers[0].Resources.Limits; len(limits) != 1 || limits.Memory().String() != "32Mi" {
		t.Errorf("the limits are %v, want only memory 32Mi", limits)
	}

	// An injected sidecar would keep the Job from completing.
	labels, annotations := job.Template.Labels, job.Template.Annotations
	if labels["sidecar.istio.io/inject"] != "false" || annotations["linkerd.io/inject"] != "disabled" {
		t.Errorf("Istio or Linkerd may inject a sidecar: %v %v", labels, annotations)
	}
	if off := annotations["consul.hashicorp.com/connect-inject"] == "false" && labels["kuma.io/sidecar-injection"] == "disabled"; off != has("no-sidecar-injection") {
		t.Errorf("Consul and Kuma are disabled: %t", off)
	}

	// fail, invalid and not_ready are never retried, inconclusive and interrupted runs only by retry-inconclusive.
	for exitCode, retried := range map[int32]bool{1: false, 2: false, 3: has("retry-inconclusive"), 4: false, 143: has("retry-inconclusive")} {
		if got := *job.BackoffLimit > 0 && !failsJob(job, exitCode); got != retried {
			t.Errorf("exit code %d is retried: %t", exitCode, got)
		}
	}
	if pod.RestartPolicy != corev1.RestartPolicyNever || job.TTLSecondsAfterFinished == nil {
		t.Errorf("restartPolicy is %s: the podFailurePolicy needs Never; ttlSecondsAfterFinished is %v", pod.RestartPolicy, job.TTLSecondsAfterFinished)
	}

	cfg := parse(t, job, defaults(t))
	if cfg.Hash != someHash || cfg.Interval != 5*time.Second || cfg.Duration != 5*time.Minute || cfg.CrashLimit != 5 || cfg.RequireReady != has("require-ready") {
		t.Errorf("the configuration is %+v", cfg)
	}
	checkDeadline(t, job, cfg, window)
}

// checkPod checks that a pod is that of base/job.yaml, but for its environment and its account.
func checkPod(t *testing.T, pod, base corev1.PodSpec) {
	t.Helper()
	same := *base.DeepCopy()
	same.Containers[0].Env, same.ServiceAccountName = pod.Containers[0].Env, pod.ServiceAccountName
	if got, want := asYAML(t, pod), asYAML(t, same); got != want {
		t.Errorf("the pod is\n%s\nwant that of base/job.yaml\n%s", got, want)
	}
}

// checkDeadline checks that the Job's deadline leaves time for scheduling, pulling the image, and every run with its back-off.
func checkDeadline(t *testing.T, job batchv1.JobSpec, cfg config.Config, window time.Duration) {
	t.Helper()
	retries := time.Duration(*job.BackoffLimit)
	least := 2*time.Minute + (retries+1)*longestRun(window, cfg) + retries*15*time.Second
	if job.ActiveDeadlineSeconds == nil || time.Duration(*job.ActiveDeadlineSeconds)*time.Second < least {
		t.Errorf("activeDeadlineSeconds is %v, want at least %s", job.ActiveDeadlineSeconds, least)
	}
}

// longestRun is the time within which a run with this window terminates.
func longestRun(window time.Duration, cfg config.Config) time.Duration {
	return window + cfg.APIGrace + 10*time.Second
}

// failsJob reports whether the Job's podFailurePolicy fails the Job when a pod that was not disrupted ends with an exit code.
func failsJob(job batchv1.JobSpec, exitCode int32) bool {
	for _, rule := range job.PodFailurePolicy.Rules {
		if codes := rule.OnExitCodes; codes != nil && slices.Contains(codes.Values, exitCode) == (codes.Operator == batchv1.PodFailurePolicyOnExitCodesOpIn) {
			return rule.Action == batchv1.PodFailurePolicyActionFailJob
		}
	}
	return false
}

// parse returns the configuration of a gate. crashcheck must accept it without a warning.
func parse(t *testing.T, job batchv1.JobSpec, args map[string]string) config.Config {
	t.Helper()
	for _, v := range job.Template.Spec.Containers[0].Env {
		if !slices.ContainsFunc(config.Variables, func(known config.Variable) bool { return known.Name == v.Name }) || v.ValueFrom != nil {
			t.Errorf("%s is not a variable of crashcheck with a plain value", v.Name)
		}
	}
	cfg, err := config.Parse(environ(job, args))
	if err != nil || len(cfg.Warnings) > 0 {
		t.Fatalf("crashcheck's configuration: %v, warnings %q", err, cfg.Warnings)
	}
	return cfg
}

// environ returns the environment of the gate's container. It fills in the arguments of a template as Argo Rollouts does;
// the argument hash also replaces the placeholder of the plain Job.
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

func TestAHashThatIsNotFilledInIsInvalid(t *testing.T) {
	for _, folder := range []string{"base", "argo-rollouts"} {
		for key, job := range jobsIn(build(t, deploy+"/"+folder)) {
			args := defaults(t)
			delete(args, "hash")
			if _, err := config.Parse(environ(job, args)); err == nil || !strings.HasPrefix(err.Error(), "HASH: ") {
				t.Errorf("%s: the error is %v, want one of HASH and no other", key, err)
			}
		}
	}
}

// The policy selects the gate's pods: neither all pods (an empty selector) nor none.
func TestNetworkPolicyAllowsOnlyAPlaceholderUntilItIsPatched(t *testing.T) {
	const placeholder = "192.0.2.1/32" // RFC 5737: reserved for documentation
	for _, folder := range []string{"base", "argo-rollouts"} {
		objects := buildWith(t, folder, "restricted-network")
		policy := get[*networkingv1.NetworkPolicy](t, objects, "NetworkPolicy/crashcheck").Spec
		if len(policy.Egress) != 1 || len(policy.Egress[0].To) != 1 || policy.Egress[0].To[0].IPBlock.CIDR != placeholder || len(policy.Ingress) != 0 || len(policy.PolicyTypes) != 2 {
			t.Errorf("%s: the policy is\n%s", folder, asYAML(t, policy))
		}
		for key, job := range jobsIn(objects) {
			if selected := policy.PodSelector.MatchLabels; len(selected) == 0 || !selects(selected, job.Template.Labels) {
				t.Errorf("%s: the policy selects %v, the pods have %v", key, selected, job.Template.Labels)
			}
		}
	}
}

// selects reports whether labels have everything that matchLabels want.
func selects(matchLabels, labels map[string]string) bool {
	return k8slabels.SelectorFromSet(matchLabels).Matches(k8slabels.Set(labels))
}

// The comments in deploy show kustomizations to copy. The names of their folders are those of a checkout beside them.
func TestKustomizationsInCommentsWork(t *testing.T) {
	shown := 0
	for path, text := range filesIn(t, deploy) {
		const first = "#   apiVersion: kustomize.config.k8s.io/v1beta1\n"
		_, rest, found := strings.Cut(text, first)
		if !found {
			continue
		}
		shown++
		overlay := strings.TrimPrefix(first, "#   ")
		for line := range strings.Lines(rest) {
			line, inside := strings.CutPrefix(line, "#   ")
			if !inside {
				break
			}
			overlay += line
		}
		component := strings.Contains(path, "components/")
		for _, folder := range []string{"base", "argo-rollouts"} {
			if folder != "base" && !component {
				continue // the comment describes the Job
			}
			t.Run(strings.TrimPrefix(path, deploy)+" on "+folder, func(t *testing.T) {
				objects := buildOverlay(t, strings.Replace(overlay, "deploy/base", "deploy/"+folder, 1))
				if account := get[*corev1.ServiceAccount](t, objects, "ServiceAccount/read-pod-status-sa"); account.Namespace != "shop" {
					t.Errorf("the namespace is %q, want shop", account.Namespace)
				}
				args := defaults(t)
				if !component {
					delete(args, "hash") // the comment shows how to set it
				}
				for key, job := range jobsIn(objects) {
					cfg := parse(t, job, args)
					hash, workload := someHash, ""
					if folder == "base" && strings.Contains(path, "components/workload") {
						hash, workload = "", "deployment/shop"
					}
					if want := strings.Contains(path, "crash-logs"); cfg.Hash != hash || cfg.Workload.String() != workload || (cfg.CrashLogLines > 0) != want {
						t.Errorf("%s: the configuration is %+v", key, cfg)
					}
				}
				if strings.Contains(path, "restricted-network") {
					policy := get[*networkingv1.NetworkPolicy](t, objects, "NetworkPolicy/crashcheck").Spec
					if policy.Egress[0].To[0].IPBlock.CIDR != "172.18.0.2/32" {
						t.Errorf("the patched policy is\n%s", asYAML(t, policy))
					}
				}
			})
		}
	}
	if shown < 6 {
		t.Errorf("%d comments show a kustomization, want those of the base and of each component", shown)
	}
}
