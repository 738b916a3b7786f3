package checker_test

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/pkg/typed"
)

// The builders below make pods as short as the claims about them.

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

// record enters a pod as the API has it.
func record(ledger *checker.Ledger, pod *corev1.Pod) []checker.Crash {
	return ledger.Record(typed.Pod(pod))
}

func podPolicy(policy corev1.RestartPolicy) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Spec.RestartPolicy = policy }
}

// main adds a main container's status, initial that of an init container.
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

func end(id string, exitCode int32) *corev1.ContainerStateTerminated {
	return &corev1.ContainerStateTerminated{ContainerID: id, ExitCode: exitCode}
}

// ended: the latest instance has ended.
func ended(id string, exitCode int32) func(*corev1.ContainerStatus) {
	return func(s *corev1.ContainerStatus) {
		s.ContainerID, s.State.Terminated = id, end(id, exitCode)
	}
}

// waiting: no new instance runs; id is the instance that the status names.
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

// last: the instance before the current one ended so.
func last(id string, exitCode int32) func(*corev1.ContainerStatus) {
	return func(s *corev1.ContainerStatus) { s.LastTerminationState.Terminated = end(id, exitCode) }
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
		{"an end that is shown counts at once", pod(main("app", 0, ended("a", 1))), 1},
		{"an end that is shown adds to the restarts", pod(main("app", 2, ended("c", 1), last("b", 1))), 3},
		{"an end counts in back-off, while the status still names its container", pod(main("app", 2, waiting("c"), last("c", 1))), 3},
		{"an end does not count twice once the status names another container", pod(main("app", 3, waiting("d"), last("c", 1))), 3},
		{"an end does not count twice once a new container runs", pod(main("app", 3, running("c"), last("c", 1))), 3},
		{"an absent state is waiting", pod(main("app", 0, names("a"), last("a", 1))), 1},
		{"an end without a containerID is in the count already (ContainerStatusUnknown)", pod(main("app", 1, waiting(""), last("", 137))), 1},
		{"an end that is shown counts without a containerID too", pod(main("app", 0, ended("", 1))), 1},
		{"waiting to be created is no crash", pod(main("app", 0, waiting(""))), 0},
		{"a main container that ends with 0 has crashed, for it should run always", pod(main("app", 0, ended("a", 0))), 1},
		{"the pod's policy Always is the default", pod(podPolicy(corev1.RestartPolicyAlways), main("app", 0, ended("a", 0))), 1},
		{"with the pod's policy OnFailure, ending with 0 is none", pod(podPolicy(corev1.RestartPolicyOnFailure), main("app", 0, ended("a", 0))), 0},
		{"with the pod's policy OnFailure, ending with 1 is one", pod(podPolicy(corev1.RestartPolicyOnFailure), main("app", 0, ended("a", 1))), 1},
		{"with the pod's policy Never, ending with 1 is one", pod(podPolicy(corev1.RestartPolicyNever), main("app", 0, ended("a", 1))), 1},
		{"a main container's own policy is above the pod's", pod(mainPolicy("app", onFailure), main("app", 0, ended("a", 0))), 0},
		{"a main container's own policy Always is above the pod's", pod(podPolicy(corev1.RestartPolicyNever), mainPolicy("app", always), main("app", 0, ended("a", 0))), 1},
		{"a container's policy Never does not excuse a failure", pod(mainPolicy("app", never), main("app", 0, ended("a", 1))), 1},
		{"an init container that ends with 0 has done its work", pod(initial("migrate", 0, ended("a", 0))), 0},
		{"an init container that fails has crashed", pod(initial("migrate", 0, ended("a", 3))), 1},
		{"an init container counts in back-off", pod(initial("migrate", 1, waiting("b"), last("b", 3))), 2},
		{"an init container does not inherit the pod's Always", pod(podPolicy(corev1.RestartPolicyAlways), initial("migrate", 0, ended("a", 0))), 0},
		{"a sidecar that ends with 0 has crashed", pod(initPolicy("proxy", always), initial("proxy", 0, ended("a", 0))), 1},
		{"all containers count together", pod(initial("migrate", 1, running("a")), main("app", 2, ended("b", 1)), main("web", 0, running("c"))), 4},
		{"ephemeral containers do not count", pod(func(p *corev1.Pod) {
			p.Status.EphemeralContainerStatuses = []corev1.ContainerStatus{status("debug", 0, []func(*corev1.ContainerStatus){ended("a", 1)})}
		}), 0},
		{"a pod that is being deleted adds no pending crash", pod(deleted, main("app", 2, ended("c", 137))), 2},
		{"a Failed pod adds no pending crash (an eviction)", pod(phase(corev1.PodFailed), main("app", 1, ended("b", 137))), 1},
		{"a Succeeded pod adds no pending crash", pod(phase(corev1.PodSucceeded), main("app", 0, ended("a", 0))), 0},
		{"an ignored container does not count", pod(main("istio-proxy", 5, ended("a", 1))), 0},
		{"an ignored init container does not count", pod(initial("istio-proxy", 5, ended("a", 1))), 0},
		{"the largest count does not overflow", pod(main("app", 2147483647, ended("a", 1)), main("web", 2147483647, ended("b", 1))), 4294967296},
		{"a negative count is none", pod(main("app", -3, running("a"))), 0},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			ledger := checker.NewLedger("istio-proxy")
			record(ledger, test.pod)
			if got := ledger.Total(); got != test.want {
				t.Errorf("got %d crashes, want %d", got, test.want)
			}
			if crashes := record(ledger, test.pod); len(crashes) > 0 || ledger.Total() != test.want {
				t.Errorf("seen again, the total is %d, with new crashes %v", ledger.Total(), crashes)
			}
		})
	}
}

// Each step is a pod as it is seen next, and the total after it.
func TestCrashesOverTime(t *testing.T) {
	type step struct {
		pod  *corev1.Pod
		want int64
	}
	tests := []struct {
		claim string
		steps []step
	}{
		{"an end counts once on its way into restartCount", []step{
			{pod(main("app", 0, running("a"))), 0},
			{pod(main("app", 0, ended("a", 1))), 1},
			{pod(main("app", 0, waiting("a"), last("a", 1))), 1},
			{pod(main("app", 1, running("b"), last("a", 1))), 1},
			{pod(main("app", 1, ended("b", 1), last("a", 1))), 2},
		}},
		{"ends that no check has seen are made up for by restartCount", []step{
			{pod(main("app", 1, running("b"))), 1},
			{pod(main("app", 4, running("e"), last("d", 1))), 4},
		}},
		{"a deleted pod keeps what it had counted, the pending end too", []step{
			{pod(main("app", 1, ended("b", 1))), 2},
			{pod(deleted, main("app", 1, ended("b", 1))), 2},
		}},
		{"an evicted pod keeps what it had counted", []step{
			{pod(main("app", 0, ended("a", 1))), 1},
			{pod(phase(corev1.PodFailed), main("app", 0, ended("b", 137))), 1},
		}},
		{"a pod that is replaced adds its crashes", []step{
			{pod(main("app", 2, running("c"))), 2},
			{pod(uid("other"), named("web-2"), main("app", 1, running("b"))), 3},
		}},
		{"a pod recreated under the same name is another pod", []step{
			{pod(main("app", 2, running("c"))), 2},
			{pod(uid("other"), main("app", 1, running("b"))), 3},
		}},
		{"statuses that go absent take nothing away", []step{
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
			{pod(main("app", 0, ended("f", 1))), 6},
			{pod(main("app", 1, running("g"), last("f", 1))), 6},
		}},
		{"a pending end is not counted again after a reset", []step{
			{pod(main("app", 3, ended("x", 1))), 4},
			{pod(main("app", 0, ended("x", 1))), 4},
			{pod(main("app", 0, waiting("x"), last("x", 1))), 4},
			{pod(main("app", 1, running("y"), last("x", 1))), 4},
			{pod(main("app", 1, ended("y", 1), last("x", 1))), 5},
		}},
		{"a pending end is not counted again by the count that holds it after a reset", []step{
			{pod(main("app", 5, ended("x", 1))), 6},
			{pod(main("app", 1, running("y"), last("x", 1))), 6},
			{pod(main("app", 2, running("z"), last("y", 1))), 7},
		}},
		{"a pending end before a reset hides no new one after it", []step{
			{pod(main("app", 5, ended("x", 1))), 6},
			{pod(main("app", 1, ended("y", 1), last("x", 1))), 7},
		}},
		{"a pending end that the new count does not hold hides nothing", []step{
			{pod(main("app", 5, ended("x", 1))), 6},
			{pod(main("app", 0, running("y"), last("x", 1))), 6},
			{pod(main("app", 0, ended("y", 1), last("x", 1))), 7},
		}},
		{"a pending end that shows up again only later is not counted again", []step{
			{pod(main("app", 3, ended("x", 1))), 4},
			{pod(main("app", 0)), 4},
			{pod(main("app", 1, running("y"), last("x", 1))), 4},
			{pod(main("app", 1, ended("y", 1), last("x", 1))), 5},
		}},
		{"nor when it is still the pending one", []step{
			{pod(main("app", 3, ended("x", 1))), 4},
			{pod(main("app", 0)), 4},
			{pod(main("app", 0, ended("x", 1))), 4},
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
			ledger := checker.NewLedger()
			for i, step := range test.steps {
				before := ledger.Total()
				var announced int64
				for _, crash := range record(ledger, step.pod) {
					announced += crash.New
				}
				if got := ledger.Total(); got != step.want {
					t.Fatalf("step %d: got %d crashes, want %d", i+1, got, step.want)
				}
				if announced != ledger.Total()-before {
					t.Fatalf("step %d: %d new crashes are announced, but the total rose by %d", i+1, announced, ledger.Total()-before)
				}
			}
		})
	}
}

func TestBaseline(t *testing.T) {
	ledger := checker.NewLedger()
	record(ledger, pod(main("app", 3, ended("d", 1)), main("web", 1, running("b"))))
	ledger.SetBaseline()
	if got := ledger.Total(); got != 0 {
		t.Fatalf("at the baseline, the total is %d", got)
	}
	record(ledger, pod(main("app", 4, running("e"), last("d", 1)), main("web", 1, running("b"))))
	if got := ledger.Total(); got != 0 {
		t.Errorf("the pending end of the baseline counts once it is in restartCount: %d", got)
	}
	record(ledger, pod(main("app", 4, ended("e", 1)), main("web", 1, running("b"))))
	record(ledger, pod(uid("late"), named("web-2"), main("app", 2, running("c"))))
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
	ledger := checker.NewLedger()
	record(ledger, pod(uid("2"), named("b"), main("y", 2), main("x", 2), initial("setup", 1)))
	record(ledger, pod(uid("1"), named("a"), main("app", 2), main("healthy", 0)))
	record(ledger, pod(uid("3"), named("c"), initPolicy("proxy", corev1.ContainerRestartPolicyAlways), initial("proxy", 9)))
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

func TestTheLatestEndIsKept(t *testing.T) {
	finished := metav1.Date(2026, 11, 22, 14, 10, 31, 0, time.UTC)
	ledger := checker.NewLedger()
	crashed := pod(main("app", 0, ended("a", 137)), initial("done", 1, ended("b", 0), last("c", 9)))
	crashed.Status.ContainerStatuses[0].State.Terminated.Reason = "OOMKilled"
	crashed.Status.ContainerStatuses[0].State.Terminated.Message = strings.Repeat("é", 400)
	crashed.Status.ContainerStatuses[0].State.Terminated.FinishedAt = finished
	crashes := record(ledger, crashed)
	if len(crashes) != 2 {
		t.Fatalf("got %d crashes, want 2: %v", len(crashes), crashes)
	}
	// Init containers are read first.
	if got := crashes[0]; got.Container != "done" || got.Kind != checker.Init || got.New != 1 {
		t.Errorf("got %+v", got)
	}
	app := crashes[1]
	if app.End == nil || app.End.String() != "exit code 137 (OOMKilled)" || !app.End.FinishedAt.Equal(finished.Time) {
		t.Errorf("got the end %+v", app.End)
	}
	if want := strings.Repeat("é", 256) + "…"; app.End.Message != want {
		t.Errorf("a long message is kept as %d bytes, want %d", len(app.End.Message), len(want))
	}
	if got := ledger.Containers()[0]; !got.Waiting || got.Pod != "web-1" {
		t.Errorf("the end is still pending, but got %+v", got)
	}
	record(ledger, pod(main("app", 1, running("n"), last("a", 137))))
	if got := ledger.Containers()[0]; got.Waiting {
		t.Errorf("a new container runs, but got %+v", got)
	}
	if got := (*checker.End)(nil).String(); got != "exit code unknown" {
		t.Errorf("an unknown end reads %q", got)
	}
}

// What people read of a crash must be of the crash, not of what the container did before or after.
func TestTheEndOfACrashIsNotThatOfAnotherEnd(t *testing.T) {
	for _, test := range []struct {
		claim string
		seen  []*corev1.Pod
		want  string
	}{
		{"a deleted pod's own ending does not replace it", []*corev1.Pod{
			pod(main("app", 2, ended("c", 137))),
			pod(deleted, main("app", 2, ended("d", 0), last("c", 137))),
		}, "exit code 137"},
		{"an earlier end does not replace it", []*corev1.Pod{
			pod(main("app", 2, ended("c", 137), last("b", 1))),
			pod(deleted, main("app", 2, ended("c", 137), last("b", 1))),
		}, "exit code 137"},
		{"an init container that made it in the end shows how it crashed before", []*corev1.Pod{
			pod(initial("migrate", 3, ended("d", 0), last("c", 9))),
		}, "exit code 9"},
		{"a crash whose end is not shown is unknown", []*corev1.Pod{
			pod(main("app", 1, ended("b", 137))),
			pod(main("app", 5, running("f"))),
		}, "exit code unknown"},
	} {
		ledger := checker.NewLedger()
		for _, p := range test.seen {
			record(ledger, p)
		}
		if got := ledger.Containers()[0].End.String(); got != test.want {
			t.Errorf("%s: got %s, want %s", test.claim, got, test.want)
		}
	}
}
