package checker_test

import (
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"

	"github.com/crashcheck/crashcheck/pkg/checker"
)

// onPurpose is the exit code that the ledgers of this file ignore.
const onPurpose = 42

func TestIgnoredExitCodesAreDiscounted(t *testing.T) {
	tests := []struct {
		claim string
		steps []step
	}{
		{"a termination that is seen at once never counts", []step{
			{pod(main("app", 0, running("a"))), 0},
			{pod(main("app", 0, terminated("a", onPurpose))), 0},
			{pod(main("app", 0, waiting("a"), last("a", onPurpose))), 0},
			{pod(main("app", 1, running("b"), last("a", onPurpose))), 0},
			{pod(main("app", 1, running("b"), last("a", onPurpose))), 0},
		}},
		{"a termination that lastState shows when restartCount rises does not count", []step{
			{pod(main("app", 0, running("a"))), 0},
			{pod(main("app", 1, running("b"), last("a", onPurpose))), 0},
			{pod(main("app", 2, running("c"), last("b", onPurpose))), 0},
		}},
		{"at first sight, one termination is discounted, and the others count", []step{
			{pod(main("app", 3, running("d"), last("c", onPurpose))), 2},
			{pod(main("app", 3, running("d"), last("c", onPurpose))), 2},
		}},
		{"at first sight, a pending termination and the one in lastState are discounted", []step{
			{pod(main("app", 3, terminated("d", onPurpose), last("c", onPurpose))), 2},
			{pod(main("app", 4, running("e"), last("d", onPurpose))), 2},
		}},
		{"of a larger rise, the terminations that nobody saw count", []step{
			{pod(main("app", 0, running("a"))), 0},
			{pod(main("app", 3, running("d"), last("c", onPurpose))), 2},
		}},
		{"a pending termination is discounted although lastState shows a later crash", []step{
			{pod(main("app", 0, terminated("a", onPurpose))), 0},
			{pod(main("app", 2, running("c"), last("b", 1))), 1},
		}},
		{"both the pending and the last termination are discounted", []step{
			{pod(main("app", 0, terminated("a", onPurpose))), 0},
			{pod(main("app", 2, running("c"), last("b", onPurpose))), 0},
		}},
		{"another exit code counts", []step{
			{pod(main("app", 0, terminated("a", onPurpose))), 0},
			{pod(main("app", 1, running("b"), last("a", onPurpose))), 0},
			{pod(main("app", 1, terminated("b", 1), last("a", onPurpose))), 1},
			{pod(main("app", 2, running("c"), last("b", 1))), 1},
		}},
		{"a discount that comes late does not make the total fall, but is set off against the next crash", []step{
			{pod(main("app", 1, running("b"))), 1},
			{pod(main("app", 1, running("b"), last("a", onPurpose))), 1},
			{pod(main("app", 1, terminated("b", 1), last("a", onPurpose))), 1},
			{pod(main("app", 2, terminated("c", 1), last("b", 1))), 2},
		}},
		{"without a containerID, a termination is discounted when restartCount rises", []step{
			{pod(main("app", 1, running("b"), last("", onPurpose))), 0},
			{pod(main("app", 1, running("b"), last("", onPurpose))), 0},
			{pod(main("app", 2, running("c"), last("", onPurpose))), 0},
		}},
		{"a pending termination without a containerID is discounted once", []step{
			{pod(main("app", 0, terminated("", onPurpose))), 0},
			{pod(main("app", 1, running("b"), last("", onPurpose))), 0},
			{pod(main("app", 2, running("c"), last("b", 1))), 1},
		}},
		{"a pending termination without a containerID hides no crash before it", []step{
			{pod(main("app", 1, terminated("", onPurpose), last("a", 1))), 1},
			{pod(main("app", 2, running("c"), last("", onPurpose))), 1},
			{pod(main("app", 3, running("d"), last("c", 1))), 2},
		}},
		{"a reset starts again from 0", []step{
			{pod(main("app", 5, running("f"), last("e", onPurpose))), 4},
			{pod(main("app", 2, running("h"), last("g", onPurpose))), 5},
			{pod(main("app", 2, terminated("h", 1), last("g", onPurpose))), 6},
		}},
		{"a reset that drops a pending termination hides no crash", []step{
			{pod(main("app", 1, terminated("b", onPurpose))), 1},
			{pod(main("app", 0, running("c"))), 1},
			{pod(main("app", 1, running("d"), last("c", 1))), 2},
		}},
		{"after a reset, a termination that restartCount does not include hides no crash", []step{
			{pod(main("app", 1, running("b"), last("a", onPurpose))), 0},
			{pod(main("app", 0, running("c"), last("b", onPurpose))), 0},
			{pod(main("app", 0, terminated("c", 1))), 1},
		}},
		{"without a containerID, a termination that stays visible hides no crash", []step{
			{pod(main("app", 2, running("c"), last("", onPurpose))), 1},
			{pod(main("app", 2, running("c"), last("", onPurpose))), 1},
			{pod(main("app", 2, terminated("c", 1), last("", onPurpose))), 2},
		}},
		{"a pod that is being deleted keeps its discounts", []step{
			{pod(main("app", 1, terminated("b", onPurpose), last("a", onPurpose))), 0},
			{pod(deleted, main("app", 1, terminated("b", onPurpose), last("a", onPurpose))), 0},
		}},
		{"state and lastState can show the same termination after a restart of the kubelet: it is discounted once", []step{
			{pod(main("app", 0, terminated("a", 1))), 1},
			{pod(main("app", 1, waiting("b"), last("b", onPurpose))), 1},
			{pod(main("app", 1, terminated("b", onPurpose), last("b", onPurpose))), 1},
			{pod(main("app", 2, running("c"), last("b", onPurpose))), 1},
			{pod(main("app", 2, terminated("c", 1), last("b", onPurpose))), 2},
		}},
		{"the same at first sight, in a pod that is being deleted", []step{
			{pod(deleted, main("app", 1, terminated("b", onPurpose), last("b", onPurpose))), 1},
		}},
		{"an init container that has to run again because it exits with an ignored code does not count", []step{
			{pod(initial("migrate", 0, terminated("a", onPurpose))), 0},
			{pod(initial("migrate", 1, terminated("b", 0), last("a", onPurpose))), 0},
		}},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			play(t, checker.NewLedger(checker.Ignore{ExitCodes: []int32{onPurpose, 137}}), test.steps)
		})
	}
}

func TestATerminationThatIsIgnoredIsNotShownAsACrash(t *testing.T) {
	ledger := checker.NewLedger(checker.Ignore{ExitCodes: []int32{onPurpose}})
	ledger.Record(pod(main("app", 0, terminated("a", 7))))
	ledger.Record(pod(main("app", 1, terminated("b", onPurpose), last("a", 7))))
	if got := ledger.Containers(); len(got) != 1 || got[0].Crashes != 1 || got[0].Termination.ExitCode != 7 {
		t.Errorf("got %+v", got)
	}
	ledger.Record(pod(main("app", 4, running("e"), last("d", onPurpose))))
	if got := ledger.Containers()[0]; got.Crashes != 2 || got.Termination != nil {
		t.Errorf("nobody saw the second crash, but got %+v", got)
	}
}

func TestAMadeUpTerminationInADeletedPodHidesNoOther(t *testing.T) {
	ledger := checker.NewLedger(checker.Ignore{ExitCodes: []int32{onPurpose}})
	if crashes := ledger.Record(pod(deleted, main("app", 1, statusUnknown, last("a", onPurpose)))); len(crashes) > 0 {
		t.Errorf("restartCount has only the termination in lastState, but got %+v", crashes)
	}
}

// restarted: the kubelet has restarted all containers of the pod, and this one waits to start.
func restarted(s *corev1.ContainerStatus) {
	s.State.Waiting = &corev1.ContainerStateWaiting{Reason: "RestartingAllContainers"}
	s.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "RestartingAllContainers"}
}

// restarts gives a container the rule that this exit code restarts all containers of the pod.
func restartsAll(name string, exitCode int32) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		never := corev1.ContainerRestartPolicyNever
		p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: name, RestartPolicy: &never, RestartPolicyRules: []corev1.ContainerRestartRule{
			{Action: corev1.ContainerRestartRuleActionRestart, ExitCodes: &corev1.ContainerRestartRuleOnExitCodes{Operator: corev1.ContainerRestartRuleOnExitCodesOpIn, Values: []int32{99}}},
			{Action: corev1.ContainerRestartRuleActionRestartAllContainers, ExitCodes: &corev1.ContainerRestartRuleOnExitCodes{Operator: corev1.ContainerRestartRuleOnExitCodesOpIn, Values: []int32{exitCode}}},
		}})
	}
}

func TestRestartAllContainersIsOneCrash(t *testing.T) {
	rule := restartsAll("trigger", 7)
	notIn := func(p *corev1.Pod) {
		restartsAll("trigger", 0)(p)
		p.Spec.Containers[0].RestartPolicyRules[1].ExitCodes.Operator = corev1.ContainerRestartRuleOnExitCodesOpNotIn
	}
	tests := []struct {
		claim string
		steps []step
		want  string // the crashed containers
	}{
		{"that of the container that triggered it, if that was seen", []step{
			{pod(rule, initial("setup", 0, terminated("s", 0)), main("steady", 0, running("a")), main("trigger", 0, terminated("t", 7))), 1},
			{pod(rule, initial("setup", 1, restarted), main("steady", 1, restarted), main("trigger", 1, restarted)), 1},
			{pod(rule, initial("setup", 1, restarted), main("steady", 1, restarted), main("trigger", 1, restarted)), 1},
		}, "trigger:1"},
		{"that of one of them, if it was not", []step{
			{pod(rule, initial("setup", 0, terminated("s", 0)), main("steady", 0, running("a")), main("trigger", 0, running("t"))), 0},
			{pod(rule, initial("setup", 1, restarted), main("steady", 1, restarted), main("trigger", 1, restarted)), 1},
		}, "steady:1"},
		{"at first sight too", []step{
			{pod(rule, initial("setup", 1, restarted), main("steady", 1, restarted), main("trigger", 1, restarted)), 1},
		}, "steady:1"},
		{"none, if the trigger's exit code is ignored", []step{
			{pod(restartsAll("trigger", onPurpose), main("steady", 0, running("a")), main("trigger", 0, terminated("t", onPurpose))), 0},
			{pod(restartsAll("trigger", onPurpose), main("steady", 1, restarted), main("trigger", 1, restarted)), 0},
			{pod(restartsAll("trigger", onPurpose), main("steady", 1, terminated("b", 1)), main("trigger", 1, running("u"))), 1},
		}, "steady:1"},
		{"an exit code of 0 can trigger it", []step{
			{pod(restartsAll("trigger", 0), main("steady", 0, running("a")), main("trigger", 0, terminated("t", 0))), 1},
			{pod(restartsAll("trigger", 0), main("steady", 1, restarted), main("trigger", 1, restarted)), 1},
		}, "trigger:1"},
		{"none, if the trigger is a container that is ignored", []step{
			{pod(restartsAll("ignored", 7), main("steady", 0, running("a")), main("ignored", 0, terminated("t", 7))), 0},
			{pod(restartsAll("ignored", 7), main("steady", 1, restarted), main("ignored", 1, restarted)), 0},
		}, ""},
		{"a container that is ignored does not keep the crash", []step{
			{pod(rule, main("ignored", 1, restarted), main("trigger", 1, restarted)), 1},
		}, "trigger:1"},
		{"its exit code is the kubelet's: 137 is not ignored", []step{
			{pod(rule, main("steady", 1, restarted), main("trigger", 1, restarted)), 1},
		}, "steady:1"},
		{"each event is one", []step{
			{pod(rule, main("steady", 0, running("a")), main("trigger", 0, terminated("t", 7))), 1},
			{pod(rule, main("steady", 1, restarted), main("trigger", 1, restarted)), 1},
			{pod(rule, main("steady", 1, running("b")), main("trigger", 1, running("u"))), 1},
			{pod(rule, main("steady", 2, restarted), main("trigger", 2, restarted)), 2},
		}, "steady:1 trigger:1"},
		{"each event is one, although only the first trigger was seen", []step{
			{pod(rule, main("trigger", 0, terminated("t", 7))), 1},
			{pod(rule, main("trigger", 2, restarted)), 2},
		}, "trigger:2"},
		{"an exit code that a rule does not list can trigger it", []step{
			{pod(notIn, main("steady", 0, running("a")), main("trigger", 0, terminated("t", 7))), 1},
			{pod(notIn, main("steady", 1, restarted), main("trigger", 1, restarted)), 1},
		}, "trigger:1"},
		{"the pod fails at the same time", []step{
			{pod(rule, initial("setup", 0, terminated("s", 0)), main("steady", 0, running("a")), main("trigger", 0, running("t"))), 0},
			{pod(rule, phase(corev1.PodFailed), initial("setup", 1, restarted), main("steady", 1, restarted), main("trigger", 1, restarted)), 1},
		}, "steady:1"},
		{"crashes beside it count", []step{
			{pod(rule, main("steady", 0, terminated("a", 1)), main("trigger", 0, running("t"))), 1},
			{pod(rule, main("steady", 2, restarted), main("trigger", 1, restarted)), 2},
		}, "steady:2"},
		{"a pending crash of another container does not stand for the trigger's", []step{
			{pod(rule, main("steady", 0, terminated("a", 1)), main("trigger", 0, running("t"))), 1},
			{pod(rule, main("steady", 1, restarted), main("trigger", 1, restarted)), 2},
		}, "steady:1 trigger:1"},
		{"a container that waits keeps its pending crash", []step{
			{pod(rule, main("steady", 1, waiting("b"), last("b", 1)), main("trigger", 0, terminated("t", 7))), 3},
			{pod(rule, main("steady", 1, waiting("b"), last("b", 1)), main("trigger", 1, restarted)), 3},
		}, "steady:2 trigger:1"},
		{"the made-up termination may also be the current state", []step{
			{pod(rule, main("steady", 0, running("a")), main("trigger", 0, terminated("t", 7))), 1},
			{pod(rule, main("trigger", 1, restarted), main("steady", 1, func(s *corev1.ContainerStatus) {
				s.State.Terminated = &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "RestartingAllContainers"}
			})), 1},
		}, "trigger:1"},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			ledger := checker.NewLedger(checker.Ignore{Containers: []string{"ignored"}, ExitCodes: []int32{onPurpose, 137}})
			play(t, ledger, test.steps)
			got := ""
			for _, c := range ledger.Containers() {
				got += fmt.Sprintf(" %s:%d", c.Container, c.Crashes)
			}
			if got != "" {
				got = got[1:]
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestAPodThatIsEvictedForItsOwnUseIsOneCrash(t *testing.T) {
	disrupted := func(status corev1.ConditionStatus) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: corev1.DisruptionTarget, Status: status})
		}
	}
	with := func(p *corev1.Pod, changes ...func(*corev1.Pod)) *corev1.Pod {
		for _, change := range changes {
			change(p)
		}
		return p
	}
	unknown := func(s *corev1.ContainerStatus) {
		s.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "ContainerStatusUnknown"}
	}
	always := func(p *corev1.Pod) {
		p.Spec.RestartPolicy = corev1.RestartPolicyAlways
		p.Spec.Containers = []corev1.Container{{Name: "app"}}
	}
	tests := []struct {
		claim string
		steps []step
	}{
		{"it counts once, in place of its containers' last terminations", []step{
			{pod(main("app", 1, running("b"))), 1},
			{with(failed("Evicted"), main("app", 1, terminated("b", 137))), 2},
			{with(failed("Evicted"), main("app", 1, terminated("b", 137))), 2},
		}},
		{"it counts at first sight", []step{{failed("Evicted"), 1}}},
		{"DisruptionTarget False does not matter", []step{{with(failed("Evicted"), disrupted(corev1.ConditionFalse)), 1}}},
		{"DisruptionTarget True is node pressure, a drain or a preemption", []step{{with(failed("Evicted"), disrupted(corev1.ConditionTrue)), 0}}},
		{"a pod that failed for another reason does not count", []step{
			{failed("Preempting"), 0}, {failed("UnexpectedAdmissionError"), 0}, {failed("NodeShutdown"), 0}, {failed(""), 0},
		}},
		{"a pod that the node's state kept from being admitted does not count", []step{{with(failed("Evicted"), func(p *corev1.Pod) {
			p.Status.Message = "Pod was rejected: The node had condition: [MemoryPressure]."
		}), 0}}},
		{"what the kubelet makes up for containers that it removed with the pod does not count", []step{
			{pod(main("app", 1, running("b"))), 1},
			{with(failed("Evicted"), main("app", 2, waiting(""), unknown)), 2},
			{with(failed("Evicted"), main("app", 2, terminated("", 137), unknown)), 2},
		}},
		{"nor does it if the pod failed for another reason", []step{
			{pod(main("app", 1, running("b"))), 1},
			{with(failed("NodeShutdown"), main("app", 2, waiting(""), unknown)), 1},
		}},
		{"a pod that ended with 0 although it should always run was evicted too", []step{
			{pod(always, main("app", 0, running("a"))), 0},
			{pod(always, phase(corev1.PodSucceeded), main("app", 0, terminated("a", 0))), 1},
			{pod(always, phase(corev1.PodSucceeded), main("app", 0, terminated("a", 0))), 1},
		}},
		{"unless it is being deleted", []step{{pod(always, deleted, phase(corev1.PodSucceeded), main("app", 0, terminated("a", 0))), 0}}},
		{"or DisruptionTarget is True", []step{{pod(always, phase(corev1.PodSucceeded), disrupted(corev1.ConditionTrue)), 0}}},
		{"or only a container that is ignored should always run", []step{
			{pod(podPolicy(corev1.RestartPolicyNever), mainPolicy("app", corev1.ContainerRestartPolicyNever), mainPolicy("ignored", corev1.ContainerRestartPolicyAlways), phase(corev1.PodSucceeded)), 0},
		}},
		{"a pod that may end with 0 was not evicted", []step{
			{pod(podPolicy(corev1.RestartPolicyAlways), mainPolicy("app", corev1.ContainerRestartPolicyOnFailure), phase(corev1.PodSucceeded), main("app", 0, terminated("a", 0))), 0},
		}},
		{"a pod that has not failed does not count", []step{{pod(func(p *corev1.Pod) { p.Status.Reason = "Evicted" }), 0}}},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			play(t, checker.NewLedger(checker.Ignore{Containers: []string{"ignored"}}), test.steps)
		})
	}
	ledger := checker.NewLedger(checker.Ignore{})
	crashes := ledger.Record(failed("Evicted"))
	want := checker.ContainerCrashes{Pod: "web-1", Kind: checker.Pod, New: 1, Crashes: 1, Termination: &checker.Termination{Reason: "Evicted", Message: "message"}}
	if len(crashes) != 1 || *crashes[0].Termination != *want.Termination || crashes[0].Kind != want.Kind || crashes[0].Container != "" {
		t.Errorf("got %+v, want %+v", crashes, want)
	}
	if got := ledger.Containers(); len(got) != 1 || got[0].Kind != checker.Pod || got[0].Crashes != 1 {
		t.Errorf("got %+v", got)
	}
}

// replica plays a kubelet with a pod of three containers that crash, exit on purpose, and restart one another.
type replica struct {
	codes      []int32 // the exit codes of its containers
	containers [3]instance
	crashes    int64 // that have happened
}

type instance struct {
	number   int
	restarts int32
	state    string // running, terminated, waiting, or restarted with all others
	code     int32  // of the latest termination
	lastAll  bool   // the termination before the current container was made up by the kubelet
}

const all = 7 // the exit code that restarts all containers

func (r *replica) step(t *rapid.T) {
	c := &r.containers[rapid.IntRange(0, 2).Draw(t, "container")]
	switch c.state {
	case "running":
		c.state, c.code = "terminated", rapid.SampledFrom(r.codes).Draw(t, "code")
		if c.code != onPurpose {
			r.crashes++
		}
	case "terminated":
		if c.code != all {
			c.state = "waiting"
			return
		}
		for i := range r.containers {
			if other := &r.containers[i]; other.state != "waiting" && other.state != "restarted" {
				other.restarts++
				other.state = "restarted"
			}
		}
	default:
		c.lastAll = c.state == "restarted"
		if !c.lastAll {
			c.restarts++
		}
		c.number++
		c.state = "running"
	}
}

func (r *replica) status() *corev1.Pod {
	var changes []func(*corev1.Pod)
	for i, c := range r.containers {
		name := fmt.Sprint("app", i)
		id := func(n int) string { return fmt.Sprint(name, "-", n) }
		var states []func(*corev1.ContainerStatus)
		switch {
		case c.state == "restarted":
			states = append(states, restarted)
		case c.state == "waiting":
			states = append(states, waiting(id(c.number)), last(id(c.number), c.code))
		case c.state == "terminated":
			states = append(states, terminated(id(c.number), c.code))
		default:
			states = append(states, running(id(c.number)))
			if c.number > 0 && !c.lastAll {
				states = append(states, last(id(c.number-1), c.code))
			}
		}
		if c.lastAll && c.state != "waiting" && c.state != "restarted" {
			states = append(states, func(s *corev1.ContainerStatus) {
				s.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "RestartingAllContainers"}
			})
		}
		changes = append(changes, restartsAll(name, all), main(name, c.restarts, states...))
	}
	return pod(changes...)
}

// Whatever happens in a pod: the total never falls, and a discount never hides a crash. If every status is seen, the total is
// exact: no termination on purpose counts, and an event that restarts all containers is one crash. If not, a crash just before
// such an event looks like a part of it.
func discountProperties(t *rapid.T) {
	ledger := checker.NewLedger(checker.Ignore{ExitCodes: []int32{onPurpose}})
	everyStatus := rapid.Bool().Draw(t, "every status is seen")
	r := &replica{codes: []int32{1, onPurpose}}
	if everyStatus {
		r.codes = append(r.codes, all)
	}
	for i := range r.containers {
		r.containers[i].state = "running"
	}
	ledger.Record(r.status())
	for range rapid.IntRange(1, 80).Draw(t, "steps") {
		r.step(t)
		if !everyStatus && rapid.Bool().Draw(t, "unseen") {
			continue
		}
		before := ledger.Total()
		var announced int64
		for _, crash := range ledger.Record(r.status()) {
			announced += crash.New
		}
		switch got := ledger.Total(); {
		case got < before || got != before+announced:
			t.Fatalf("the total went from %d to %d, and %d new crashes were announced", before, got, announced)
		case everyStatus && got != r.crashes:
			t.Fatalf("got %d crashes, when %d had happened; now %+v", got, r.crashes, r.containers)
		case got < r.crashes:
			t.Fatalf("got %d crashes, when %d had happened; now %+v", got, r.crashes, r.containers)
		}
	}
	var counted []int64
	for _, c := range ledger.Containers() {
		counted = append(counted, c.Crashes)
	}
	if !slices.IsSortedFunc(counted, func(a, b int64) int { return int(b - a) }) {
		t.Fatalf("the containers are not sorted: %v", counted)
	}
}

func TestDiscountProperties(t *testing.T) { rapid.Check(t, discountProperties) }

func FuzzDiscountProperties(f *testing.F) { fuzz(f, discountProperties) }
