package e2e

import (
	"context"
	"errors"
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crashcheck/crashcheck/test/e2e/cluster"
)

// An option changes a container of a workload.
type option func(*corev1.Container)

// container returns a container that runs the crasher, without end unless an option changes that.
func container(name string, options ...option) corev1.Container {
	c := corev1.Container{Name: name, Image: cluster.CrasherImage, ImagePullPolicy: corev1.PullNever}
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

// twice lets a container that exits do so only twice in the life of its pod, which has the volume "data".
func twice(c *corev1.Container) {
	env("TIMES", "2")(c)
	env("STATE", dataPath+"/exits")(c)
	withData(c)
}

const dataPath = "/data"

// withData mounts the volume "data".
func withData(c *corev1.Container) {
	c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: "data", MountPath: dataPath})
}

// emptyDir is the volume "data", with a limit or without.
func emptyDir(limit string) corev1.Volume {
	source := &corev1.EmptyDirVolumeSource{}
	if limit != "" {
		size := resource.MustParse(limit)
		source.SizeLimit = &size
	}
	return corev1.Volume{Name: "data", VolumeSource: corev1.VolumeSource{EmptyDir: source}}
}

// overVolumeLimit is a pod that fills a volume above its limit. The kubelet evicts it.
func overVolumeLimit(options ...option) corev1.PodSpec {
	pod := mains(container("fill", append(options, env("FILL", dataPath+"/fill"), withData)...))
	pod.Volumes = []corev1.Volume{emptyDir("1Mi")}
	return pod
}

// overStorageLimit is a pod with a container that writes more to its filesystem than it may. The kubelet evicts it.
func overStorageLimit(options ...option) corev1.PodSpec {
	asRoot := func(c *corev1.Container) {
		root := int64(0)
		c.SecurityContext = &corev1.SecurityContext{RunAsUser: &root} // the directory is root's
	}
	return mains(container("fill", append(options, env("FILL", "/fill"), asRoot, storageLimit("8Mi"))...))
}

// deaf lets a container ignore SIGTERM, so that it is killed (exit code 137). A pod whose containers all exit with 0 when the
// kubelet evicts it is mostly Succeeded, without a reason, and not Failed: the stream evicted-exit-zero shows that.
func deaf(c *corev1.Container) { env("DEAF", "1")(c) }

func storageLimit(size string) option {
	return func(c *corev1.Container) {
		c.Resources.Limits = corev1.ResourceList{corev1.ResourceEphemeralStorage: resource.MustParse(size)}
	}
}

// sidecar makes an init container a native sidecar.
func sidecar(c *corev1.Container) {
	always := corev1.ContainerRestartPolicyAlways
	c.RestartPolicy = &always
}

func memoryLimit(size string) option {
	return func(c *corev1.Container) {
		c.Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(size)}
	}
}

// failingLiveness lets the kubelet kill the container again and again.
func failingLiveness(c *corev1.Container) {
	c.LivenessProbe = probe("fail")
	c.LivenessProbe.InitialDelaySeconds = 1
	c.LivenessProbe.FailureThreshold = 1
}

func probe(name string) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:  corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"/crasher", name}}},
		PeriodSeconds: 1,
	}
}

// ready and neverReady are readiness probes.
func ready(c *corev1.Container)      { c.ReadinessProbe = probe("ok") }
func neverReady(c *corev1.Container) { c.ReadinessProbe = probe("fail") }

// deploy creates a Deployment, waits until its pods exist, and returns their hash.
func deploy(t *testing.T, namespace string, replicas int32, pod corev1.PodSpec) string {
	t.Helper()
	labels := map[string]string{"app": "web"}
	grace := int64(1)
	pod.TerminationGracePeriodSeconds = &grace
	_, err := the.client.AppsV1().Deployments(namespace).Create(t.Context(), &appsv1.Deployment{
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
		pods, err := the.client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=web"})
		if err != nil {
			return err
		}
		if len(pods.Items) < int(replicas) {
			return errors.New("there are not all of them")
		}
		hash = pods.Items[0].Labels[deploymentLabel]
		return nil
	})
	return hash
}

// available waits until all pods of the Deployment are available.
func available(t *testing.T, namespace string) {
	t.Helper()
	eventually(t, "the Deployment is available", patience, func(ctx context.Context) error {
		web, err := the.client.AppsV1().Deployments(namespace).Get(ctx, "web", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if web.Status.AvailableReplicas != *web.Spec.Replicas {
			return fmt.Errorf("%d pods of %d are available", web.Status.AvailableReplicas, *web.Spec.Replicas)
		}
		return nil
	})
}

// crashed returns a function that waits until a container has been restarted this many times.
func crashed(name string, times int32) func(*testing.T, string) {
	return func(t *testing.T, namespace string) { restarted(t, namespace, name, times) }
}

// waiting returns a function that waits until a container cannot start for this reason.
func waiting(reason string) func(*testing.T, string) {
	return func(t *testing.T, namespace string) {
		t.Helper()
		eventually(t, "a container is waiting with "+reason, patience, func(ctx context.Context) error {
			pods, err := the.client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=web"})
			if err != nil {
				return err
			}
			for _, pod := range pods.Items {
				for _, status := range pod.Status.ContainerStatuses {
					if status.State.Waiting != nil && status.State.Waiting.Reason == reason {
						return nil
					}
				}
			}
			return errors.New("there is none")
		})
	}
}
