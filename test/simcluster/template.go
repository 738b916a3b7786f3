package simcluster

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
)

const (
	gracePeriod = 30 * time.Second

	tokenVolume = "kube-api-access-x84hm"
	tokenPath   = "/var/run/secrets/kubernetes.io/serviceaccount"
)

// podSpec is a pod template of a size that is usual in production, with the defaults that an API server sets. The specs of
// the pods are most of the bytes of a list.
func podSpec(app string, lives lives) corev1.PodSpec {
	spec := corev1.PodSpec{
		Volumes: []corev1.Volume{
			{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
				LocalObjectReference: corev1.LocalObjectReference{Name: app + "-config"}, DefaultMode: new(int32(0o644)),
			}}},
			{Name: tokenVolume, VolumeSource: corev1.VolumeSource{Projected: serviceAccountToken()}},
		},
		Containers:                    []corev1.Container{container(AppContainer, app)},
		RestartPolicy:                 corev1.RestartPolicyAlways,
		TerminationGracePeriodSeconds: new(int64(gracePeriod / time.Second)),
		DNSPolicy:                     corev1.DNSClusterFirst,
		ServiceAccountName:            app,
		DeprecatedServiceAccount:      app,
		SecurityContext:               &corev1.PodSecurityContext{RunAsNonRoot: new(true), FSGroup: new(int64(65532))},
		SchedulerName:                 corev1.DefaultSchedulerName,
		Tolerations:                   []corev1.Toleration{tolerateForAWhile(corev1.TaintNodeNotReady), tolerateForAWhile(corev1.TaintNodeUnreachable)},
		Priority:                      new(int32(0)),
		EnableServiceLinks:            new(true),
		PreemptionPolicy:              new(corev1.PreemptLowerPriority),
	}
	if lives.init != nil {
		migrate := container(InitContainer, app)
		migrate.ReadinessProbe, migrate.LivenessProbe, migrate.Ports = nil, nil, nil
		spec.InitContainers = append(spec.InitContainers, migrate)
	}
	if lives.sidecar != nil {
		proxy := container(SidecarContainer, app)
		proxy.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
		spec.InitContainers = append(spec.InitContainers, proxy)
	}
	return spec
}

func container(name, app string) corev1.Container {
	return corev1.Container{
		Name:  name,
		Image: image(name),
		Args:  []string{"--config=/etc/app/config.yaml", "--listen=:8080", "--shutdown-delay=5s"},
		Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080, Protocol: corev1.ProtocolTCP}},
		Env: []corev1.EnvVar{
			{Name: "APP", Value: app},
			{Name: "LOG_LEVEL", Value: "info"},
			{Name: "DATABASE_HOST", Value: app + "-database.data.svc.cluster.local"},
			{Name: "DATABASE_PASSWORD", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
				LocalObjectReference: corev1.LocalObjectReference{Name: app + "-database"}, Key: "password",
			}}},
			{Name: "POD_NAME", ValueFrom: fieldRef("metadata.name")},
			{Name: "POD_NAMESPACE", ValueFrom: fieldRef("metadata.namespace")},
		},
		Resources:      corev1.ResourceRequirements{Limits: limits(), Requests: requests()},
		LivenessProbe:  httpProbe("/healthz"),
		ReadinessProbe: httpProbe("/readyz"),
		VolumeMounts: []corev1.VolumeMount{
			{Name: "config", ReadOnly: true, MountPath: "/etc/app"},
			{Name: tokenVolume, ReadOnly: true, MountPath: tokenPath},
		},
		TerminationMessagePath:   corev1.TerminationMessagePathDefault,
		TerminationMessagePolicy: corev1.TerminationMessageReadFile,
		ImagePullPolicy:          corev1.PullIfNotPresent,
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true),
			Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
	}
}

func image(container string) string { return "registry.example/" + container + ":1" }

func limits() corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("256Mi")}
}

func requests() corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("128Mi")}
}

func fieldRef(path string) *corev1.EnvVarSource {
	return &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: path}}
}

func httpProbe(path string) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:   corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromString("http"), Scheme: corev1.URISchemeHTTP}},
		TimeoutSeconds: 1, PeriodSeconds: 10, SuccessThreshold: 1, FailureThreshold: 3,
	}
}

func tolerateForAWhile(taint string) corev1.Toleration {
	return corev1.Toleration{Key: taint, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: new(int64(300))}
}

func serviceAccountToken() *corev1.ProjectedVolumeSource {
	return &corev1.ProjectedVolumeSource{
		Sources: []corev1.VolumeProjection{
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{ExpirationSeconds: new(int64(3607)), Path: "token"}},
			{ConfigMap: &corev1.ConfigMapProjection{
				LocalObjectReference: corev1.LocalObjectReference{Name: "kube-root-ca.crt"},
				Items:                []corev1.KeyToPath{{Key: "ca.crt", Path: "ca.crt"}},
			}},
			{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{
				{Path: "namespace", FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.namespace"}},
			}}},
		},
		DefaultMode: new(int32(0o644)),
	}
}

func statusMounts() []corev1.VolumeMountStatus {
	never := corev1.RecursiveReadOnlyDisabled
	return []corev1.VolumeMountStatus{
		{Name: "config", MountPath: "/etc/app", ReadOnly: true, RecursiveReadOnly: &never},
		{Name: tokenVolume, MountPath: tokenPath, ReadOnly: true, RecursiveReadOnly: &never},
	}
}
