package checker

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Kind is the part that a container plays in its pod.
type Kind string

const (
	Main    Kind = "main"
	Init    Kind = "init"
	Sidecar Kind = "sidecar" // an init container with restartPolicy Always (KEP-753)
)

// Suffix names the kind behind a container's name, unless it is a main one.
func (k Kind) Suffix() string {
	if k == Main || k == "" {
		return ""
	}
	return " (" + string(k) + ")"
}

// End is how a container ended: [ContainerStateTerminated], as far as people need it.
type End struct {
	ExitCode   int32
	Signal     int32     // 0: unknown
	Reason     string    // such as Error or OOMKilled
	Message    string    // the container's last words, cut at 512 bytes
	FinishedAt time.Time // zero: unknown
}

// String says how the container ended, in words, such as "exit code 137 (OOMKilled)". It may hold text from the
// cluster, unescaped.
func (e *End) String() string {
	if e == nil {
		return "exit code unknown"
	}
	text := fmt.Sprintf("exit code %d", e.ExitCode)
	if e.Signal != 0 {
		text += fmt.Sprintf(", signal %d", e.Signal)
	}
	if e.Reason != "" && e.Reason != "Error" { // which only says that the code is not 0
		text += " (" + e.Reason + ")"
	}
	return text
}

// Crash is one or more crashes of a container, seen for the first time.
type Crash struct {
	Pod       string
	Container string
	Kind      Kind
	New       int64 // crashes that were not known before
	Crashes   int64 // of this container by now
	End       *End  // the latest one; nil: unknown
}

// ContainerCrashes is what a ledger holds of one crashed container.
type ContainerCrashes struct {
	Pod       string
	UID       types.UID
	Container string
	Kind      Kind
	Crashes   int64
	End       *End // the latest one; nil: unknown
	Waiting   bool // the latest end is pending: no new container had started when it was last seen
}

// Ledger keeps the crashes of each container, by pod UID, as high-water marks: they stay when the pod is deleted,
// and a count that goes down is taken as begun anew. The zero value is not usable, see [NewLedger].
type Ledger struct {
	ignored map[string]bool // names of containers
	pods    map[types.UID]*podAccount
	total   int64
}

// podAccount is the part of a ledger that belongs to one pod.
type podAccount struct {
	uid        types.UID
	name       string
	check      int64 // the last check that listed it
	containers []account
}

// account is the part of a ledger that belongs to one container.
type account struct {
	name     string
	kind     Kind
	restarts int64 // restartCount as it was last seen

	// before is what had been counted when restartCount last went down; it counts from 0 since.
	before  int64
	crashes int64 // the high-water mark
	base    int64 // crashes that a baseline has taken out

	pendingID string // containerID of the last end that was counted before restartCount held it
	pending   bool   // the latest end is still the pending one
	resetID   string // a pending end that was counted before restartCount went down, and that may show up again
	end       *End
}

// NewLedger returns an empty ledger that does not count the containers of these names, of whatever kind.
func NewLedger(ignored ...string) *Ledger {
	l := &Ledger{ignored: map[string]bool{}, pods: map[types.UID]*podAccount{}}
	for _, name := range ignored {
		l.ignored[name] = true
	}
	return l
}

// Record enters a pod as it is now and returns the crashes that were not known before.
func (l *Ledger) Record(pod *Pod) []Crash {
	_, crashes := l.record(l.sight(pod))
	return crashes
}

// SetBaseline takes what has been counted so far out of all counts.
func (l *Ledger) SetBaseline() {
	for _, pod := range l.pods {
		for i := range pod.containers {
			pod.containers[i].base = pod.containers[i].crashes
		}
	}
	l.total = 0
}

// Total returns the crashes of all containers. It never falls, but for [Ledger.SetBaseline].
func (l *Ledger) Total() int64 { return l.total }

// Pods returns the number of distinct pods recorded, by UID.
func (l *Ledger) Pods() int { return len(l.pods) }

// Containers returns the crashed containers, worst first, then by pod and container.
func (l *Ledger) Containers() []ContainerCrashes {
	var crashed []ContainerCrashes
	for uid, pod := range l.pods {
		for _, c := range pod.containers {
			if c.crashes > c.base {
				crashed = append(crashed, ContainerCrashes{
					Pod: pod.name, UID: uid, Container: c.name, Kind: c.kind, Crashes: c.crashes - c.base, End: c.end, Waiting: c.pending,
				})
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
func (l *Ledger) record(s sighting) (*podAccount, []Crash) {
	pod, known := l.pods[s.uid]
	if !known {
		pod = &podAccount{uid: s.uid, name: s.name}
		l.pods[s.uid] = pod
	}
	var crashes []Crash
	for _, seen := range s.containers {
		i := slices.IndexFunc(pod.containers, func(a account) bool { return a.name == seen.name })
		if i < 0 {
			i = len(pod.containers)
			pod.containers = append(pod.containers, account{name: seen.name, kind: seen.kind})
		}
		account := &pod.containers[i]
		if n := account.enter(seen); n > 0 {
			l.total += n
			crashes = append(crashes, Crash{
				Pod: pod.name, Container: account.name, Kind: account.kind,
				New: n, Crashes: account.crashes - account.base, End: account.end,
			})
		}
	}
	return pod, crashes
}

// enter brings the account up to what was seen of its container, and returns the number of new crashes.
func (a *account) enter(seen containerSighting) int64 {
	if seen.restarts < a.restarts {
		// A reset. What was counted stays, and the new count is added whole, but for an end that it holds again.
		a.before, a.resetID = a.crashes, a.pendingID
	}
	if seen.holds(a.resetID) {
		a.before--
		a.resetID = ""
	}
	a.restarts, a.pending = seen.restarts, seen.pending

	crashes := a.before + seen.restarts
	if seen.pending {
		crashes++
		a.pendingID = seen.endID
	}
	n := max(crashes-a.crashes, 0)
	a.crashes += n
	if n > 0 || a.end == nil { // else it is the end of a crash that is known, or of none
		a.end = seen.end
	}
	return n
}
