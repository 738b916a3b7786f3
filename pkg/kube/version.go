package kube

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Version is a version of a workload, or says why there is none. Its texts may contain text from the cluster, unescaped.
type Version struct {
	Name     string          // value of the label that its pods have in common, such as "7f5b9c6d48"; empty: not known yet
	Selector labels.Selector // of its pods; nil: not known yet
	Pending  string          // why it is not known yet, such as "deployment shop is paused"
	Aborted  string          // why it will never be known, such as "rollout shop was aborted"
	Source   string          // how it was found, such as "status.updateRevision of statefulset shop"
}

func pending(format string, args ...any) Version {
	return Version{Pending: fmt.Sprintf(format, args...)}
}

// workloadKind is what differs between the kinds of workloads.
type workloadKind struct {
	resource schema.GroupVersionResource
	kind     string
	label    string // of the pods of a version
	named    string // what names the version

	// version returns the version of a workload whose status is about its current spec. Its name is empty while the
	// workload has none.
	version func(w *Workload, ctx context.Context, object *workloadObject, selector labels.Selector) (Version, error)
	// byTemplate means that a new pod template is a new version, also before the controller has observed it.
	byTemplate bool
	// settles is how long the status has to stay the same.
	settles time.Duration
}

// The label and the annotation of Argo Rollouts. It defines them in its packages pkg/apis/rollouts/v1alpha1 and
// utils/annotations.
const (
	rolloutHashLabel             = "rollouts-pod-template-hash"
	workloadGenerationAnnotation = "rollout.argoproj.io/workload-generation"
)

var workloadKinds = map[string]workloadKind{
	"deployment": {
		resource:   appsv1.SchemeGroupVersion.WithResource("deployments"),
		kind:       "Deployment",
		label:      appsv1.DefaultDeploymentUniqueLabelKey,
		named:      "ReplicaSet with its pod template",
		version:    (*Workload).deploymentVersion,
		byTemplate: true,
	},
	"statefulset": {
		resource: appsv1.SchemeGroupVersion.WithResource("statefulsets"),
		kind:     "StatefulSet",
		label:    appsv1.ControllerRevisionHashLabelKey,
		named:    "status.updateRevision",
		version:  (*Workload).statefulSetVersion,
	},
	"daemonset": {
		resource:   appsv1.SchemeGroupVersion.WithResource("daemonsets"),
		kind:       "DaemonSet",
		label:      appsv1.ControllerRevisionHashLabelKey,
		named:      "ControllerRevision",
		version:    (*Workload).daemonSetVersion,
		byTemplate: true,
	},
	"rollout": {
		resource: schema.GroupVersionResource{Group: "argoproj.io", Version: "v1alpha1", Resource: "rollouts"},
		kind:     "Rollout",
		label:    rolloutHashLabel,
		named:    "status.currentPodHash",
		version:  (*Workload).rolloutVersion,
		// With a new pod template and another number of replicas, and after an abort, Argo Rollouts updates
		// status.observedGeneration before status.currentPodHash and status.abort (syncReplicasOnly and patchCondition in its
		// rollout/sync.go), and nothing else says that these are still the old ones. On a busy control plane, half a second
		// was measured.
		settles: 2 * time.Second,
	},
}

// workloadObject has the fields of a Deployment, StatefulSet, DaemonSet or Rollout that determine its version. The four
// kinds have these fields in common, except where a comment says otherwise. Argo Rollouts' own types would require its whole
// module.
type workloadObject struct {
	metav1.ObjectMeta `json:"metadata"`

	Spec struct {
		Replicas    *int32                 `json:"replicas"` // a DaemonSet has none
		Paused      bool                   `json:"paused"`   // Deployment, Rollout
		Selector    *metav1.LabelSelector  `json:"selector"` // may be absent in a Rollout with workloadRef
		Template    corev1.PodTemplateSpec `json:"template"` // as before
		WorkloadRef *struct{}              `json:"workloadRef"`
	} `json:"spec"`

	Status struct {
		ObservedGeneration intstr.IntOrString `json:"observedGeneration"` // a string in a Rollout

		UpdateRevision string `json:"updateRevision"` // StatefulSet

		// Rollout
		WorkloadObservedGeneration intstr.IntOrString `json:"workloadObservedGeneration"`
		CurrentPodHash             string             `json:"currentPodHash"`
		Selector                   string             `json:"selector"`
		Abort                      bool               `json:"abort"`
		Message                    string             `json:"message"`
		Conditions                 []metav1.Condition `json:"conditions"`
	} `json:"status"`
}

// podSelector returns the workload's own label selector, or nil if it is not known yet.
func (o *workloadObject) podSelector() (labels.Selector, error) {
	switch {
	case o.Spec.Selector != nil:
		return metav1.LabelSelectorAsSelector(o.Spec.Selector)
	case o.Status.Selector == "":
		return nil, nil
	}
	requirements, err := labels.ParseToRequirements(o.Status.Selector)
	// In a blue-green Rollout, it is the selector of the active version.
	isHash := func(r labels.Requirement) bool { return r.Key() == rolloutHashLabel }
	return labels.NewSelector().Add(slices.DeleteFunc(requirements, isHash)...), err
}

// title returns the name of the workload for messages, such as "deployment shop".
func (w *Workload) title() string { return w.kind + " " + w.name }

// versionOf returns the current version of a workload that was read.
func (w *Workload) versionOf(ctx context.Context, object *workloadObject) (Version, error) {
	if reason := w.notCurrent(object); reason != "" {
		return Version{Pending: reason}, nil
	}
	selector, err := object.podSelector()
	switch {
	case err != nil:
		return Version{}, fmt.Errorf("invalid selector of %s: %w", w.title(), err)
	case selector == nil:
		return pending("%s has no label selector yet", w.title()), nil
	}
	version, err := w.rules.version(w, ctx, object, selector)
	switch {
	case err != nil || version.Pending != "" || version.Aborted != "":
		return version, err
	case version.Name == "":
		return pending("%s has no %s yet", w.title(), w.rules.named), nil
	}
	hash, err := labels.NewRequirement(w.rules.label, selection.Equals, []string{version.Name})
	if err != nil {
		return Version{}, fmt.Errorf("invalid version %q of %s: %w", version.Name, w.title(), err)
	}
	version.Selector = selector.Add(*hash).Add(w.extra...)
	return version, nil
}

// notCurrent says why the workload's status does not describe its current spec. It returns an empty string if it does.
func (w *Workload) notCurrent(object *workloadObject) string {
	const format = "the controller of %s has not observed generation %v%s yet (last observed: %s)"
	observed, ofReferenced := object.Status.ObservedGeneration, object.Status.WorkloadObservedGeneration
	referenced, annotated := object.Annotations[workloadGenerationAnnotation]
	switch {
	case object.DeletionTimestamp != nil:
		return w.title() + " is being deleted"
	case int64(observed.IntValue()) < object.Generation: // text that is not a number counts as 0
		return fmt.Sprintf(format, w.title(), object.Generation, "", observed.String())
	case object.Spec.WorkloadRef != nil && annotated && ofReferenced.String() != referenced:
		// Argo Rollouts compares for equality: a workload that is created again starts at generation 1.
		return fmt.Sprintf(format, w.title(), referenced, " of the workload that it refers to", ofReferenced.String())
	}
	return ""
}

// deploymentVersion finds the oldest ReplicaSet that has the Deployment's pod template. It is the rule of its controller:
// FindNewReplicaSet in k8s.io/kubernetes/pkg/controller/deployment/util.
func (w *Workload) deploymentVersion(ctx context.Context, object *workloadObject, selector labels.Selector) (Version, error) {
	var sets appsv1.ReplicaSetList
	if err := w.list(ctx, "replicasets", selector, "ReplicaSetList", &sets); err != nil {
		return Version{}, err
	}
	current := slices.DeleteFunc(sets.Items, func(set appsv1.ReplicaSet) bool {
		return !metav1.IsControlledBy(&set, object) || !equalTemplates(set.Spec.Template, object.Spec.Template)
	})
	switch {
	case len(current) == 0 && object.Spec.Paused:
		return pending("%s is paused: no ReplicaSet has its pod template", w.title()), nil
	case len(current) == 0:
		return Version{}, nil
	}
	oldest := slices.MinFunc(current, func(a, b appsv1.ReplicaSet) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	return Version{
		Name:   oldest.Labels[w.rules.label],
		Source: fmt.Sprintf("ReplicaSet %s, whose pod template equals that of %s", oldest.Name, w.title()),
	}, nil
}

// equalTemplates compares pod templates without the label that the Deployment controller adds: EqualIgnoreHash in the same package.
func equalTemplates(a, b corev1.PodTemplateSpec) bool {
	for _, template := range []*corev1.PodTemplateSpec{&a, &b} {
		template.Labels = maps.Clone(template.Labels)
		delete(template.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	}
	return equality.Semantic.DeepEqual(a, b)
}

func (w *Workload) statefulSetVersion(_ context.Context, object *workloadObject, _ labels.Selector) (Version, error) {
	return Version{Name: object.Status.UpdateRevision, Source: "status.updateRevision of " + w.title()}, nil
}

// daemonSetVersion finds the ControllerRevision with the highest revision, which the controller gives to the current one:
// constructHistory in k8s.io/kubernetes/pkg/controller/daemon.
func (w *Workload) daemonSetVersion(ctx context.Context, object *workloadObject, selector labels.Selector) (Version, error) {
	var revisions appsv1.ControllerRevisionList
	if err := w.list(ctx, "controllerrevisions", selector, "ControllerRevisionList", &revisions); err != nil {
		return Version{}, err
	}
	own := slices.DeleteFunc(revisions.Items, func(r appsv1.ControllerRevision) bool { return !metav1.IsControlledBy(&r, object) })
	if len(own) == 0 {
		return Version{}, nil
	}
	highest := slices.MaxFunc(own, func(a, b appsv1.ControllerRevision) int { return cmp.Compare(a.Revision, b.Revision) })
	return Version{
		Name:   highest.Labels[w.rules.label],
		Source: fmt.Sprintf("ControllerRevision %s, whose revision %d is the highest of %s", highest.Name, highest.Revision, w.title()),
	}, nil
}

// rolloutVersion returns the version in the status. For an invalid spec, Argo Rollouts updates status.observedGeneration and the
// condition only (createInvalidRolloutCondition in its rollout/controller.go).
func (w *Workload) rolloutVersion(_ context.Context, object *workloadObject, _ labels.Selector) (Version, error) {
	invalid := meta.FindStatusCondition(object.Status.Conditions, "InvalidSpec")
	switch {
	case invalid != nil && invalid.Status == metav1.ConditionTrue:
		return pending("the spec of %s is invalid: %s", w.title(), invalid.Message), nil
	case object.Status.Abort:
		return Version{Aborted: strings.TrimSuffix(w.title()+" was aborted: "+object.Status.Message, ": ")}, nil
	}
	return Version{Name: object.Status.CurrentPodHash, Source: "status.currentPodHash of " + w.title()}, nil
}
