package manifests_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	psaapi "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"github.com/crashcheck/crashcheck/pkg/config"
)

// Existing manifests and scripts use these names: they do not change.
const (
	clusterRoleName    = "read-pod-status"
	roleBindingName    = "read-pod-status-binding"
	serviceAccountName = "read-pod-status-sa"
	jobName            = "rollout-crashcheck-job"
	containerName      = "crashcheck"
)

const someHash = "6fd8d747"

func TestNamesOfTheObjects(t *testing.T) {
	permissions := "ClusterRole/" + clusterRoleName + "\nRoleBinding/" + roleBindingName + "\nServiceAccount/" + serviceAccountName
	for folder, want := range map[string]string{
		"base":                   strings.Replace(permissions, "\n", "\nJob/"+jobName+"\n", 1),
		"argo-rollouts":          "AnalysisTemplate/crashcheck\nClusterAnalysisTemplate/crashcheck\n" + permissions,
		"argo-rollouts/examples": "Rollout/blue-green-example\nRollout/canary-example\nService/blue-green-example-active\nService/blue-green-example-preview\nService/canary-example",
	} {
		if got := keys(build(t, deploy+"/"+folder)); got != want {
			t.Errorf("kustomize build deploy/%s makes\n%s\nwant\n%s", folder, got, want)
		}
	}
}

func TestPermissionIsToListPodsInOneNamespace(t *testing.T) {
	listPods := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}}
	readLogs := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods/log"}, Verbs: []string{"get"}}
	getWorkloads := rbacv1.PolicyRule{APIGroups: []string{"apps"}, Resources: []string{"deployments", "statefulsets", "daemonsets"}, Verbs: []string{"get"}}
	getRollouts := rbacv1.PolicyRule{APIGroups: []string{"argoproj.io"}, Resources: []string{"rollouts"}, Verbs: []string{"get"}}
	listVersions := rbacv1.PolicyRule{APIGroups: []string{"apps"}, Resources: []string{"replicasets", "controllerrevisions"}, Verbs: []string{"list"}}
	bound := func(objects map[string]any, name, kind, role string) {
		t.Helper()
		binding := get[*rbacv1.RoleBinding](t, objects, "RoleBinding/"+name)
		subjects := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: serviceAccountName}}
		if want := (rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: role}); binding.RoleRef != want || !reflect.DeepEqual(binding.Subjects, subjects) {
			t.Errorf("%s is of %+v to %+v", name, binding.RoleRef, binding.Subjects)
		}
	}
	for _, folder := range []string{"base", "argo-rollouts"} {
		for component, want := range map[string]struct {
			role  string // of the component; empty: none
			rules []rbacv1.PolicyRule
		}{
			"require-ready": {},
			"crash-logs":    {"read-pod-logs", []rbacv1.PolicyRule{readLogs}},
			"workload":      {"read-workloads", []rbacv1.PolicyRule{getWorkloads, getRollouts, listVersions}},
		} {
			objects := buildWith(t, folder, component)
			role := get[*rbacv1.ClusterRole](t, objects, "ClusterRole/"+clusterRoleName)
			if !reflect.DeepEqual(role.Rules, []rbacv1.PolicyRule{listPods}) || role.AggregationRule != nil {
				t.Errorf("%s with %s: the ClusterRole is %+v, want exactly %+v", folder, component, role.Rules, listPods)
			}
			bound(objects, roleBindingName, "ClusterRole", clusterRoleName)
			if want.role == "" {
				continue
			}
			// A Role belongs to a namespace: applying the manifests in another namespace, without the component, does not
			// change it.
			if role := get[*rbacv1.Role](t, objects, "Role/"+want.role); !reflect.DeepEqual(role.Rules, want.rules) {
				t.Errorf("%s with %s: the Role is %+v, want exactly %+v", folder, component, role.Rules, want.rules)
			}
			bound(objects, want.role+"-binding", "Role", want.role)
		}
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

// eachGate tests every gate without components, with each component, and with all of them together.
func eachGate(t *testing.T, test func(t *testing.T, components []string, job batchv1.JobSpec)) {
	all := []string{"crash-logs", "no-sidecar-injection", "require-ready", "restricted-network", "retry-inconclusive", "workload"}
	sets := [][]string{nil, all}
	for _, component := range all {
		sets = append(sets, []string{component})
	}
	gates := 0
	for _, folder := range []string{"base", "argo-rollouts"} {
		for _, components := range sets {
			for key, job := range jobsIn(buildWith(t, folder, components...)) {
				gates++
				t.Run(key+" with "+strings.Join(components, ","), func(t *testing.T) { test(t, components, job) })
			}
		}
	}
	if gates != 3*len(sets) {
		t.Errorf("%d gates were tested, want %d", gates, 3*len(sets))
	}
}

// The template's deadline covers windows up to this length.
const longestAnalysisWindow = 10 * time.Minute

func TestGates(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	base := jobsIn(build(t, deploy+"/base"))["Job/"+jobName]
	eachGate(t, func(t *testing.T, components []string, job batchv1.JobSpec) {
		has := func(component string) bool { return slices.Contains(components, component) }
		pod := job.Template.Spec
		container := pod.Containers[0]

		restricted := psaapi.LevelVersion{Level: psaapi.LevelRestricted, Version: psaapi.LatestVersion()}
		if result := policy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &job.Template.ObjectMeta, &pod)); !result.Allowed {
			t.Errorf("Pod Security %s: %s", restricted, result.ForbiddenDetail())
		}
		if container.Name != containerName || container.Image != "registry.example.com/crashcheck:v0.1.0" || pod.ServiceAccountName != serviceAccountName {
			t.Errorf("container %s runs %s as %s", container.Name, container.Image, pod.ServiceAccountName)
		}
		// The comments in base/job.yaml explain the pod. The pods of the templates are the same, except for the environment.
		same := *base.Template.Spec.DeepCopy()
		same.Containers[0].Env = container.Env
		if got, want := asYAML(t, pod), asYAML(t, same); got != want {
			t.Errorf("the pod is\n%s\nwant that of base/job.yaml\n%s", got, want)
		}
		if limits := container.Resources.Limits; len(limits) != 1 || limits.Memory().String() != "32Mi" {
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
			if got := *job.BackoffLimit > 0 && actionFor(job, exitCode) != batchv1.PodFailurePolicyActionFailJob; got != retried {
				t.Errorf("exit code %d is retried: %t", exitCode, got)
			}
		}
		if pod.RestartPolicy != corev1.RestartPolicyNever || job.TTLSecondsAfterFinished == nil {
			t.Errorf("restartPolicy is %s: the podFailurePolicy needs Never; ttlSecondsAfterFinished is %v", pod.RestartPolicy, job.TTLSecondsAfterFinished)
		}

		cfg := parse(t, job, defaults(t))
		if cfg.Hash != someHash || cfg.Interval != 5*time.Second || cfg.Duration != 300*time.Second || cfg.CrashLimit != 5 || cfg.Baseline != config.BaselineAbsolute {
			t.Errorf("the configuration is %+v", cfg)
		}
		if cfg.RequireReady != has("require-ready") {
			t.Errorf("REQUIRE_READY is %t", cfg.RequireReady)
		}

		// The deadline leaves time for scheduling, pulling the image, and every run with its back-off.
		window := cfg.Duration
		if strings.HasPrefix(t.Name(), "TestGates/AnalysisTemplate") || strings.HasPrefix(t.Name(), "TestGates/ClusterAnalysisTemplate") {
			window = longestAnalysisWindow
		}
		least := 2*time.Minute + time.Duration(*job.BackoffLimit+1)*longestRun(window, cfg) + time.Duration(*job.BackoffLimit)*15*time.Second
		if job.ActiveDeadlineSeconds == nil || time.Duration(*job.ActiveDeadlineSeconds)*time.Second < least {
			t.Errorf("activeDeadlineSeconds is %v, want at least %s", job.ActiveDeadlineSeconds, least)
		}
	})
}

// longestRun is the time within which a run with this window terminates.
func longestRun(window time.Duration, cfg config.Config) time.Duration {
	return window + cfg.APIGrace + 10*time.Second
}

// actionFor returns what the Job's podFailurePolicy does with a pod that was not disrupted; empty: no rule matches.
func actionFor(job batchv1.JobSpec, exitCode int32) batchv1.PodFailurePolicyAction {
	for _, rule := range job.PodFailurePolicy.Rules {
		if codes := rule.OnExitCodes; codes != nil && slices.Contains(codes.Values, exitCode) == (codes.Operator == batchv1.PodFailurePolicyOnExitCodesOpIn) {
			return rule.Action
		}
	}
	return ""
}

func TestRetryInconclusiveDoesNotCountDisruptions(t *testing.T) {
	for key, job := range jobsIn(buildWith(t, "base", "retry-inconclusive")) {
		last := job.PodFailurePolicy.Rules[len(job.PodFailurePolicy.Rules)-1]
		want := []batchv1.PodFailurePolicyOnPodConditionsPattern{{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue}}
		if last.Action != batchv1.PodFailurePolicyActionIgnore || !reflect.DeepEqual(last.OnPodConditions, want) {
			t.Errorf("%s: the last rule is %+v", key, last)
		}
	}
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
		policy := networkPolicy(t, objects)
		if len(policy.Egress) != 1 || len(policy.Egress[0].To) != 1 || policy.Egress[0].To[0].IPBlock.CIDR != placeholder || len(policy.Ingress) != 0 || len(policy.PolicyTypes) != 2 {
			t.Errorf("%s: the policy is\n%s", folder, asYAML(t, policy))
		}
		for key, job := range jobsIn(objects) {
			if labels := policy.PodSelector.MatchLabels; len(labels) == 0 || !within(labels, job.Template.Labels) {
				t.Errorf("%s: the policy selects %v, the pods have %v", key, labels, job.Template.Labels)
			}
		}
	}
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
		for _, folder := range []string{"base", "argo-rollouts"} {
			if folder != "base" && !strings.Contains(path, "components/") {
				continue // the comment describes the Job
			}
			t.Run(strings.TrimPrefix(path, deploy)+" on "+folder, func(t *testing.T) {
				objects := buildOverlay(t, strings.Replace(overlay, "deploy/base", "deploy/"+folder, 1))
				if account := get[*corev1.ServiceAccount](t, objects, "ServiceAccount/"+serviceAccountName); account.Namespace != "shop" {
					t.Errorf("the namespace is %q, want shop", account.Namespace)
				}
				args := defaults(t)
				if strings.Contains(path, "deploy/base") {
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
					if image := job.Template.Spec.Containers[0].Image; strings.Contains(overlay, "images:") == strings.HasPrefix(image, "registry.example.com/") {
						t.Errorf("%s runs %s", key, image)
					}
				}
				if strings.Contains(path, "restricted-network") {
					if policy := networkPolicy(t, objects); policy.Egress[0].To[0].IPBlock.CIDR != "172.18.0.2/32" {
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
