package simcluster

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// setStatus fills in what scheduler and kubelet report for a pod of the given age.
func (r Release) setStatus(pod *corev1.Pod, born time.Time, age time.Duration) {
	pod.Status.Phase = corev1.PodPending
	switch {
	case age < schedulingTime:
		return
	case r.Unschedulable != "":
		pod.Status.Conditions = []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: r.Unschedulable,
		}}
		return
	}
	pod.Spec.NodeName = r.Node
	if r.reportContainers(pod, born, age) {
		pod.Status.Phase = corev1.PodRunning
	}
	ready := corev1.PodCondition{Status: corev1.ConditionTrue}
	if slices.ContainsFunc(statuses(pod), func(status corev1.ContainerStatus) bool { return !status.Ready }) {
		ready = corev1.PodCondition{Status: corev1.ConditionFalse, Reason: "ContainersNotReady"}
	}
	ready.Type = corev1.PodReady
	containersReady := ready
	containersReady.Type = corev1.ContainersReady
	pod.Status.Conditions = []corev1.PodCondition{ready, containersReady, {Type: corev1.PodScheduled, Status: corev1.ConditionTrue}}
}

func statuses(pod *corev1.Pod) []corev1.ContainerStatus {
	return slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses)
}

// reportContainers sets the container statuses and reports whether the pod's phase is Running: all init containers have
// completed, and the main container has started.
func (r Release) reportContainers(pod *corev1.Pod, born time.Time, age time.Duration) (started bool) {
	k := kubelet{pod, born, age}
	const initializing = "PodInitializing"
	birth, blocked, waiting := startupTime, false, "ContainerCreating"
	orBlocked := func(life Life) Life {
		if blocked {
			return Life{Waiting: initializing}
		}
		return life
	}
	if r.Init != nil {
		waiting = initializing
		pod.Status.InitContainerStatuses = append(pod.Status.InitContainerStatuses, k.report(InitContainer, *r.Init, birth, initWorkTime, waiting))
		blocked = r.Init.Waiting != "" || r.Init.CrashAfter > 0
		birth += initWorkTime + restartTime
	}
	if r.Sidecar != nil {
		waiting = initializing
		pod.Status.InitContainerStatuses = append(pod.Status.InitContainerStatuses, k.report(SidecarContainer, orBlocked(*r.Sidecar), birth, 0, waiting))
		blocked = blocked || r.Sidecar.Waiting != ""
		birth += restartTime
	}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{k.report(AppContainer, orBlocked(r.App), birth, 0, waiting)}
	return !blocked && age >= birth && r.App.Waiting == ""
}

// A kubelet reports on a pod that was created at born.
type kubelet struct {
	pod  *corev1.Pod
	born time.Time
	age  time.Duration
}

// report is the status of one container, which could first start at the pod's age birth. A run that does not crash ends
// after worksFor, or never if that is 0. Until the container can start, waiting is the reason.
func (k kubelet) report(name string, life Life, birth, worksFor time.Duration, waiting string) corev1.ContainerStatus {
	m := life.at(k.age-birth, worksFor)
	status := corev1.ContainerStatus{
		Name: name, Image: image(name), RestartCount: int32(m.run), Started: new(m.phase == running),
		Ready: m.phase == running && worksFor == 0 || m.phase == succeeded,
	}
	if m.phase == notStarted {
		status.State.Waiting = &corev1.ContainerStateWaiting{Reason: waiting}
		if life.Waiting != "" && k.age >= birth {
			status.State.Waiting = &corev1.ContainerStateWaiting{Reason: life.Waiting, Message: life.Message}
		}
		return status
	}

	containerID := func(run int) string {
		return "containerd://" + digest(string(k.pod.UID), name, strconv.Itoa(run))
	}
	crash := func(run int, start, end time.Duration) *corev1.ContainerStateTerminated {
		return &corev1.ContainerStateTerminated{
			ExitCode: life.ExitCode, Reason: life.reason(), Message: life.Message, ContainerID: containerID(run),
			StartedAt: inSeconds(k.born.Add(birth + start)), FinishedAt: inSeconds(k.born.Add(birth + end)),
		}
	}
	status.ContainerID = containerID(m.run)
	if m.run > 0 {
		status.LastTerminationState.Terminated = crash(m.run-1, m.lastStart, m.lastEnd)
	}
	switch m.phase {
	case running:
		status.State.Running = &corev1.ContainerStateRunning{StartedAt: inSeconds(k.born.Add(birth + m.runStart))}
	case terminated, succeeded:
		status.State.Terminated = crash(m.run, m.runStart, m.runEnd)
	case crashLooping:
		status.LastTerminationState.Terminated = crash(m.run, m.runStart, m.runEnd)
		status.State.Waiting = &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: fmt.Sprintf(
			"back-off %v restarting failed container=%s pod=%s_%s(%s)", pause(m.run), name, k.pod.Name, k.pod.Namespace, k.pod.UID)}
	}
	return status
}

// evict makes the pod one that the kubelet has evicted at this date.
func evict(pod *corev1.Pod, date time.Time, nodePressure bool) {
	status := &pod.Status
	status.Phase, status.Reason, status.Message = corev1.PodFailed, "Evicted", "Pod ephemeral local storage usage exceeds the total limit of containers 64Mi. "
	for i := range status.ContainerStatuses {
		container := &status.ContainerStatuses[i]
		container.Ready, container.Started = false, new(false)
		if running := container.State.Running; running != nil {
			container.State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
				ExitCode: 137, Reason: "Error", StartedAt: running.StartedAt, FinishedAt: inSeconds(date), ContainerID: container.ContainerID,
			}}
		}
	}
	for i := range status.Conditions {
		if condition := &status.Conditions[i]; condition.Type == corev1.PodReady || condition.Type == corev1.ContainersReady {
			condition.Status, condition.Reason = corev1.ConditionFalse, "PodFailed"
		}
	}
	if nodePressure {
		status.Message = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 90Mi. "
		status.Conditions = append(status.Conditions, corev1.PodCondition{
			Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: corev1.PodReasonTerminationByKubelet, Message: status.Message,
		})
	}
}

// markNotReady does what the node controller does to a pod whose node has stopped reporting: it sets condition Ready to
// False and leaves everything else, also the condition's reason. Source: MarkPodsNotReady in pkg/controller/util/node.
func markNotReady(pod *corev1.Pod) {
	for i := range pod.Status.Conditions {
		if condition := &pod.Status.Conditions[i]; condition.Type == corev1.PodReady {
			condition.Status = corev1.ConditionFalse
		}
	}
}
