package checker

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// The types in this file are the part of k8s.io/api/core/v1 that decides what is a crash: the same names, the same JSON,
// a hundredth of the fields. That package would add 3 MB to a program that only imports it, since it registers all of
// its types as it is initialized. Package typed makes these of the typed client's pods.

// PodList is a page of pods.
type PodList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []Pod `json:"items"`
}

// Pod is what is read of a pod.
type Pod struct {
	PodMeta `json:"metadata"`
	Spec    PodSpec   `json:"spec"`
	Status  PodStatus `json:"status"`
}

// PodMeta is what is read of a pod's metadata.
type PodMeta struct {
	Name              string       `json:"name"`
	Namespace         string       `json:"namespace"`
	UID               types.UID    `json:"uid"`
	DeletionTimestamp *metav1.Time `json:"deletionTimestamp"` // set: the pod is being deleted
}

// PodSpec is what is read of a pod's specification.
type PodSpec struct {
	RestartPolicy  RestartPolicy `json:"restartPolicy"`
	Containers     []Container   `json:"containers"`
	InitContainers []Container   `json:"initContainers"`
}

// RestartPolicy says after which ends the kubelet restarts a container.
type RestartPolicy string

const (
	RestartAlways    RestartPolicy = "Always"
	RestartOnFailure RestartPolicy = "OnFailure"
)

// Container is what is read of a container's specification.
type Container struct {
	Name          string        `json:"name"`
	RestartPolicy RestartPolicy `json:"restartPolicy"` // empty: that of its surroundings
}

// PodPhase is the summary of a pod's life.
type PodPhase string

const (
	PodSucceeded PodPhase = "Succeeded"
	PodFailed    PodPhase = "Failed"
)

// PodStatus is what is read of a pod's status.
type PodStatus struct {
	Phase                 PodPhase          `json:"phase"`
	Conditions            []PodCondition    `json:"conditions"`
	InitContainerStatuses []ContainerStatus `json:"initContainerStatuses"`
	ContainerStatuses     []ContainerStatus `json:"containerStatuses"`
}

const (
	podReady      = "Ready"
	podScheduled  = "PodScheduled"
	unschedulable = "Unschedulable" // a reason of PodScheduled being False

	conditionTrue  = "True"
	conditionFalse = "False"
)

// PodCondition is what is read of a condition. Only the types Ready and PodScheduled are looked at.
type PodCondition struct {
	Type    string `json:"type"`
	Status  string `json:"status"` // True, False or Unknown
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// ContainerStatus is what is read of a container's status.
type ContainerStatus struct {
	Name                 string         `json:"name"`
	State                ContainerState `json:"state"`
	LastTerminationState ContainerState `json:"lastState"`
	RestartCount         int32          `json:"restartCount"`
	ContainerID          string         `json:"containerID"` // empty: unknown
}

// ContainerState is what a container does: one of the fields is set. None: it waits.
type ContainerState struct {
	Waiting    *ContainerStateWaiting    `json:"waiting"`
	Running    *ContainerStateRunning    `json:"running"`
	Terminated *ContainerStateTerminated `json:"terminated"`
}

// ContainerStateWaiting says why a container does not run yet, or not again.
type ContainerStateWaiting struct {
	Reason  string `json:"reason"` // such as CrashLoopBackOff or ImagePullBackOff
	Message string `json:"message"`
}

// ContainerStateRunning says that a container runs.
type ContainerStateRunning struct{}

// ContainerStateTerminated says how a container ended.
type ContainerStateTerminated struct {
	ExitCode    int32       `json:"exitCode"`
	Signal      int32       `json:"signal"` // 0: unknown
	Reason      string      `json:"reason"` // such as Error or OOMKilled
	Message     string      `json:"message"`
	FinishedAt  metav1.Time `json:"finishedAt"`
	ContainerID string      `json:"containerID"` // empty: unknown
}
