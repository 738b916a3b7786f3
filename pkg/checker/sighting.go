package checker

import (
	"strings"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/types"
)

// longestMessage is how much of a message from the cluster is kept, in bytes: thousands of pods may have one.
const longestMessage = 512

// sighting is what one check saw of one pod: all that is kept of it when its page is dropped.
type sighting struct {
	uid        types.UID
	name       string
	containers []containerSighting
	judged     bool // its readiness counts: it is neither ending nor ended
	ready      bool
	blocked    []Blocked
}

// containerSighting is what one check saw of one container.
type containerSighting struct {
	name     string
	kind     Kind
	restarts int64 // restartCount

	pending     bool   // the latest end is a crash that restarts does not hold
	endID       string // containerID of the latest end; empty: unknown
	lastStateID string // containerID of lastState.terminated; empty: unknown
	end         *End   // the latest crash's; nil: unknown
}

// holds tells whether the end of this containerID is part of this sighting's count: as its pending end, or as the last
// one in restarts (which holds none while it is 0, whatever lastState shows).
func (c containerSighting) holds(containerID string) bool {
	if containerID == "" {
		return false
	}
	return c.pending && c.endID == containerID || c.restarts > 0 && c.lastStateID == containerID
}

// Blocked is a container, or a whole pod, that cannot start.
type Blocked struct {
	Pod       string
	Container string // empty: the pod as a whole
	Reason    string // such as ImagePullBackOff, CreateContainerConfigError or Unschedulable
	Message   string
}

// String says what cannot start and why, in words. It may hold text from the cluster, unescaped.
func (b Blocked) String() string {
	what, reason := "pod "+b.Pod, b.Reason
	if b.Container != "" {
		what = b.Pod + "/" + b.Container
	}
	if b.Message != "" {
		reason += ": " + b.Message
	}
	return what + " cannot start: " + reason
}

// sight reduces a pod to what the ledger and the verdict need.
func (l *Ledger) sight(pod *Pod) sighting {
	ended := pod.Status.Phase == PodFailed || pod.Status.Phase == PodSucceeded
	ending := pod.DeletionTimestamp != nil
	s := sighting{
		uid:    pod.UID,
		name:   pod.Name,
		judged: !ended && !ending,
		ready:  conditionIs(pod, podReady, conditionTrue) != nil,
	}
	if s.judged {
		s.blocked = blocked(pod)
	}
	known := l.pods[pod.UID]
	if known != nil {
		s.uid, s.name = known.uid, known.name // the same texts, which are in memory already
	}
	add := func(status *ContainerStatus, kind Kind, policy RestartPolicy) {
		if l.ignored[status.Name] {
			return
		}
		seen := sightContainer(status, kind, policy, s.judged)
		if seen.restarts > 0 || seen.pending || known.has(status.Name) {
			s.containers = append(s.containers, seen)
		}
	}
	for i := range pod.Status.InitContainerStatuses {
		status := &pod.Status.InitContainerStatuses[i]
		kind, policy := Init, restartPolicy(pod.Spec.InitContainers, status.Name, RestartOnFailure)
		if policy == RestartAlways {
			kind = Sidecar
		}
		add(status, kind, policy)
	}
	podPolicy := pod.Spec.RestartPolicy
	if podPolicy == "" {
		podPolicy = RestartAlways
	}
	for i := range pod.Status.ContainerStatuses {
		status := &pod.Status.ContainerStatuses[i]
		add(status, Main, restartPolicy(pod.Spec.Containers, status.Name, podPolicy))
	}
	return s
}

// has tells whether the ledger has an account of this container. Those that never crashed need none.
func (p *podAccount) has(container string) bool {
	if p == nil {
		return false
	}
	for i := range p.containers {
		if p.containers[i].name == container {
			return true
		}
	}
	return false
}

// restartPolicy returns the effective restart policy of a container: its own, or that of its surroundings.
func restartPolicy(containers []Container, name string, inherited RestartPolicy) RestartPolicy {
	for i := range containers {
		if containers[i].Name == name && containers[i].RestartPolicy != "" {
			return containers[i].RestartPolicy
		}
	}
	return inherited
}

// sightContainer finds a container's latest end, and whether it is a crash that restartCount does not hold yet. In a pod
// that is being deleted or has ended (!alive) it is none: ending is its fate.
func sightContainer(status *ContainerStatus, kind Kind, policy RestartPolicy, alive bool) containerSighting {
	seen := containerSighting{name: status.Name, kind: kind, restarts: max(int64(status.RestartCount), 0)}
	lastState := status.LastTerminationState.Terminated
	if lastState != nil {
		seen.lastStateID = lastState.ContainerID
	}

	latest, counted := lastState, true // once a new container runs, the end is in restartCount
	switch {
	case status.State.Terminated != nil:
		latest, counted = status.State.Terminated, false
	case status.State.Running == nil && lastState != nil && lastState.ContainerID != "":
		// Waiting, or no state at all: the end is in restartCount as soon as the status names a newer container.
		counted = lastState.ContainerID != status.ContainerID
	}
	if latest == nil {
		return seen
	}
	seen.endID = latest.ContainerID
	isCrash := latest.ExitCode != 0 || policy == RestartAlways
	seen.pending = isCrash && !counted && alive
	switch {
	case seen.pending || counted:
		seen.end = newEnd(latest)
	case lastState != nil: // the latest end is no crash: the one before it may be
		seen.end = newEnd(lastState)
	}
	return seen
}

func newEnd(t *ContainerStateTerminated) *End {
	end := &End{ExitCode: t.ExitCode, Signal: t.Signal, Reason: cut(t.Reason), Message: cut(t.Message)}
	if t.FinishedAt.Unix() > 0 { // the epoch is how an unknown time may arrive
		end.FinishedAt = t.FinishedAt.UTC().Truncate(time.Second) // the API has no fractions
	}
	return end
}

// blocked returns what keeps a pod from starting. A crash loop does not: its containers start, again and again.
func blocked(pod *Pod) []Blocked {
	var all []Blocked
	if c := conditionIs(pod, podScheduled, conditionFalse); c != nil && c.Reason == unschedulable {
		all = append(all, Blocked{Pod: pod.Name, Reason: cut(c.Reason), Message: cut(c.Message)})
	}
	for _, statuses := range [][]ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for i := range statuses {
			waiting := statuses[i].State.Waiting
			if waiting == nil {
				continue
			}
			switch waiting.Reason {
			case "", "ContainerCreating", "PodInitializing", "CrashLoopBackOff":
			default:
				all = append(all, Blocked{Pod: pod.Name, Container: statuses[i].Name, Reason: cut(waiting.Reason), Message: cut(waiting.Message)})
			}
		}
	}
	return all
}

func conditionIs(pod *Pod, kind, status string) *PodCondition {
	for i := range pod.Status.Conditions {
		if c := &pod.Status.Conditions[i]; c.Type == kind && c.Status == status {
			return c
		}
	}
	return nil
}

// cut shortens a text from the cluster to longestMessage bytes, at a character's border.
func cut(text string) string {
	if len(text) <= longestMessage {
		return text
	}
	end := longestMessage
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return strings.Clone(text[:end]) + "…"
}
