package kube

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
)

// Keys of labels and annotations. Argo Rollouts defines its keys in its packages pkg/apis/rollouts/v1alpha1 and
// utils/annotations.
const (
	deploymentHashLabel = appsv1.DefaultDeploymentUniqueLabelKey
	revisionHashLabel   = appsv1.ControllerRevisionHashLabelKey
	rolloutHashLabel    = "rollouts-pod-template-hash"

	workloadGenerationAnnotation = "rollout.argoproj.io/workload-generation"
)

// Version is a version of a workload, or says why there is none. Its texts may contain text from the cluster, unescaped.
type Version struct {
	Name     string          // value of the label that its pods have in common, such as "7f5b9c6d48"; empty: not known yet
	Selector labels.Selector // of its pods; nil: not known yet
	Pending  string          // why it is not known yet, such as "deployment shop is paused"
	Aborted  string          // why it will never be known, such as "rollout shop was aborted"
	Source   string          // how it was found, such as "ReplicaSet shop-7f5b9c6d48"
}

func pending(format string, args ...any) Version {
	return Version{Pending: fmt.Sprintf(format, args...)}
}

// workloadObject has the fields of a Deployment, StatefulSet, DaemonSet or Rollout that determine its version. The four
// kinds have these fields in common, except where a comment says otherwise. Argo Rollouts' own types would require its whole
// module.
type workloadObject struct {
	metav1.TypeMeta
	metav1.ObjectMeta `json:"metadata"`

	Spec struct {
		Replicas    *int32                 `json:"replicas"` // a DaemonSet has none
		Paused      bool                   `json:"paused"`   // Deployment, Rollout
		Selector    *metav1.LabelSelector  `json:"selector"` // may be absent in a Rollout with workloadRef
		Template    corev1.PodTemplateSpec `json:"template"` // as before
		WorkloadRef *struct{}              `json:"workloadRef"`
	} `json:"spec"`

	Status struct {
		ObservedGeneration generation `json:"observedGeneration"`

		UpdateRevision string `json:"updateRevision"` // StatefulSet

		// Rollout
		WorkloadObservedGeneration generation         `json:"workloadObservedGeneration"`
		CurrentPodHash             string             `json:"currentPodHash"`
		Selector                   string             `json:"selector"`
		Abort                      bool               `json:"abort"`
		Message                    string             `json:"message"`
		Conditions                 []metav1.Condition `json:"conditions"`
	} `json:"status"`
}

// String returns the name of the workload for messages, such as "deployment shop".
func (o *workloadObject) String() string { return strings.ToLower(o.Kind) + " " + o.Name }

// generation is a number, which is a string in a Rollout. Any other text is 0: no generation has been observed.
type generation int64

func (g *generation) UnmarshalJSON(text []byte) error {
	number, _ := strconv.ParseInt(strings.Trim(string(text), `"`), 10, 64)
	*g = generation(number)
	return nil
}

// notCurrent says why the workload's status does not describe its current spec. It returns an empty string if it does.
func (o *workloadObject) notCurrent() string {
	const format = "the controller of %s has not observed generation %v%s yet (last observed: %d)"
	if o.DeletionTimestamp != nil {
		return fmt.Sprintf("%s is being deleted", o)
	}
	if observed := o.Status.ObservedGeneration; int64(observed) < o.Generation {
		return fmt.Sprintf(format, o, o.Generation, "", observed)
	}
	// Argo Rollouts compares for equality: a workload that is created again starts at generation 1.
	referenced, annotated := o.Annotations[workloadGenerationAnnotation]
	if observed := o.Status.WorkloadObservedGeneration; o.Spec.WorkloadRef != nil && annotated && strconv.FormatInt(int64(observed), 10) != referenced {
		return fmt.Sprintf(format, o, referenced, " of the workload that it refers to", observed)
	}
	return ""
}

// deploymentVersion returns the version of a Deployment, given the ReplicaSets that its selector matches. The rule is that of
// its controller: FindNewReplicaSet in k8s.io/kubernetes/pkg/controller/deployment/util.
func deploymentVersion(deployment *workloadObject, sets []appsv1.ReplicaSet) Version {
	var current *appsv1.ReplicaSet
	for i := range sets {
		set := &sets[i]
		if metav1.IsControlledBy(set, deployment) && equalTemplates(&set.Spec.Template, &deployment.Spec.Template) &&
			(current == nil || createdBefore(set, current)) {
			current = set
		}
	}
	switch {
	case current == nil && deployment.Spec.Paused:
		return pending("%s is paused: no ReplicaSet has its pod template", deployment)
	case current == nil:
		return pending("%s has no ReplicaSet with its pod template yet", deployment)
	case current.Labels[deploymentHashLabel] == "":
		return pending("ReplicaSet %s has no label %s yet", current.Name, deploymentHashLabel)
	}
	return Version{
		Name:   current.Labels[deploymentHashLabel],
		Source: fmt.Sprintf("ReplicaSet %s, whose pod template equals that of %s", current.Name, deployment),
	}
}

// equalTemplates compares pod templates without the label that the Deployment controller adds: EqualIgnoreHash in the same package.
func equalTemplates(a, b *corev1.PodTemplateSpec) bool {
	withoutHash := func(template corev1.PodTemplateSpec) corev1.PodTemplateSpec {
		template.Labels = maps.Clone(template.Labels)
		delete(template.Labels, deploymentHashLabel)
		return template
	}
	return equality.Semantic.DeepEqual(withoutHash(*a), withoutHash(*b))
}

// createdBefore is the order of ReplicaSetsByCreationTimestamp in k8s.io/kubernetes/pkg/controller.
func createdBefore(a, b *appsv1.ReplicaSet) bool {
	if a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.Name < b.Name
	}
	return a.CreationTimestamp.Before(&b.CreationTimestamp)
}

func statefulSetVersion(set *workloadObject) Version {
	if set.Status.UpdateRevision == "" {
		return pending("%s has no status.updateRevision yet", set)
	}
	return Version{Name: set.Status.UpdateRevision, Source: "status.updateRevision of " + set.String()}
}

// daemonSetVersion returns the version of a DaemonSet, given the ControllerRevisions that its selector matches. Its controller
// gives the current one the highest revision: constructHistory in k8s.io/kubernetes/pkg/controller/daemon.
func daemonSetVersion(set *workloadObject, revisions []appsv1.ControllerRevision) Version {
	var current *appsv1.ControllerRevision
	for i := range revisions {
		revision := &revisions[i]
		if metav1.IsControlledBy(revision, set) && (current == nil || revision.Revision > current.Revision) {
			current = revision
		}
	}
	switch {
	case current == nil:
		return pending("%s has no ControllerRevision yet", set)
	case current.Labels[revisionHashLabel] == "":
		return pending("ControllerRevision %s has no label %s yet", current.Name, revisionHashLabel)
	}
	return Version{
		Name:   current.Labels[revisionHashLabel],
		Source: fmt.Sprintf("ControllerRevision %s, whose revision %d is the highest of %s", current.Name, current.Revision, set),
	}
}

// rolloutVersion returns the version of a Rollout. For an invalid spec, Argo Rollouts updates status.observedGeneration and the
// condition only (createInvalidRolloutCondition in its rollout/controller.go).
func rolloutVersion(rollout *workloadObject) Version {
	for _, condition := range rollout.Status.Conditions {
		if condition.Type == "InvalidSpec" && condition.Status == metav1.ConditionTrue {
			return pending("the spec of %s is invalid: %s", rollout, condition.Message)
		}
	}
	switch {
	case rollout.Status.Abort:
		return Version{Aborted: strings.TrimSuffix(fmt.Sprintf("%s was aborted: %s", rollout, rollout.Status.Message), ": ")}
	case rollout.Status.CurrentPodHash == "":
		return pending("%s has no status.currentPodHash yet", rollout)
	}
	return Version{Name: rollout.Status.CurrentPodHash, Source: "status.currentPodHash of " + rollout.String()}
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

// versionSelector returns the selector of a version's pods: those whose label has this value, and which match the workload's own
// selector and extra (nil: none) too.
func versionSelector(own, extra labels.Selector, label, value string) (labels.Selector, error) {
	version, err := labels.NewRequirement(label, selection.Equals, []string{value})
	if err != nil {
		return nil, err
	}
	selector := own.Add(*version)
	if extra != nil {
		requirements, _ := extra.Requirements()
		selector = selector.Add(requirements...)
	}
	return selector, nil
}

// gone says why a workload is not the one that was found before, or that it no longer runs pods. Otherwise it returns an
// empty string.
func gone(then, now *workloadObject) string {
	switch {
	case now.UID != then.UID:
		return fmt.Sprintf("%s was deleted and created again", now)
	case now.DeletionTimestamp != nil:
		return fmt.Sprintf("%s is being deleted", now)
	case now.Spec.Replicas != nil && *now.Spec.Replicas == 0:
		return fmt.Sprintf("%s was scaled to 0", now)
	}
	return ""
}
