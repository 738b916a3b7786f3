package checker_test

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/crashcheck/crashcheck/pkg/checker"
)

// The builders below keep the pods as short as the claims about them.

// pod returns a pod with UID "uid", changed by each of these.
func pod(changes ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web-1", UID: "uid", Namespace: "prod"}}
	p.Status.Phase = corev1.PodRunning
	for _, change := range changes {
		change(p)
	}
	return p
}

func uid(uid types.UID) func(*corev1.Pod) { return func(p *corev1.Pod) { p.UID = uid } }

func named(name string) func(*corev1.Pod) { return func(p *corev1.Pod) { p.Name = name } }

func phase(phase corev1.PodPhase) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Status.Phase = phase }
}

func deleted(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} }

func podPolicy(policy corev1.RestartPolicy) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Spec.RestartPolicy = policy }
}

// main adds the status of a main container, initial that of an init container.
func main(name string, restarts int32, states ...func(*corev1.ContainerStatus)) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, status(name, restarts, states))
	}
}

func initial(name string, restarts int32, states ...func(*corev1.ContainerStatus)) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.InitContainerStatuses = append(p.Status.InitContainerStatuses, status(name, restarts, states))
	}
}

func status(name string, restarts int32, states []func(*corev1.ContainerStatus)) corev1.ContainerStatus {
	s := corev1.ContainerStatus{Name: name, RestartCount: restarts}
	for _, state := range states {
		state(&s)
	}
	return s
}

// mainPolicy and initPolicy give a container a restart policy of its own.
func mainPolicy(name string, policy corev1.ContainerRestartPolicy) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: name, RestartPolicy: &policy})
	}
}

func initPolicy(name string, policy corev1.ContainerRestartPolicy) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.InitContainers = append(p.Spec.InitContainers, corev1.Container{Name: name, RestartPolicy: &policy})
	}
}

func termination(id string, exitCode int32) *corev1.ContainerStateTerminated {
	return &corev1.ContainerStateTerminated{ContainerID: id, ExitCode: exitCode}
}

// terminated: the latest instance has terminated.
func terminated(id string, exitCode int32) func(*corev1.ContainerStatus) {
	return func(s *corev1.ContainerStatus) {
		s.ContainerID, s.State.Terminated = id, termination(id, exitCode)
	}
}

// waiting: no new instance runs; id is the instance in the status.
func waiting(id string) func(*corev1.ContainerStatus) {
	return func(s *corev1.ContainerStatus) {
		s.ContainerID = id
		s.State.Waiting = &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}
	}
}

func running(id string) func(*corev1.ContainerStatus) {
	return func(s *corev1.ContainerStatus) {
		s.ContainerID, s.State.Running = id, &corev1.ContainerStateRunning{}
	}
}

// last: the instance before the current one terminated with this exit code.
func last(id string, exitCode int32) func(*corev1.ContainerStatus) {
	return func(s *corev1.ContainerStatus) { s.LastTerminationState.Terminated = termination(id, exitCode) }
}

// statusUnknown: the runtime does not know the container's state, and the kubelet makes up a termination.
func statusUnknown(s *corev1.ContainerStatus) {
	s.ContainerID = "a"
	s.State.Terminated = &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "ContainerStatusUnknown"}
}

func names(id string) func(*corev1.ContainerStatus) {
	return func(s *corev1.ContainerStatus) { s.ContainerID = id }
}

func TestCrashesOfOnePod(t *testing.T) {
	const always, onFailure, never = corev1.ContainerRestartPolicyAlways, corev1.ContainerRestartPolicyOnFailure, corev1.ContainerRestartPolicyNever
	tests := []struct {
		claim string
		pod   *corev1.Pod
		want  int64
	}{
		{"a Pending pod without statuses has none", pod(phase(corev1.PodPending)), 0},
		{"a running container has none", pod(main("app", 0, running("a"))), 0},
		{"restarts count", pod(main("app", 3, running("d"), last("c", 1))), 3},
		{"a termination counts as soon as it is visible", pod(main("app", 0, terminated("a", 1))), 1},
		{"a visible termination adds to the restarts", pod(main("app", 2, terminated("c", 1), last("b", 1))), 3},
		{"a termination counts in back-off, while the status still names its container", pod(main("app", 2, waiting("c"), last("c", 1))), 3},
		{"a termination does not count twice once the status names another container", pod(main("app", 3, waiting("d"), last("c", 1))), 3},
		{"a termination does not count twice once a new container runs", pod(main("app", 3, running("c"), last("c", 1))), 3},
		{"an absent state is waiting", pod(main("app", 0, names("a"), last("a", 1))), 1},
		{"restartCount already includes a last termination without a containerID (ContainerStatusUnknown)", pod(main("app", 1, waiting(""), last("", 137))), 1},
		{"the same while state shows it, for a container whose state the runtime does not know", pod(main("app", 1, statusUnknown)), 1},
		{"a current termination counts without a containerID too", pod(main("app", 0, terminated("", 1))), 1},
		{"waiting to be created is not a crash", pod(main("app", 0, waiting(""))), 0},
		{"a main container that exits with 0 has crashed: it should always run", pod(main("app", 0, terminated("a", 0))), 1},
		{"the pod's policy Always is the default", pod(podPolicy(corev1.RestartPolicyAlways), main("app", 0, terminated("a", 0))), 1},
		{"with the pod policy OnFailure, exit code 0 is not a crash", pod(podPolicy(corev1.RestartPolicyOnFailure), main("app", 0, terminated("a", 0))), 0},
		{"with the pod policy OnFailure, exit code 1 is a crash", pod(podPolicy(corev1.RestartPolicyOnFailure), main("app", 0, terminated("a", 1))), 1},
		{"with the pod policy Never, exit code 1 is a crash", pod(podPolicy(corev1.RestartPolicyNever), main("app", 0, terminated("a", 1))), 1},
		{"a main container's own policy overrides the pod's", pod(mainPolicy("app", onFailure), main("app", 0, terminated("a", 0))), 0},
		{"a main container's own policy Always overrides the pod's", pod(podPolicy(corev1.RestartPolicyNever), mainPolicy("app", always), main("app", 0, terminated("a", 0))), 1},
		{"a container's policy Never does not excuse a failure", pod(mainPolicy("app", never), main("app", 0, terminated("a", 1))), 1},
		{"an init container that exits with 0 has completed", pod(initial("migrate", 0, terminated("a", 0))), 0},
		{"an init container that fails has crashed", pod(initial("migrate", 0, terminated("a", 3))), 1},
		{"an init container counts in back-off", pod(initial("migrate", 1, waiting("b"), last("b", 3))), 2},
		{"an init container does not inherit the pod's Always", pod(podPolicy(corev1.RestartPolicyAlways), initial("migrate", 0, terminated("a", 0))), 0},
		{"a sidecar that exits with 0 has crashed", pod(initPolicy("proxy", always), initial("proxy", 0, terminated("a", 0))), 1},
		{"all containers count together", pod(initial("migrate", 1, running("a")), main("app", 2, terminated("b", 1)), main("web", 0, running("c"))), 4},
		{"ephemeral containers do not count", pod(func(p *corev1.Pod) {
			p.Status.EphemeralContainerStatuses = []corev1.ContainerStatus{status("debug", 0, []func(*corev1.ContainerStatus){terminated("a", 1)})}
		}), 0},
		{"a pod that is being deleted adds no pending crash", pod(deleted, main("app", 2, terminated("c", 137))), 2},
		{"a Failed pod adds no pending crash (an eviction)", pod(phase(corev1.PodFailed), main("app", 1, terminated("b", 137))), 1},
		{"a Succeeded pod adds no pending crash", pod(phase(corev1.PodSucceeded), main("app", 0, terminated("a", 0))), 0},
		{"an ignored container does not count", pod(main("istio-proxy", 5, terminated("a", 1))), 0},
		{"an ignored init container does not count", pod(initial("istio-proxy", 5, terminated("a", 1))), 0},
		{"the largest count does not overflow", pod(main("app", 2147483647, terminated("a", 1)), main("web", 2147483647, terminated("b", 1))), 4294967296},
		{"a negative count is none", pod(main("app", -3, running("a"))), 0},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			ledger := checker.NewLedger(checker.Ignore{Containers: []string{"istio-proxy"}})
			ledger.Record(test.pod)
			if got := ledger.Total(); got != test.want {
				t.Errorf("got %d crashes, want %d", got, test.want)
			}
			if crashes := ledger.Record(test.pod); len(crashes) > 0 || ledger.Total() != test.want {
				t.Errorf("seen again, the total is %d, with new crashes %v", ledger.Total(), crashes)
			}
		})
	}
}

// A step is a pod as it is seen next, and the total after it.
type step struct {
	pod  *corev1.Pod
	want int64
}

// play records the steps. The announced crashes must add up to the total.
func play(t *testing.T, ledger *checker.Ledger, steps []step) {
	t.Helper()
	for i, step := range steps {
		before := ledger.Total()
		var announced int64
		for _, crash := range ledger.Record(step.pod) {
			announced += crash.New
		}
		if got := ledger.Total(); got != step.want || announced != got-before {
			t.Fatalf("step %d: got %d crashes, want %d; %d new crashes were announced after %d", i+1, got, step.want, announced, before)
		}
	}
}

func TestCrashesOverTime(t *testing.T) {
	tests := []struct {
		claim string
		steps []step
	}{
		{"a termination counts once on its way into restartCount", []step{
			{pod(main("app", 0, running("a"))), 0},
			{pod(main("app", 0, terminated("a", 1))), 1},
			{pod(main("app", 0, waiting("a"), last("a", 1))), 1},
			{pod(main("app", 1, running("b"), last("a", 1))), 1},
			{pod(main("app", 1, terminated("b", 1), last("a", 1))), 2},
		}},
		{"restartCount adds the terminations that no check has seen", []step{
			{pod(main("app", 1, running("b"))), 1},
			{pod(main("app", 4, running("e"), last("d", 1))), 4},
		}},
		{"a deleted pod keeps its crashes, a pending one included", []step{
			{pod(main("app", 1, terminated("b", 1))), 2},
			{pod(deleted, main("app", 1, terminated("b", 1))), 2},
		}},
		{"a pod that fails keeps its crashes", []step{
			{pod(main("app", 0, terminated("a", 1))), 1},
			{pod(phase(corev1.PodFailed), main("app", 0, terminated("b", 137))), 1},
		}},
		{"a pod that is replaced adds its crashes", []step{
			{pod(main("app", 2, running("c"))), 2},
			{pod(uid("other"), named("web-2"), main("app", 1, running("b"))), 3},
		}},
		{"a pod recreated under the same name is another pod", []step{
			{pod(main("app", 2, running("c"))), 2},
			{pod(uid("other"), main("app", 1, running("b"))), 3},
		}},
		{"statuses that disappear subtract nothing", []step{
			{pod(main("app", 2, running("c"))), 2},
			{pod(), 2},
			{pod(main("app", 2, running("c"))), 2},
		}},
		{"after a reset, the new count is added whole", []step{
			{pod(main("app", 5, running("f"), last("e", 1))), 5},
			{pod(main("app", 2, running("h"), last("g", 1))), 7},
			{pod(main("app", 3, running("i"), last("h", 1))), 8},
		}},
		{"a reset to 0 adds nothing, and later crashes count", []step{
			{pod(main("app", 5, running("f"))), 5},
			{pod(main("app", 0, running("f"))), 5},
			{pod(main("app", 0, terminated("f", 1))), 6},
			{pod(main("app", 1, running("g"), last("f", 1))), 6},
		}},
		{"a pending crash is not counted again after a reset", []step{
			{pod(main("app", 3, terminated("x", 1))), 4},
			{pod(main("app", 0, terminated("x", 1))), 4},
			{pod(main("app", 0, waiting("x"), last("x", 1))), 4},
			{pod(main("app", 1, running("y"), last("x", 1))), 4},
			{pod(main("app", 1, terminated("y", 1), last("x", 1))), 5},
		}},
		{"a pending crash is not counted again by a count that includes it after a reset", []step{
			{pod(main("app", 5, terminated("x", 1))), 6},
			{pod(main("app", 1, running("y"), last("x", 1))), 6},
			{pod(main("app", 2, running("z"), last("y", 1))), 7},
		}},
		{"a pending crash before a reset hides no new one after it", []step{
			{pod(main("app", 5, terminated("x", 1))), 6},
			{pod(main("app", 1, terminated("y", 1), last("x", 1))), 7},
		}},
		{"a pending crash that the new count does not include hides nothing", []step{
			{pod(main("app", 5, terminated("x", 1))), 6},
			{pod(main("app", 0, running("y"), last("x", 1))), 6},
			{pod(main("app", 0, terminated("y", 1), last("x", 1))), 7},
		}},
		{"a pending crash that shows up again later is not counted again", []step{
			{pod(main("app", 3, terminated("x", 1))), 4},
			{pod(main("app", 0)), 4},
			{pod(main("app", 1, running("y"), last("x", 1))), 4},
			{pod(main("app", 1, terminated("y", 1), last("x", 1))), 5},
		}},
		{"nor when it is still the pending one", []step{
			{pod(main("app", 3, terminated("x", 1))), 4},
			{pod(main("app", 0)), 4},
			{pod(main("app", 0, terminated("x", 1))), 4},
			{pod(main("app", 1, running("y"), last("x", 1))), 4},
		}},
		{"two resets add up", []step{
			{pod(main("app", 3, running("a"))), 3},
			{pod(main("app", 1, running("b"))), 4},
			{pod(main("app", 0, running("c"))), 4},
			{pod(main("app", 1, running("d"))), 5},
		}},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			play(t, checker.NewLedger(checker.Ignore{}), test.steps)
		})
	}
}

func TestBaseline(t *testing.T) {
	ledger := checker.NewLedger(checker.Ignore{})
	ledger.Record(pod(main("app", 3, terminated("d", 1)), main("web", 1, running("b"))))
	ledger.SetBaseline()
	if got := ledger.Total(); got != 0 {
		t.Fatalf("at the baseline, the total is %d", got)
	}
	ledger.Record(pod(main("app", 4, running("e"), last("d", 1)), main("web", 1, running("b"))))
	if got := ledger.Total(); got != 0 {
		t.Errorf("the pending crash of the baseline counts once restartCount includes it: %d", got)
	}
	ledger.Record(pod(main("app", 4, terminated("e", 1)), main("web", 1, running("b"))))
	ledger.Record(pod(uid("late"), named("web-2"), main("app", 2, running("c"))))
	if got := ledger.Total(); got != 3 {
		t.Errorf("got %d crashes after the baseline, want 1, and 2 of the pod that appeared later", got)
	}
	var got []string
	for _, c := range ledger.Containers() {
		got = append(got, c.Pod+"/"+c.Container)
	}
	if want := "web-2/app web-1/app"; strings.Join(got, " ") != want {
		t.Errorf("crashed since the baseline: %q, want %q", got, want)
	}
}

func TestContainersAreWorstFirstThenByPodAndContainer(t *testing.T) {
	ledger := checker.NewLedger(checker.Ignore{})
	ledger.Record(pod(uid("2"), named("b"), main("y", 2), main("x", 2), initial("setup", 1)))
	ledger.Record(pod(uid("1"), named("a"), main("app", 2), main("healthy", 0)))
	ledger.Record(pod(uid("3"), named("c"), initPolicy("proxy", corev1.ContainerRestartPolicyAlways), initial("proxy", 9)))
	var got []string
	for _, c := range ledger.Containers() {
		got = append(got, c.Pod+"/"+c.Container+":"+string(c.Kind))
	}
	if want := "c/proxy:sidecar a/app:main b/x:main b/y:main b/setup:init"; strings.Join(got, " ") != want {
		t.Errorf("got  %q\nwant %q", strings.Join(got, " "), want)
	}
	if ledger.Pods() != 3 {
		t.Errorf("got %d pods, want 3", ledger.Pods())
	}
}

func TestTheLatestTerminationIsKept(t *testing.T) {
	finished := metav1.Date(2026, 11, 22, 14, 10, 31, 0, time.UTC)
	ledger := checker.NewLedger(checker.Ignore{})
	crashed := pod(main("app", 0, terminated("a", 137)), initial("done", 1, terminated("b", 0), last("c", 9)))
	crashed.Status.ContainerStatuses[0].State.Terminated.Reason = "OOMKilled"
	crashed.Status.ContainerStatuses[0].State.Terminated.Message = strings.Repeat("é", 400)
	crashed.Status.ContainerStatuses[0].State.Terminated.FinishedAt = finished
	crashes := ledger.Record(crashed)
	if len(crashes) != 2 {
		t.Fatalf("got %d crashes, want 2: %v", len(crashes), crashes)
	}
	// Init containers are read first.
	if got := crashes[0]; got.Container != "done" || got.Kind != checker.Init || got.New != 1 {
		t.Errorf("got %+v", got)
	}
	app := crashes[1]
	if app.Termination == nil || app.Termination.String() != "exit code 137 (OOMKilled)" || !app.Termination.FinishedAt.Equal(finished.Time) {
		t.Errorf("got the termination %+v", app.Termination)
	}
	if want := strings.Repeat("é", 256) + "…"; app.Termination.Message != want {
		t.Errorf("a long message is kept as %d bytes, want %d", len(app.Termination.Message), len(want))
	}
	if got := ledger.Containers()[0]; !got.Waiting || got.Pod != "web-1" {
		t.Errorf("the crash is still pending, but got %+v", got)
	}
	ledger.Record(pod(main("app", 1, running("n"), last("a", 137))))
	if got := ledger.Containers()[0]; got.Waiting {
		t.Errorf("a new container runs, but got %+v", got)
	}
	if got := (*checker.Termination)(nil).String(); got != "exit code unknown" {
		t.Errorf("an unknown termination reads %q", got)
	}
}

// What people read about a crash must not describe what the container did before or after.
func TestTheTerminationOfACrashIsNotAnotherOne(t *testing.T) {
	for _, test := range []struct {
		claim string
		seen  []*corev1.Pod
		want  string
	}{
		{"the termination of a deleted pod does not replace it", []*corev1.Pod{
			pod(main("app", 2, terminated("c", 137))),
			pod(deleted, main("app", 2, terminated("d", 0), last("c", 137))),
		}, "exit code 137"},
		{"an earlier termination does not replace it", []*corev1.Pod{
			pod(main("app", 2, terminated("c", 137), last("b", 1))),
			pod(deleted, main("app", 2, terminated("c", 137), last("b", 1))),
		}, "exit code 137"},
		{"an init container that has completed shows how it crashed before", []*corev1.Pod{
			pod(initial("migrate", 3, terminated("d", 0), last("c", 9))),
		}, "exit code 9"},
		{"a termination that becomes visible later is shown", []*corev1.Pod{
			pod(main("app", 1, running("b"))),
			pod(main("app", 1, running("b"), last("a", 137))),
		}, "exit code 137"},
		{"a crash whose termination is not visible is unknown", []*corev1.Pod{
			pod(main("app", 1, terminated("b", 137))),
			pod(main("app", 5, running("f"))),
		}, "exit code unknown"},
	} {
		ledger := checker.NewLedger(checker.Ignore{})
		for _, p := range test.seen {
			ledger.Record(p)
		}
		if got := ledger.Containers()[0].Termination.String(); got != test.want {
			t.Errorf("%s: got %s, want %s", test.claim, got, test.want)
		}
	}
}
