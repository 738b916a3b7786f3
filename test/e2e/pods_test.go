package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crashcheck/crashcheck/test/e2e/cluster"
)

const (
	rolloutsLabel   = "rollouts-pod-template-hash"
	deploymentLabel = "pod-template-hash"
	// someHash is the hash of paper pods.
	someHash = "c0ffee"
)

// paperPod creates a pod of someHash that is not scheduled. Its status says that it runs after this many restarts.
func paperPod(t *testing.T, namespace, name string, restarts int32) {
	t.Helper()
	if err := createPaperPod(t.Context(), namespace, name, restarts); err != nil {
		t.Fatal("create a pod:", err)
	}
}

func createPaperPod(ctx context.Context, namespace, name string, restarts int32) error {
	pod, err := the.Client.CoreV1().Pods(namespace).Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{rolloutsLabel: someHash}},
		Spec:       corev1.PodSpec{SchedulerName: "nobody", Containers: []corev1.Container{container("main")}},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	return writeRestarts(ctx, pod, restarts)
}

// setRestarts writes into the status of a pod that it runs after this many restarts.
func setRestarts(t *testing.T, namespace, name string, restarts int32) {
	t.Helper()
	pod, err := the.Client.CoreV1().Pods(namespace).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := writeRestarts(t.Context(), pod, restarts); err != nil {
		t.Fatal("write a pod's status:", err)
	}
}

func writeRestarts(ctx context.Context, pod *corev1.Pod, restarts int32) error {
	pod.Status.Phase = corev1.PodRunning
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name:         "main",
		RestartCount: restarts,
		ContainerID:  fmt.Sprintf("containerd://%s-%d", pod.UID, restarts),
		State:        corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}},
	}}
	_, err := the.Client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{})
	return err
}

// An option changes a container.
type option func(*corev1.Container)

// container returns a container that runs the crasher, without end unless an option changes that.
func container(name string, options ...option) corev1.Container {
	c := corev1.Container{Name: name, Image: cluster.CrasherImage}
	for _, change := range options {
		change(&c)
	}
	return c
}

// env sets a variable of the crasher; see programs/crasher.
func env(name, value string) option {
	return func(c *corev1.Container) { c.Env = append(c.Env, corev1.EnvVar{Name: name, Value: value}) }
}

// ends lets the container exit after a time with this exit code.
func ends(after, code string) option {
	return func(c *corev1.Container) {
		env("AFTER", after)(c)
		env("CODE", code)(c)
	}
}

// deaf lets a container ignore SIGTERM, so that it is killed (exit code 137). A pod whose containers all exit with 0 when the
// kubelet evicts it is mostly Succeeded, without a reason, and not Failed: the stream evicted-exit-zero shows that.
func deaf(c *corev1.Container) { env("DEAF", "1")(c) }

func limit(name corev1.ResourceName, size string) option {
	return func(c *corev1.Container) { c.Resources.Limits = corev1.ResourceList{name: resource.MustParse(size)} }
}

// sidecar makes an init container a native sidecar.
func sidecar(c *corev1.Container) { restarts(corev1.ContainerRestartPolicyAlways)(c) }

// restarts gives a container a restart policy of its own, with rules.
func restarts(policy corev1.ContainerRestartPolicy, rules ...corev1.ContainerRestartRule) option {
	return func(c *corev1.Container) { c.RestartPolicy, c.RestartPolicyRules = &policy, rules }
}

func rule(action corev1.ContainerRestartRuleAction, code int32) corev1.ContainerRestartRule {
	return corev1.ContainerRestartRule{
		Action: action,
		ExitCodes: &corev1.ContainerRestartRuleOnExitCodes{
			Operator: corev1.ContainerRestartRuleOnExitCodesOpIn, Values: []int32{code},
		},
	}
}

// failingLiveness lets the kubelet kill the container again and again.
func failingLiveness(c *corev1.Container) {
	c.LivenessProbe = probe("fail")
	c.LivenessProbe.InitialDelaySeconds = 1
	c.LivenessProbe.FailureThreshold = 1
}

// ready and neverReady are readiness probes.
func ready(c *corev1.Container)      { c.ReadinessProbe = probe("ok") }
func neverReady(c *corev1.Container) { c.ReadinessProbe = probe("fail") }

func probe(name string) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:  corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"/crasher", name}}},
		PeriodSeconds: 1,
	}
}

func mains(containers ...corev1.Container) corev1.PodSpec {
	return corev1.PodSpec{Containers: containers}
}

func withInit(init corev1.Container, containers ...corev1.Container) corev1.PodSpec {
	return corev1.PodSpec{InitContainers: []corev1.Container{init}, Containers: containers}
}

// withData mounts the volume "data" of the pod, with a limit or without, in the first container.
func withData(pod corev1.PodSpec, sizeLimit *resource.Quantity) corev1.PodSpec {
	volume := corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: sizeLimit}}
	pod.Volumes = []corev1.Volume{{Name: "data", VolumeSource: volume}}
	pod.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: "/data"}}
	return pod
}

// overVolumeLimit is a pod that fills a volume above its limit. The kubelet evicts it.
func overVolumeLimit(options ...option) corev1.PodSpec {
	size := resource.MustParse("1Mi")
	return withData(mains(container("fill", append(options, env("FILL", "/data/fill"))...)), &size)
}

// overStorageLimit is a pod with a container that writes more to its filesystem than it may. The kubelet evicts it.
func overStorageLimit(options ...option) corev1.PodSpec {
	asRoot := func(c *corev1.Container) {
		root := int64(0)
		c.SecurityContext = &corev1.SecurityContext{RunAsUser: &root} // the directory is root's
	}
	return mains(container("fill", append(options, env("FILL", "/fill"), asRoot, limit(corev1.ResourceEphemeralStorage, "8Mi"))...))
}

// restartsAll is a pod in which an exit of the container "trigger" restarts all four containers.
func restartsAll(trigger ...option) corev1.PodSpec {
	policy := restarts(corev1.ContainerRestartPolicyNever, rule(corev1.ContainerRestartRuleActionRestartAllContainers, 7))
	pod := withInit(container("setup", ends("0s", "0")), container("trigger", append(trigger, policy)...), container("steady"))
	pod.InitContainers = append(pod.InitContainers, container("proxy", sidecar))
	return pod
}

// deploy creates the Deployment "web", waits until its pods exist, and returns their hash.
func deploy(t *testing.T, namespace string, replicas int32, pod corev1.PodSpec) string {
	t.Helper()
	labels := map[string]string{"app": "web"}
	grace := int64(1)
	pod.TerminationGracePeriodSeconds = &grace
	_, err := the.Client.AppsV1().Deployments(namespace).Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: pod},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal("create a Deployment:", err)
	}
	hash := ""
	eventually(t, "the Deployment has pods", patience, func(ctx context.Context) error {
		pods := podsIn(t, namespace, "app=web")
		if len(pods) < int(replicas) {
			return errors.New("there are not all of them")
		}
		hash = pods[0].Labels[deploymentLabel]
		return nil
	})
	return hash
}

// available waits until all pods of the Deployment are available.
func available(t *testing.T, namespace string) {
	t.Helper()
	kubectl(t, "", "--namespace", namespace, "rollout", "status", "deployment/web", "--timeout="+patience.String())
}

func podsIn(t *testing.T, namespace, selector string) []corev1.Pod {
	t.Helper()
	pods, err := the.Client.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		t.Fatal(err)
	}
	return pods.Items
}

// anyContainer waits until a container of any pod is in a state.
func anyContainer(t *testing.T, namespace, what string, reached func(corev1.ContainerStatus) bool) {
	t.Helper()
	eventually(t, what, 4*time.Minute, func(context.Context) error {
		for _, pod := range podsIn(t, namespace, "") {
			if slices.ContainsFunc(slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses), reached) {
				return nil
			}
		}
		return errors.New("there is none")
	})
}

// restarted waits until this container of any pod has been restarted this many times.
func restarted(t *testing.T, namespace, container string, times int32) {
	t.Helper()
	anyContainer(t, namespace, fmt.Sprintf("container %s has restarted %d times", container, times), func(s corev1.ContainerStatus) bool {
		return s.Name == container && s.RestartCount >= times
	})
}
