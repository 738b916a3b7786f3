package checker_test

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"github.com/crashcheck/crashcheck/pkg/checker"
)

// node plays a kubelet with one container in one pod, and knows how often it has really crashed.
type node struct {
	pod      types.UID
	instance int   // the containers started so far
	restarts int32 // restartCount as the API shows it
	crashes  int64 // that have happened
	running  bool
	backOff  bool // the termination is in lastState, while waiting
	deleted  bool
}

func (n *node) id(instance int) string { return fmt.Sprintf("%s-%d", n.pod, instance) }

// step lets something happen to the container.
func (n *node) step(t *rapid.T) {
	switch {
	case n.deleted:
	case n.running:
		n.running, n.backOff = false, false
		n.crashes++
	default:
		if !n.backOff && rapid.Bool().Draw(t, "back-off") {
			n.backOff = true
			return
		}
		n.running, n.backOff = true, false
		n.instance++
		n.restarts++
	}
}

// status is what the API shows.
func (n *node) status() *corev1.Pod {
	var states []func(*corev1.ContainerStatus)
	switch current := n.id(n.instance); {
	case n.running:
		states = append(states, running(current))
		if n.instance > 0 {
			states = append(states, last(n.id(n.instance-1), 1))
		}
	case n.backOff:
		states = append(states, waiting(current), last(current, 1))
	default:
		states = append(states, terminated(current, 1))
		if n.instance > 0 {
			states = append(states, last(n.id(n.instance-1), 1))
		}
	}
	p := pod(uid(n.pod), named(string(n.pod)), main("app", n.restarts, states...))
	if n.deleted {
		deleted(p)
	}
	return p
}

// Whatever happens to pods, and in whatever order they are seen: the total never falls, no crash counts twice, and one
// that an active pod shows always counts.
func TestLedgerProperties(t *testing.T) { rapid.Check(t, ledgerProperties) }

// fuzz runs a property on streams of bytes from the fuzzer. The seeds are short and long runs of equal and of varied draws.
func fuzz(f *testing.F, property func(*rapid.T)) {
	for _, size := range []int{8, 512, 4096} {
		equal, varied := make([]byte, size), make([]byte, size)
		for i := range varied {
			varied[i] = byte(i * 167)
		}
		f.Add(equal)
		f.Add(varied)
	}
	f.Fuzz(rapid.MakeFuzz(property))
}

func FuzzLedgerProperties(f *testing.F) { fuzz(f, ledgerProperties) }

func ledgerProperties(t *rapid.T) {
	ledger := checker.NewLedger(checker.Ignore{})
	nodes := map[int]*node{}
	seen := map[int]int64{} // crashes of each pod that a check has seen
	for range rapid.IntRange(1, 80).Draw(t, "steps") {
		i := rapid.IntRange(0, 3).Draw(t, "pod")
		if nodes[i] == nil {
			nodes[i] = &node{pod: types.UID(fmt.Sprint("pod", i)), running: true}
		}
		n := nodes[i]
		n.step(t)
		if rapid.IntRange(0, 19).Draw(t, "delete") == 0 {
			n.deleted = true
		}
		if rapid.IntRange(0, 2).Draw(t, "check") > 0 {
			continue // no check sees this moment
		}
		before := ledger.Total()
		var announced int64
		for _, crash := range ledger.Record(n.status()) {
			announced += crash.New
		}
		if ledger.Total() < before || ledger.Total() != before+announced {
			t.Fatalf("the total went from %d to %d, and %d new crashes were announced", before, ledger.Total(), announced)
		}
		if n.deleted {
			seen[i] = max(seen[i], int64(n.restarts)) // the last crash of a deleted pod may not count
		} else {
			seen[i] = n.crashes
		}
		var least, most int64
		for i, n := range nodes {
			least += seen[i]
			most += n.crashes
		}
		if got := ledger.Total(); got < least || got > most {
			t.Fatalf("got %d crashes, when %d had been seen and %d had happened", got, least, most)
		}
	}
}

// The API allows a reset of restartCount. When every status is seen, no crash counts twice and none is lost, whenever a reset
// happens.
func TestLedgerPropertiesWithResets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ledger := checker.NewLedger(checker.Ignore{})
		n := &node{pod: "pod", running: true}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if rapid.IntRange(0, 5).Draw(t, "reset") == 0 {
				n.restarts = 0
			} else {
				n.step(t)
			}
			ledger.Record(n.status())
			if got := ledger.Total(); got != n.crashes {
				t.Fatalf("got %d crashes, when %d had happened; now %+v", got, n.crashes, *n)
			}
		}
	})
}

// Statuses that make no sense: the total still never falls, and the announced crashes add up to it.
func TestLedgerIsMonotonicOnNonsense(t *testing.T) { rapid.Check(t, ledgerOnNonsense) }

func FuzzLedgerOnNonsense(f *testing.F) { fuzz(f, ledgerOnNonsense) }

func ledgerOnNonsense(t *rapid.T) {
	ids := rapid.SampledFrom([]string{"", "a", "b", "c"})
	codes := rapid.SampledFrom([]int32{0, 1, -1, 137})
	ledger := checker.NewLedger(checker.Ignore{ExitCodes: []int32{1, 137}})
	for range rapid.IntRange(1, 40).Draw(t, "steps") {
		var states []func(*corev1.ContainerStatus)
		if rapid.Bool().Draw(t, "running") {
			states = append(states, running(ids.Draw(t, "id")))
		}
		if rapid.Bool().Draw(t, "terminated") {
			states = append(states, terminated(ids.Draw(t, "id"), codes.Draw(t, "code")))
		}
		if rapid.Bool().Draw(t, "last") {
			states = append(states, last(ids.Draw(t, "id"), codes.Draw(t, "code")))
		}
		if rapid.IntRange(0, 3).Draw(t, "restarted") == 0 {
			states = append(states, restarted)
		}
		restarts := rapid.Int32().Draw(t, "restarts")
		p := pod(uid(types.UID(rapid.SampledFrom([]string{"x", "y"}).Draw(t, "uid"))), main("app", restarts, states...), initial("app", restarts, states...))
		if rapid.Bool().Draw(t, "deleted") {
			deleted(p)
		}
		before := ledger.Total()
		var announced int64
		for _, crash := range ledger.Record(p) {
			announced += crash.New
		}
		if ledger.Total() < before || ledger.Total() != before+announced {
			t.Fatalf("the total went from %d to %d, and %d new crashes were announced", before, ledger.Total(), announced)
		}
	}
}
