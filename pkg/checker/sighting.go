package checker

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	// restartingAll is the reason of the termination that the kubelet reports when the action RestartAllContainers of a
	// restart rule restarts all containers of a pod (KEP-5532). restartCount includes it from the start.
	restartingAll = "RestartingAllContainers"
	// evicted is the reason of a pod that the kubelet has evicted (pkg/kubelet/eviction), or has not admitted because of the
	// state of its node. Then the message begins with rejected (pkg/kubelet/kubelet.go).
	evicted  = "Evicted"
	rejected = "Pod was rejected"
	// statusUnknown is the reason of a termination that the kubelet makes up, without a containerID, for a container that it
	// no longer finds, or whose state the runtime does not know. Where the container would be restarted, restartCount includes
	// it (pkg/kubelet/kubelet_pods.go).
	statusUnknown = "ContainerStatusUnknown"
	// readinessGates is the kubelet's reason for a pod that is not Ready although its containers are (pkg/kubelet/status).
	readinessGates = "ReadinessGatesNotReady"
)

// sighting is what one check saw of one pod. The pod itself is not kept.
type sighting struct {
	uid        types.UID
	name       string
	node       string // set only if the node's kubelet has stopped reporting
	containers []containerSighting
	cannot     []CannotStart
	failure    *PodFailure // nil: the pod has not failed

	deleted    bool // the pod is being deleted
	active     bool // neither being deleted, nor Succeeded or Failed
	ready      bool
	ran        bool // each main container that counts has started at least once
	unreported bool // the node's kubelet has stopped reporting
}

// containerSighting is what one check saw of one container.
type containerSighting struct {
	name     string
	kind     Kind
	restarts int64 // restartCount

	// The latest termination, if its exit code and the restart policy make it a crash, and restartCount does not include it
	// yet.
	pending        bool
	pendingID      string // its containerID; empty: unknown
	pendingIgnored bool   // its exit code is one that is ignored
	triggers       bool   // because of it, the kubelet restarts all containers of the pod

	// The termination in lastState, if restartCount includes it.
	lastID      string // its containerID; empty: unknown
	lastIgnored bool   // its exit code is one that is ignored
	restartAll  bool   // the kubelet restarted all containers of the pod
	lastUnknown bool   // the kubelet made it up, because the container was gone

	crash *Termination // the latest one that may be a crash; nil: unknown
}

// CannotStart is a container, or a whole pod, that cannot start.
type CannotStart struct {
	Pod       string
	Container string // empty: the pod as a whole
	Reason    string // such as ImagePullBackOff, CreateContainerConfigError or Unschedulable
	Message   string
}

// PodFailure is a pod with phase Failed, or with phase Succeeded although its containers should always run.
type PodFailure struct {
	Pod     string
	Reason  string // such as Evicted, Preempting, NodeShutdown or Succeeded; may be empty
	Message string
	Crash   bool // the pod was evicted because it exceeded a limit of its own
}

// sight reduces a pod to what the ledger and the verdict need.
func (l *Ledger) sight(pod *corev1.Pod) sighting {
	s := sighting{
		uid:     pod.UID,
		name:    pod.Name,
		failure: l.newPodFailure(pod),
		deleted: pod.DeletionTimestamp != nil,
		ready:   conditionIs(pod, corev1.PodReady, corev1.ConditionTrue),
	}
	s.ran = s.failure == nil && l.hasRun(pod)
	s.active = !s.deleted && s.failure == nil && pod.Status.Phase != corev1.PodSucceeded
	if s.active {
		s.cannot = cannotStart(pod)
		if s.unreported = isUnreported(pod); s.unreported {
			s.node = pod.Spec.NodeName
		}
	}
	known := l.pods[pod.UID]
	if known != nil {
		s.uid, s.name = known.uid, known.name // the same strings, which are in memory already
	}
	podPolicy := corev1.ContainerRestartPolicy(pod.Spec.RestartPolicy)
	if podPolicy == "" {
		podPolicy = corev1.ContainerRestartPolicyAlways
	}
	for _, part := range []struct {
		kind       Kind
		containers []corev1.Container
		statuses   []corev1.ContainerStatus
		policy     corev1.ContainerRestartPolicy // of containers without one of their own
	}{
		{Init, pod.Spec.InitContainers, pod.Status.InitContainerStatuses, corev1.ContainerRestartPolicyOnFailure},
		{Main, pod.Spec.Containers, pod.Status.ContainerStatuses, podPolicy},
	} {
		for i := range part.statuses {
			status := &part.statuses[i]
			policy, rules := restartPolicy(part.containers, status.Name, part.policy)
			seen := l.sightContainer(status, part.kind, policy, rules, s.active)
			if seen.restarts > 0 || seen.pending || known.account(status.Name) != nil {
				s.containers = append(s.containers, seen)
			}
		}
	}
	return s
}

// restartPolicy returns the effective restart policy of a container (its own policy, or else that of the pod) and its rules.
func restartPolicy(containers []corev1.Container, name string, inherited corev1.ContainerRestartPolicy) (corev1.ContainerRestartPolicy, []corev1.ContainerRestartRule) {
	for i := range containers {
		if c := &containers[i]; c.Name == name {
			if c.RestartPolicy != nil && *c.RestartPolicy != "" {
				inherited = *c.RestartPolicy
			}
			return inherited, c.RestartPolicyRules
		}
	}
	return inherited, nil
}

// sightContainer finds a container's latest termination, and whether it is a crash that restartCount does not include
// yet. In a pod that is not active a termination is expected, so none is pending.
func (l *Ledger) sightContainer(status *corev1.ContainerStatus, kind Kind, policy corev1.ContainerRestartPolicy, rules []corev1.ContainerRestartRule, active bool) containerSighting {
	always := policy == corev1.ContainerRestartPolicyAlways
	if kind == Init && always {
		kind = Sidecar
	}
	seen := containerSighting{name: status.Name, kind: kind, restarts: max(int64(status.RestartCount), 0)}
	last, current := status.LastTerminationState.Terminated, status.State.Terminated
	if current != nil && (current.Reason == restartingAll || active && isMadeUp(current)) {
		last, current = current, nil
	}
	switch {
	case last == nil || last.ContainerID == "":
	case current == nil && status.State.Running == nil && last.ContainerID == status.ContainerID:
		// Waiting, or no state at all, and no newer container: restartCount does not include this termination yet.
		last, current = nil, last
	case current != nil && last.ContainerID == current.ContainerID:
		// The same termination: since Kubernetes 1.36, the status can show it twice after a restart of the kubelet.
		last = nil
	}
	if current != nil {
		seen.triggers = restartsAll(rules, current.ExitCode)
		seen.pending = active && (current.ExitCode != 0 || always || seen.triggers)
		seen.pendingID = current.ContainerID
		seen.pendingIgnored = l.ignoresExitCode(current)
	}
	if last != nil {
		seen.lastID = last.ContainerID
		seen.lastIgnored = l.ignoresExitCode(last)
		seen.restartAll = last.Reason == restartingAll
		seen.lastUnknown = isMadeUp(last)
	}
	switch {
	case seen.pending && !seen.pendingIgnored:
		seen.crash = newTermination(current)
	case last != nil && !seen.lastIgnored:
		seen.crash = newTermination(last)
	}
	return seen
}

// isMadeUp reports whether the kubelet made up a termination because it does not know the container's state.
func isMadeUp(t *corev1.ContainerStateTerminated) bool {
	return t.Reason == statusUnknown && t.ContainerID == ""
}

// ignoresExitCode reports whether a termination is not a crash because of its exit code. An exit code that the kubelet has
// set does not come from the program.
func (l *Ledger) ignoresExitCode(t *corev1.ContainerStateTerminated) bool {
	return l.ignoredExitCodes[t.ExitCode] && t.Reason != restartingAll
}

// hasRun reports whether each main container has started at least once. Ignored containers are not considered, unless all
// are ignored: then one that has started is enough.
func (l *Ledger) hasRun(pod *corev1.Pod) bool {
	statuses := pod.Status.ContainerStatuses
	anyStarted := false
	for i := range statuses {
		started := hasStarted(&statuses[i])
		anyStarted = anyStarted || started
		if !started && !l.ignoredContainers[statuses[i].Name] {
			return false
		}
	}
	for i := range pod.Spec.Containers {
		if name := pod.Spec.Containers[i].Name; !l.ignoredContainers[name] && !hasStatus(statuses, name) {
			return false
		}
	}
	return anyStarted
}

func hasStarted(status *corev1.ContainerStatus) bool {
	return status.State.Running != nil || status.State.Terminated != nil ||
		status.LastTerminationState.Terminated != nil || status.RestartCount > 0
}

func hasStatus(statuses []corev1.ContainerStatus, name string) bool {
	for i := range statuses {
		if statuses[i].Name == name {
			return true
		}
	}
	return false
}

// restartsAll reports whether the kubelet restarts all containers of the pod after this exit code. The first rule that
// matches decides (KEP-5532).
func restartsAll(rules []corev1.ContainerRestartRule, exitCode int32) bool {
	for _, rule := range rules {
		if rule.ExitCodes == nil {
			continue
		}
		listed := slices.Contains(rule.ExitCodes.Values, exitCode)
		if listed == (rule.ExitCodes.Operator == corev1.ContainerRestartRuleOnExitCodesOpIn) {
			return rule.Action == corev1.ContainerRestartRuleActionRestartAllContainers
		}
	}
	return false
}

// isUnreported reports whether the pod's node has stopped reporting. The node controller then changes the condition Ready
// and nothing else (pkg/controller/nodelifecycle). While a kubelet reports, a pod whose containers are ready is Ready, unless
// its readiness gates are not.
func isUnreported(pod *corev1.Pod) bool {
	ready := condition(pod, corev1.PodReady)
	return ready != nil && ready.Status != corev1.ConditionTrue && ready.Reason != readinessGates &&
		conditionIs(pod, corev1.ContainersReady, corev1.ConditionTrue)
}

// newPodFailure describes a pod that has failed; for other pods it returns nil. The kubelet evicts a pod for two kinds of
// reasons: the pod exceeded a limit of its own (of an emptyDir, or of ephemeral storage), or the node is short of a resource.
// Only the second kind sets the condition DisruptionTarget.
//
// If all containers of an evicted pod exit with 0, the kubelet mostly leaves the pod with phase Succeeded and without a reason.
// Nothing else ends a pod in this way whose containers should always run, unless it is being deleted.
func (l *Ledger) newPodFailure(pod *corev1.Pod) *PodFailure {
	disrupted := conditionIs(pod, corev1.DisruptionTarget, corev1.ConditionTrue)
	switch status := &pod.Status; {
	case status.Phase == corev1.PodFailed:
		return &PodFailure{
			Pod: pod.Name, Reason: cut(status.Reason), Message: cut(status.Message),
			Crash: status.Reason == evicted && !disrupted && !strings.HasPrefix(status.Message, rejected),
		}
	case status.Phase == corev1.PodSucceeded && pod.DeletionTimestamp == nil && l.shouldAlwaysRun(pod):
		return &PodFailure{
			Pod: pod.Name, Reason: "Succeeded", Message: "the kubelet ended the pod, although its containers should always run",
			Crash: !disrupted,
		}
	}
	return nil
}

// shouldAlwaysRun reports whether the kubelet restarts a main container of the pod whatever its exit code.
func (l *Ledger) shouldAlwaysRun(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Spec.Containers, func(c corev1.Container) bool {
		policy, _ := restartPolicy(pod.Spec.Containers, c.Name, corev1.ContainerRestartPolicy(pod.Spec.RestartPolicy))
		return policy == corev1.ContainerRestartPolicyAlways && !l.ignoredContainers[c.Name]
	})
}

// cannotStart returns what keeps a pod from starting. CrashLoopBackOff does not: its containers start again and again.
func cannotStart(pod *corev1.Pod) []CannotStart {
	var all []CannotStart
	if c := condition(pod, corev1.PodScheduled); c != nil && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable {
		all = append(all, CannotStart{Pod: pod.Name, Reason: c.Reason, Message: cut(c.Message)})
	}
	for _, statuses := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for i := range statuses {
			waiting := statuses[i].State.Waiting
			if waiting == nil {
				continue
			}
			switch waiting.Reason {
			case "", "ContainerCreating", "PodInitializing", "CrashLoopBackOff", restartingAll:
			default:
				all = append(all, CannotStart{Pod: pod.Name, Container: statuses[i].Name, Reason: cut(waiting.Reason), Message: cut(waiting.Message)})
			}
		}
	}
	return all
}

func condition(pod *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == kind {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}

func conditionIs(pod *corev1.Pod, kind corev1.PodConditionType, status corev1.ConditionStatus) bool {
	c := condition(pod, kind)
	return c != nil && c.Status == status
}
