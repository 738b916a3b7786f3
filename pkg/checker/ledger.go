package checker

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Kind is the role of a container in its pod.
type Kind string

const (
	Main    Kind = "main"
	Init    Kind = "init"
	Sidecar Kind = "sidecar" // an init container with restartPolicy Always (KEP-753)
	Pod     Kind = "pod"     // not a container: a pod that was evicted because it exceeded a limit of its own
)

// ContainerCrashes contains what a ledger has recorded about one crashed container.
type ContainerCrashes struct {
	Pod         string
	UID         types.UID
	Container   string // empty for [Pod]
	Kind        Kind
	Crashes     int64        // so far
	New         int64        // of these, the ones that [Ledger.Record] has just found
	Termination *Termination // of the latest one; nil: unknown
	Waiting     bool         // no new container had started when the pod was last seen
}

// Ignore says which terminations are not crashes.
type Ignore struct {
	Containers []string // names of containers, of any kind, whose terminations do not count
	ExitCodes  []int32  // exit codes of containers that exit on purpose
}

// Ledger keeps the crashes of each container, by pod UID, as high-water marks. They stay when the pod is deleted. If a
// restartCount decreases, it is treated as a new count that started from 0. The zero value is not usable, see [NewLedger].
type Ledger struct {
	ignoredContainers map[string]bool
	ignoredExitCodes  map[int32]bool
	pods              map[types.UID]*podAccount
	total             int64
}

// podAccount is the part of a ledger that belongs to one pod.
type podAccount struct {
	uid        types.UID
	name       string
	list       int64 // the last list that contained it
	failed     bool  // the pod was seen to have failed
	containers []account
}

// NewLedger returns an empty ledger.
func NewLedger(ignore Ignore) *Ledger {
	l := &Ledger{ignoredContainers: map[string]bool{}, ignoredExitCodes: map[int32]bool{}, pods: map[types.UID]*podAccount{}}
	for _, name := range ignore.Containers {
		l.ignoredContainers[name] = true
	}
	for _, code := range ignore.ExitCodes {
		l.ignoredExitCodes[code] = true
	}
	return l
}

// Record enters the current state of a pod and returns the crashes that were not known before.
func (l *Ledger) Record(pod *corev1.Pod) []ContainerCrashes {
	_, crashes := l.record(l.sight(pod))
	return crashes
}

// SetBaseline subtracts what has been counted so far from all counts.
func (l *Ledger) SetBaseline() {
	for _, pod := range l.pods {
		for i := range pod.containers {
			pod.containers[i].base = pod.containers[i].crashes
		}
	}
	l.total = 0
}

// Total returns the number of crashes of all containers. Only [Ledger.SetBaseline] decreases it.
func (l *Ledger) Total() int64 { return l.total }

// Pods returns the number of distinct pods recorded, by UID.
func (l *Ledger) Pods() int { return len(l.pods) }

// Containers returns the crashed containers, worst first, then by pod and container.
func (l *Ledger) Containers() []ContainerCrashes {
	var crashed []ContainerCrashes
	for _, pod := range l.pods {
		for _, c := range pod.containers {
			if c.crashes > c.base && !l.ignoredContainers[c.name] {
				crashed = append(crashed, pod.crashed(c, 0))
			}
		}
	}
	slices.SortFunc(crashed, func(a, b ContainerCrashes) int {
		return cmp.Or(
			cmp.Compare(b.Crashes, a.Crashes),
			cmp.Compare(a.Pod, b.Pod),
			cmp.Compare(a.Container, b.Container),
			cmp.Compare(a.UID, b.UID),
		)
	})
	return crashed
}

// record enters what was seen of a pod.
func (l *Ledger) record(s sighting) (*podAccount, []ContainerCrashes) {
	pod, known := l.pods[s.uid]
	if !known {
		pod = &podAccount{uid: s.uid, name: s.name}
		l.pods[s.uid] = pod
	}
	for _, seen := range s.containers {
		if pod.account(seen.name) == nil {
			pod.containers = append(pod.containers, account{name: seen.name, kind: seen.kind})
		}
	}
	killed := l.killedByRestartAll(pod, s.containers)
	if s.failure != nil {
		addRemoved(killed, pod, s.containers)
	}
	var crashes []ContainerCrashes
	enter := func(seen containerSighting, killed bool) {
		account := pod.account(seen.name)
		n := account.enter(seen, killed)
		if n > 0 && !l.ignoredContainers[account.name] {
			l.total += n
			crashes = append(crashes, pod.crashed(*account, n))
		}
	}
	for i, seen := range s.containers {
		enter(seen, killed[i])
	}
	if s.failure != nil && s.failure.Crash {
		if pod.account("") == nil {
			pod.containers = append(pod.containers, account{kind: Pod})
		}
		enter(containerSighting{kind: Pod, restarts: 1, crash: &Termination{Reason: s.failure.Reason, Message: s.failure.Message}}, false)
	}
	return pod, crashes
}

// killedByRestartAll finds the containers whose restartCount has risen because the kubelet restarted all containers of the
// pod. Such an event counts as one crash, of the container that triggered it. If that container's termination was seen
// before, it has already been counted or ignored. Otherwise, the crash is counted for one of the containers.
func (l *Ledger) killedByRestartAll(pod *podAccount, seen []containerSighting) map[int]bool {
	killed := map[int]bool{}
	triggerSeen, keeps := false, -1
	for i := range seen {
		if !seen[i].restartAll {
			continue
		}
		account := pod.account(seen[i].name)
		rise := account.rise(seen[i])
		if rise > 0 && (account.pending || account.pendingIgnored) {
			rise-- // that of its own termination
			triggerSeen = triggerSeen || account.triggers && rise == 0
		}
		if rise > 0 {
			killed[i] = true
			if !l.ignoredContainers[seen[i].name] && (keeps < 0 || seen[keeps].kind != Main) {
				keeps = i
			}
		}
	}
	if !triggerSeen {
		delete(killed, keeps)
	}
	return killed
}

// addRemoved adds the containers whose restartCount has risen because the kubelet removed them when their pod failed. These
// terminations are expected.
func addRemoved(killed map[int]bool, pod *podAccount, seen []containerSighting) {
	for i := range seen {
		if seen[i].lastUnknown && pod.account(seen[i].name).rise(seen[i]) > 0 {
			killed[i] = true
		}
	}
}

// crashed describes the crashes of one container, of which n are new.
func (p *podAccount) crashed(c account, n int64) ContainerCrashes {
	return ContainerCrashes{
		Pod: p.name, UID: p.uid, Container: c.name, Kind: c.kind,
		Crashes: c.crashes - c.base, New: n, Termination: c.termination, Waiting: c.pending,
	}
}

// account returns the account of a container, or nil: containers that never terminated need none.
func (p *podAccount) account(container string) *account {
	if p == nil {
		return nil
	}
	for i := range p.containers {
		if p.containers[i].name == container {
			return &p.containers[i]
		}
	}
	return nil
}
