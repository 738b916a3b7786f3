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

// container is one that runs the crasher, for ever unless an option says else.
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

// ends lets the container end after a time with this exit code.
func ends(after, code string) option {
	return func(c *corev1.Container) {
		env("AFTER", after)(c)
		env("CODE", code)(c)
	}
}

// sidecar makes an init container one that runs along.
func sidecar(c *corev1.Container) {
	always := corev1.ContainerRestartPolicyAlways
	c.RestartPolicy = &always
}

func memoryLimit(size string) option {
	return func(c *corev1.Container) {
		c.Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(size)}
	}
}

// failingLiveness makes the kubelet kill the container again and again.
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

// deploy makes a Deployment of these containers and returns the hash of its
// pods, as soon as one exists.
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

// available waits until all pods of the namespace's Deployment are.
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

// waiting makes a wait for a container that cannot start for this reason.
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
