// Package typed lets a checker read through client-go's typed client, or its fake: Go programs and tests have one, while
// the command does without, for the sake of its size.
package typed

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crashcheck/crashcheck/pkg/checker"
)

// PodInterface is the part of the typed client's CoreV1().Pods(namespace) that a checker needs.
type PodInterface interface {
	List(ctx context.Context, opts metav1.ListOptions) (*corev1.PodList, error)
}

// Pods returns a lister of these pods. A typed client asks again by itself where the server sends Retry-After, and follows
// redirects; see package kube for one that does not.
func Pods(pods PodInterface) checker.PodLister { return lister{pods} }

type lister struct{ pods PodInterface }

func (l lister) List(ctx context.Context, opts metav1.ListOptions) (*checker.PodList, error) {
	list, err := l.pods.List(ctx, opts)
	if err != nil {
		return nil, err
	}
	return PodList(list), nil
}

// PodList returns what a checker reads of a list. Of a nil list that is nil.
func PodList(list *corev1.PodList) *checker.PodList {
	if list == nil {
		return nil
	}
	return &checker.PodList{
		TypeMeta: list.TypeMeta,
		ListMeta: list.ListMeta,
		Items:    each(list.Items, pod),
	}
}

// Pod returns what a checker, and its ledger, read of a pod.
func Pod(p *corev1.Pod) *checker.Pod {
	kept := pod(p)
	return &kept
}

func pod(pod *corev1.Pod) checker.Pod {
	return checker.Pod{
		PodMeta: checker.PodMeta{
			Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID, DeletionTimestamp: pod.DeletionTimestamp,
		},
		Spec: checker.PodSpec{
			RestartPolicy:  checker.RestartPolicy(pod.Spec.RestartPolicy),
			Containers:     each(pod.Spec.Containers, container),
			InitContainers: each(pod.Spec.InitContainers, container),
		},
		Status: checker.PodStatus{
			Phase:                 checker.PodPhase(pod.Status.Phase),
			Conditions:            each(pod.Status.Conditions, condition),
			InitContainerStatuses: each(pod.Status.InitContainerStatuses, containerStatus),
			ContainerStatuses:     each(pod.Status.ContainerStatuses, containerStatus),
		},
	}
}

func container(c *corev1.Container) checker.Container {
	kept := checker.Container{Name: c.Name}
	if c.RestartPolicy != nil {
		kept.RestartPolicy = checker.RestartPolicy(*c.RestartPolicy)
	}
	return kept
}

func condition(c *corev1.PodCondition) checker.PodCondition {
	return checker.PodCondition{Type: string(c.Type), Status: string(c.Status), Reason: c.Reason, Message: c.Message}
}

func containerStatus(s *corev1.ContainerStatus) checker.ContainerStatus {
	return checker.ContainerStatus{
		Name:                 s.Name,
		State:                state(s.State),
		LastTerminationState: state(s.LastTerminationState),
		RestartCount:         s.RestartCount,
		ContainerID:          s.ContainerID,
	}
}

func state(s corev1.ContainerState) checker.ContainerState {
	var kept checker.ContainerState
	if s.Waiting != nil {
		kept.Waiting = &checker.ContainerStateWaiting{Reason: s.Waiting.Reason, Message: s.Waiting.Message}
	}
	if s.Running != nil {
		kept.Running = &checker.ContainerStateRunning{}
	}
	if end := s.Terminated; end != nil {
		kept.Terminated = &checker.ContainerStateTerminated{
			ExitCode: end.ExitCode, Signal: end.Signal, Reason: end.Reason, Message: end.Message,
			FinishedAt: end.FinishedAt, ContainerID: end.ContainerID,
		}
	}
	return kept
}

// each returns what is kept of each of these. Of nil that is nil.
func each[From, To any](all []From, kept func(*From) To) []To {
	if all == nil {
		return nil
	}
	result := make([]To, len(all))
	for i := range all {
		result[i] = kept(&all[i])
	}
	return result
}
