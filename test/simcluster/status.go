package simcluster

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// setStatus fills in the status that scheduler and kubelet report for a pod of the given age.
func setStatus(pod *corev1.Pod, lives lives, created time.Time, age time.Duration, unschedulable string) {
	pod.Status = corev1.PodStatus{ObservedGeneration: 1, Phase: corev1.PodPending, QOSClass: corev1.PodQOSBurstable}
	pod.ResourceVersion = resourceVersion(0)
	clock := podClock{pod: pod, created: created}
	if pod.Spec.NodeName == "" {
		if unschedulable != "" {
			pod.Status.Conditions = []corev1.PodCondition{clock.condition(corev1.PodScheduled, false, 0, corev1.PodReasonUnschedulable, unschedulable)}
		}
		return
	}
	started := clock.reportContainers(lives, age)

	status := &pod.Status
	status.HostIP, status.PodIP = "192.0.2.2", podIP(pod)
	status.HostIPs = []corev1.HostIP{{IP: status.HostIP}}
	status.PodIPs = []corev1.PodIP{{IP: status.PodIP}}
	status.StartTime = new(clock.time(0))
	if started {
		status.Phase = corev1.PodRunning
	}
	status.Conditions = conditions(pod, clock, age)
	pod.ResourceVersion = resourceVersion(clock.latest)
}

// podClock dates what happens in a pod and remembers the latest change.
type podClock struct {
	pod     *corev1.Pod
	created time.Time
	latest  time.Duration
}

// time is the date of an age, in whole seconds: that is all the Kubernetes API keeps.
func (c *podClock) time(age time.Duration) metav1.Time {
	return metav1.NewTime(c.created.Add(age).Truncate(time.Second))
}

// reportContainers sets the container statuses and reports whether the pod's phase is Running: all init containers have
// completed, and the main container has started.
func (c *podClock) reportContainers(lives lives, age time.Duration) (started bool) {
	status := &c.pod.Status
	birth, blocked := startupTime, ""
	if lives.init != nil {
		status.InitContainerStatuses = append(status.InitContainerStatuses, c.report(initKind, InitContainer, *lives.init, birth, age, "PodInitializing"))
		if took, ever := lives.init.done(); ever {
			birth += took + restartTime
		} else {
			blocked = "PodInitializing"
		}
	}
	if lives.sidecar != nil {
		life, waiting := *lives.sidecar, "PodInitializing"
		status.InitContainerStatuses = append(status.InitContainerStatuses, c.report(sidecarKind, SidecarContainer, blockedLife(life, blocked), birth, age, waiting))
		birth += restartTime
		if life.Waiting != "" {
			blocked = "PodInitializing"
		}
	}
	waiting := "ContainerCreating"
	if len(status.InitContainerStatuses) > 0 {
		waiting = "PodInitializing"
	}
	app := c.report(mainKind, AppContainer, blockedLife(lives.app, blocked), birth, age, waiting)
	status.ContainerStatuses = []corev1.ContainerStatus{app}
	return blocked == "" && age >= birth && lives.app.Waiting == ""
}

// blockedLife is life, or that of a container that waits for an earlier one that never completes.
func blockedLife(life Life, blocked string) Life {
	if blocked == "" {
		return life
	}
	return Life{Waiting: blocked}
}

type containerKind int

const (
	mainKind containerKind = iota
	initKind
	sidecarKind
)

// report is the kubelet's status of one container, which could first start at the pod's age birth.
func (c *podClock) report(kind containerKind, name string, life Life, birth, age time.Duration, waiting string) corev1.ContainerStatus {
	var worksFor time.Duration
	if kind == initKind {
		worksFor = initWorkTime
	}
	m := life.at(age-birth, worksFor)
	status := corev1.ContainerStatus{
		Name: name, Image: image(name), RestartCount: int32(m.run),
		Started:      new(m.phase == running),
		Ready:        m.phase == running && kind != initKind || m.phase == succeeded,
		Resources:    &corev1.ResourceRequirements{Limits: limits(), Requests: requests()},
		VolumeMounts: statusMounts(),
		User:         &corev1.ContainerUser{Linux: &corev1.LinuxContainerUser{UID: 65532, SupplementalGroups: []int64{0}}},
	}
	if m.phase == notStarted {
		status.State.Waiting = &corev1.ContainerStateWaiting{Reason: waiting}
		if life.Waiting != "" && age >= birth {
			status.State.Waiting = &corev1.ContainerStateWaiting{Reason: life.Waiting, Message: life.Message}
		}
		return status
	}

	c.latest = max(c.latest, birth+m.since)
	status.ImageID = "registry.example/" + name + "@sha256:" + digest(image(name))
	status.ContainerID = containerID(c.pod, name, m.run)
	crash := func(run int, start, end time.Duration) *corev1.ContainerStateTerminated {
		return &corev1.ContainerStateTerminated{
			ExitCode: life.ExitCode, Reason: life.reason(), Message: life.Message,
			StartedAt: c.time(birth + start), FinishedAt: c.time(birth + end),
			ContainerID: containerID(c.pod, name, run),
		}
	}
	if m.run > 0 {
		status.LastTerminationState.Terminated = crash(m.run-1, m.lastStart, m.lastEnd)
	}
	switch m.phase {
	case running:
		status.State.Running = &corev1.ContainerStateRunning{StartedAt: c.time(birth + m.runStart)}
	case terminated:
		status.State.Terminated = crash(m.run, m.runStart, m.runEnd)
	case crashLooping:
		status.LastTerminationState.Terminated = crash(m.run, m.runStart, m.runEnd)
		status.State.Waiting = &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: fmt.Sprintf(
			"back-off %v restarting failed container=%s pod=%s_%s(%s)", life.pause(m.run), name, c.pod.Name, c.pod.Namespace, c.pod.UID)}
	case succeeded:
		status.State.Terminated = &corev1.ContainerStateTerminated{
			Reason: "Completed", StartedAt: c.time(birth + m.runStart), FinishedAt: c.time(birth + m.runEnd), ContainerID: status.ContainerID,
		}
	}
	return status
}

func containerID(pod *corev1.Pod, container string, run int) string {
	return "containerd://" + digest(string(pod.UID), container, strconv.Itoa(run))
}

func (c *podClock) condition(kind corev1.PodConditionType, ok bool, since time.Duration, reason, message string) corev1.PodCondition {
	condition := corev1.PodCondition{Type: kind, ObservedGeneration: 1, Status: corev1.ConditionTrue, LastTransitionTime: c.time(since)}
	if !ok {
		condition.Status, condition.Reason, condition.Message = corev1.ConditionFalse, reason, message
	}
	return condition
}

// conditions are derived from the container statuses, as in the kubelet.
func conditions(pod *corev1.Pod, clock podClock, age time.Duration) []corev1.PodCondition {
	uninitialized, unready := unfinished(pod)
	initMessage := "containers with incomplete status: [" + strings.Join(uninitialized, " ") + "]"
	readyMessage := "containers with unready status: [" + strings.Join(unready, " ") + "]"
	initialized, ready := len(uninitialized) == 0, len(unready) == 0
	return []corev1.PodCondition{
		clock.condition(corev1.PodReadyToStartContainers, age >= startupTime, min(age, startupTime), "PodSandboxNotReady", ""),
		clock.condition(corev1.PodInitialized, initialized, 0, "ContainersNotInitialized", initMessage),
		clock.condition(corev1.PodReady, ready, clock.latest, "ContainersNotReady", readyMessage),
		clock.condition(corev1.ContainersReady, ready, clock.latest, "ContainersNotReady", readyMessage),
		clock.condition(corev1.PodScheduled, true, 0, "", ""),
	}
}

// unfinished names the init containers that delay the pod's initialization, and the containers that are not ready.
func unfinished(pod *corev1.Pod) (uninitialized, unready []string) {
	for i, status := range pod.Status.InitContainerStatuses {
		sidecar := pod.Spec.InitContainers[i].RestartPolicy != nil
		everStarted := status.ContainerID != ""
		if sidecar && !everStarted || !sidecar && !status.Ready {
			uninitialized = append(uninitialized, status.Name)
		}
		if sidecar && !status.Ready {
			unready = append(unready, status.Name)
		}
	}
	for _, status := range pod.Status.ContainerStatuses {
		if !status.Ready {
			unready = append(unready, status.Name)
		}
	}
	return uninitialized, unready
}

// evict makes the pod one that the kubelet has evicted at the clock's latest time.
func evict(pod *corev1.Pod, clock podClock, nodePressure bool) {
	status := &pod.Status
	status.Phase, status.Reason, status.Message = corev1.PodFailed, "Evicted", "Pod ephemeral local storage usage exceeds the total limit of containers 64Mi. "
	for i := range status.ContainerStatuses {
		container := &status.ContainerStatuses[i]
		container.Ready, container.Started = false, new(false)
		if running := container.State.Running; running != nil {
			container.State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
				ExitCode: 137, Reason: "Error", StartedAt: running.StartedAt, FinishedAt: clock.time(clock.latest), ContainerID: container.ContainerID,
			}}
		}
	}
	for i, condition := range status.Conditions {
		if condition.Type == corev1.PodReady || condition.Type == corev1.ContainersReady {
			status.Conditions[i] = clock.condition(condition.Type, false, clock.latest, "PodFailed", "")
		}
	}
	if nodePressure {
		status.Message = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 90Mi. "
		disrupted := clock.condition(corev1.DisruptionTarget, true, clock.latest, "", "")
		disrupted.Reason, disrupted.Message = corev1.PodReasonTerminationByKubelet, status.Message
		status.Conditions = append(status.Conditions, disrupted)
	}
	pod.ResourceVersion = resourceVersion(clock.latest)
}

// markNotReady does what the node controller does to a pod whose node has stopped reporting: it sets condition Ready to
// False and leaves everything else, also the condition's reason. Source: MarkPodsNotReady in pkg/controller/util/node.
func markNotReady(pod *corev1.Pod, clock podClock) {
	for i := range pod.Status.Conditions {
		if condition := &pod.Status.Conditions[i]; condition.Type == corev1.PodReady && condition.Status != corev1.ConditionFalse {
			condition.Status, condition.LastTransitionTime = corev1.ConditionFalse, clock.time(clock.latest)
			pod.ResourceVersion = resourceVersion(clock.latest)
		}
	}
}

func podIP(pod *corev1.Pod) string {
	third, _ := strconv.ParseUint(string(pod.UID[0:2]), 16, 8)
	fourth, _ := strconv.ParseUint(string(pod.UID[2:4]), 16, 8)
	return fmt.Sprintf("198.18.%d.%d", third, fourth)
}

// resourceVersion grows with the time, as that of a real cluster grows with its writes. It is never empty or 0.
func resourceVersion(at time.Duration) string {
	return strconv.FormatInt(max(at.Milliseconds(), 0)+1, 10)
}
