package world

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// newPod is a pod as the ReplicaSet of an ordinary web application makes it:
// the application and a proxy, each with environment, probes and resources.
// With what the API server adds (defaults, the token's volume, managedFields)
// and a status it takes about 7 kB in JSON.
func newPod(set ReplicaSet, i int) *corev1.Pod {
	yes := true
	labels := map[string]string{
		HashLabel: set.Hash, "app.kubernetes.io/name": "checkout", "app.kubernetes.io/version": "2.31.0",
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: set.Name(i), Namespace: set.Namespace, GenerateName: "checkout-" + set.Hash + "-",
			Labels: labels,
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "checkout-" + set.Hash, UID: "6c9b2f0e-5d1c-4a7e-9d43-0c8f5b3a7e21",
				Controller: &yes, BlockOwnerDeletion: &yes,
			}},
		},
		Spec: corev1.PodSpec{
			// A node that does not exist: no kubelet changes what is measured.
			NodeName:   "node-17",
			Containers: []corev1.Container{application(), proxy()},
			Volumes: []corev1.Volume{
				{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "checkout-config"}}}},
			},
		},
	}
}

func application() corev1.Container {
	return corev1.Container{
		Name: "app", Image: "registry.example.com/shop/checkout:2.31.0", ImagePullPolicy: corev1.PullIfNotPresent,
		Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}},
		Env: []corev1.EnvVar{
			{Name: "POD_NAME", ValueFrom: field("metadata.name")},
			{Name: "LOG_LEVEL", Value: "info"},
			{Name: "DATABASE_URL", Value: "postgres://checkout@db.shop.svc.cluster.local:5432/checkout?sslmode=require"},
			{Name: "DATABASE_PASSWORD", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
				LocalObjectReference: corev1.LocalObjectReference{Name: "checkout-db"}, Key: "password"}}},
		},
		Resources:      resources("250m", "256Mi", "512Mi"),
		VolumeMounts:   []corev1.VolumeMount{{Name: "config", MountPath: "/etc/checkout", ReadOnly: true}},
		LivenessProbe:  probe("/healthz/live", "http"),
		ReadinessProbe: probe("/healthz/ready", "http"),
	}
}

func proxy() corev1.Container {
	return corev1.Container{
		Name: "proxy", Image: "registry.example.com/mesh/proxy:1.29.3", ImagePullPolicy: corev1.PullIfNotPresent,
		Env: []corev1.EnvVar{
			{Name: "POD_NAMESPACE", ValueFrom: field("metadata.namespace")},
		},
		Resources: resources("50m", "64Mi", "128Mi"),
	}
}

func field(path string) *corev1.EnvVarSource {
	return &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: path}}
}

func resources(cpu, memory, limit string) corev1.ResourceRequirements {
	return corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory)},
		Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(limit)},
	}
}

func probe(path, port string) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromString(port)}},
		PeriodSeconds: 10, TimeoutSeconds: 2, FailureThreshold: 3,
	}
}
