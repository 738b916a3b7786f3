package simcluster

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// A step is one state of a container as the API shows it: containers are numbered as they appear.
type step struct {
	state     string
	restarts  int32
	container int // of status.containerID, from 1; 0 for none
	last      int // of lastState.terminated.containerID
}

// steps are the distinct states of a container, in their order, from the first state that has a containerID.
func steps(statuses []corev1.ContainerStatus) []step {
	numbers := map[string]int{"": 0}
	number := func(id string) int {
		if _, known := numbers[id]; !known {
			numbers[id] = len(numbers)
		}
		return numbers[id]
	}
	var seen []step
	for _, status := range statuses {
		if status.ContainerID == "" {
			continue
		}
		next := step{restarts: status.RestartCount, container: number(status.ContainerID)}
		switch state := status.State; {
		case state.Running != nil:
			next.state = "running"
		case state.Terminated != nil:
			next.state = "terminated " + state.Terminated.Reason
			if state.Terminated.ContainerID != status.ContainerID {
				next.state = "terminated container is another"
			}
		case state.Waiting != nil:
			next.state = "waiting " + state.Waiting.Reason
		}
		if last := status.LastTerminationState.Terminated; last != nil {
			next.last = number(last.ContainerID)
		}
		if len(seen) == 0 || seen[len(seen)-1] != next {
			seen = append(seen, next)
		}
	}
	return seen
}

func loadTrace(t *testing.T, name string) Trace {
	t.Helper()
	file, err := os.Open(filepath.Join("..", "..", "pkg", "checker", "testdata", "traces", name+".jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	trace, err := LoadTrace(file)
	if err != nil {
		t.Fatal(err)
	}
	return trace
}

// recorded are the statuses of one container of the trace's first pod.
func recorded(trace Trace, container string) []corev1.ContainerStatus {
	var statuses []corev1.ContainerStatus
	for _, event := range trace {
		if event.Pod.UID == trace[0].Pod.UID {
			statuses = append(statuses, statusOf(event.Pod, container)...)
		}
	}
	return statuses
}

// simulated are the statuses of one container of a one-pod release, at intervals shorter than any state.
func simulated(release Release, container string, until time.Duration) []corev1.ContainerStatus {
	var statuses []corev1.ContainerStatus
	for at := time.Duration(0); at <= until; at += 50 * time.Millisecond {
		for _, pod := range release.Pods(at) {
			statuses = append(statuses, statusOf(pod, container)...)
		}
	}
	return statuses
}

func statusOf(pod corev1.Pod, container string) []corev1.ContainerStatus {
	for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if status.Name == container {
			return []corev1.ContainerStatus{status}
		}
	}
	return nil
}

func TestCrashesLookLikeRecordedOnes(t *testing.T) {
	for _, test := range []struct {
		trace     string
		container string
		release   Release
	}{
		{"crash-fast", AppContainer, Release{App: CrashLoop(time.Second, 1)}},
		{"exit-zero", AppContainer, Release{App: CrashLoop(5*time.Second, 0)}},
		{"oom", AppContainer, Release{App: OOMKilled(2 * time.Second)}},
		{"init-crash", InitContainer, Release{Init: new(CrashLoop(time.Second, 3))}},
		{"sidecar-crash", SidecarContainer, Release{Sidecar: new(CrashLoop(4*time.Second, 1))}},
	} {
		t.Run(test.trace, func(t *testing.T) {
			trace := loadTrace(t, test.trace)
			want := steps(recorded(trace, test.container))
			got := steps(simulated(test.release, test.container, trace.Duration()+2*time.Minute))
			if len(want) < 15 {
				t.Fatalf("the trace has only %d steps", len(want))
			}
			if len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
				t.Errorf("steps:\n got %v\nwant %v", got, want)
			}
		})
	}
}

func TestCrashesComeInTheKubeletsTime(t *testing.T) {
	release := Release{App: CrashLoop(time.Millisecond, 1)}
	// A container that terminates immediately crashes at about 0, 0, 10, 30, 70, 150, 310 s, then every 5 minutes.
	for i, seconds := range []int{10, 30, 70, 150, 310, 610, 910} {
		due, crash := startupTime+time.Duration(seconds)*time.Second, i+3
		if got := terminations(release.Pods(due)[0]); got != crash-1 {
			t.Errorf("crashes by %v: got %d, want %d", due, got, crash-1)
		}
		if got := terminations(release.Pods(due + time.Second)[0]); got != crash {
			t.Errorf("crashes a second after %v: got %d, want %d", due, got, crash)
		}
	}
}

// terminations is how often the app container of a crash-looping pod has terminated.
func terminations(pod corev1.Pod) int {
	status := pod.Status.ContainerStatuses[0]
	if status.State.Running != nil {
		return int(status.RestartCount)
	}
	return int(status.RestartCount) + 1
}

func TestMessagesAreThoseOfTheKubelet(t *testing.T) {
	looping := Release{Namespace: "shop", Name: "web", Hash: "abc", App: CrashLoop(time.Second, 1)}.Pods(150 * time.Second)[0]
	for want, pod := range map[string]corev1.Pod{
		fmt.Sprintf("back-off 1m20s restarting failed container=app pod=%s_shop(%s)", looping.Name, looping.UID): looping,
		`Back-off pulling image "registry.example/app:1": ErrImagePull: failed to pull and unpack image "registry.example/app:1": ` +
			`failed to resolve reference "registry.example/app:1": registry.example/app:1: not found`: Release{App: CannotPull()}.Pods(time.Minute)[0],
	} {
		if got := pod.Status.ContainerStatuses[0].State.Waiting; got == nil || got.Message != want {
			t.Errorf("state.waiting: got %+v, want message %q", got, want)
		}
	}
}

func TestRelease(t *testing.T) {
	const minute = time.Minute
	for _, test := range []struct {
		claim   string
		release Release
		at      time.Duration
		want    string
	}{
		{"a new pod is pending and has no statuses", Release{}, 0, "Pending not-ready"},
		{"an unschedulable pod stays so", Release{Unschedulable: "0/3 nodes are available"}, minute, "Pending not-ready"},
		{"a starting pod's container is being created", Release{}, time.Second, "Pending not-ready app:ContainerCreating/0"},
		{"a healthy pod is ready", Release{}, minute, "Running ready app:running/0"},
		{"a crashed pod stays Running, but is not ready", Release{App: CrashLoop(time.Second, 1)}, 3 * time.Second, "Running not-ready app:Error(1)/0"},
		{"a container that crashes twice recovers", Release{App: Life{CrashAfter: time.Second, ExitCode: 1, Crashes: 2}}, minute, "Running ready app:running/2"},
		{"a run of ten minutes resets the back-off", Release{App: CrashLoop(10*minute, 1)}, 35 * minute, "Running ready app:running/3"},
		{"an image that cannot be pulled keeps the pod pending", Release{App: CannotPull()}, minute, "Pending not-ready app:ImagePullBackOff/0"},
		{"a missing configuration keeps the pod pending", Release{App: NeverStarts("CreateContainerConfigError", "no such secret")}, minute, "Pending not-ready app:CreateContainerConfigError/0"},
		{"when the init container has completed, the app runs", Release{Init: &Life{}}, minute, "Running ready migrate:Completed(0)/0 app:running/0"},
		{"while the init container runs, the app waits", Release{Init: &Life{}}, startupTime, "Pending not-ready migrate:running/0 app:PodInitializing/0"},
		{"a crashing init container keeps the app waiting", Release{Init: new(CrashLoop(time.Second, 3))}, 3 * time.Second, "Pending not-ready migrate:Error(3)/0 app:PodInitializing/0"},
		{"when the init container recovers, the app runs", Release{Init: &Life{CrashAfter: time.Second, ExitCode: 3, Crashes: 1}}, minute, "Running ready migrate:Completed(0)/1 app:running/0"},
		{"a crashed sidecar leaves the app running", Release{Sidecar: new(CrashLoop(4*time.Second, 1))}, 6 * time.Second, "Running not-ready proxy:Error(1)/0 app:running/0"},
		{"a sidecar that never starts keeps the app waiting", Release{Sidecar: new(NeverStarts("ErrImagePull", ""))}, minute, "Pending not-ready proxy:ErrImagePull/0 app:PodInitializing/0"},
		{"an older release has crashed already", Release{Age: minute, App: CrashLoop(time.Second, 1)}, 0, "Running not-ready app:CrashLoopBackOff/3"},
	} {
		t.Run(test.claim, func(t *testing.T) {
			pods := test.release.Pods(test.at)
			if len(pods) != 1 {
				t.Fatalf("got %d pods, want 1", len(pods))
			}
			if got := summary(pods[0]); got != test.want {
				t.Errorf("\n got %s\nwant %s", got, test.want)
			}
		})
	}
}

// summary is the phase, readiness and containers of a pod, in one line.
func summary(pod corev1.Pod) string {
	line := string(pod.Status.Phase) + " not-ready"
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue {
			line = string(pod.Status.Phase) + " ready"
		}
	}
	for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		state := "running"
		switch {
		case status.State.Waiting != nil:
			state = status.State.Waiting.Reason
		case status.State.Terminated != nil:
			state = fmt.Sprintf("%s(%d)", status.State.Terminated.Reason, status.State.Terminated.ExitCode)
		}
		line += fmt.Sprintf(" %s:%s/%d", status.Name, state, status.RestartCount)
	}
	return line
}

// What happens to all pods of a release at the age of a minute, as a watcher sees it before, soon after and later.
func TestEventsOfARelease(t *testing.T) {
	const minute = time.Minute
	for _, test := range []struct {
		claim   string
		release Release
		want    [3]string
	}{
		{"deleted pods have a grace period, and no successors", Release{DeleteAfter: minute}, [3]string{"first", "first deleting", ""}},
		{"replaced pods have a grace period and successors", Release{ReplaceAfter: minute}, [3]string{"first", "first deleting, second", "second"}},
		{"evicted pods stay as Failed, and have successors", Release{EvictAfter: minute}, [3]string{"first", "first Evicted, second", "first Evicted, second"}},
		{"pods evicted for the node say so", Release{EvictAfter: minute, NodePressure: true}, [3]string{"first", "first Evicted disrupted, second", "first Evicted disrupted, second"}},
		{"pods on a lost node stay, as not ready", Release{NodeLostAfter: minute}, [3]string{"first", "first unready", "first unready"}},
		{"statuses on a lost node no longer change", Release{NodeLostAfter: minute, App: CrashLoop(2*minute, 1)}, [3]string{"first", "first unready", "first unready"}},
		{"a pod that was not ready when its node was lost stays as it was", Release{NodeLostAfter: minute, App: CrashLoop(time.Second, 1)},
			[3]string{"first unready app-unready", "first unready app-unready", "first unready app-unready"}},
	} {
		t.Run(test.claim, func(t *testing.T) {
			first := Release{}.Pods(0)[0].UID
			for i, at := range []time.Duration{59 * time.Second, 63 * time.Second, 3 * minute} {
				var got []string
				for _, pod := range test.release.Pods(at) {
					got = append(got, situation(t, pod, pod.UID == first))
				}
				if got := strings.Join(got, ", "); got != test.want[i] {
					t.Errorf("at %v: got %q, want %q", at, got, test.want[i])
				}
			}
		})
	}
}

// situation says which of a replica's pods this is, and what has happened to it.
func situation(t *testing.T, pod corev1.Pod, first bool) string {
	t.Helper()
	conditions := map[corev1.PodConditionType]corev1.PodCondition{}
	for _, condition := range pod.Status.Conditions {
		conditions[condition.Type] = condition
	}
	ready, containers := conditions[corev1.PodReady], conditions[corev1.ContainersReady]
	if !first {
		return "second" // it is starting
	}
	text := "first"
	switch {
	case pod.Status.Phase == corev1.PodFailed:
		text += " " + pod.Status.Reason
		if terminated := pod.Status.ContainerStatuses[0].State.Terminated; terminated == nil || ready.Reason != "PodFailed" || containers.Reason != "PodFailed" {
			t.Errorf("a Failed pod has container status %+v and conditions %+v", terminated, conditions)
		}
	case ready.Status != corev1.ConditionTrue:
		text += " unready"
	}
	if pod.Status.Phase == corev1.PodRunning && containers.Status != corev1.ConditionTrue {
		text += " app-unready"
	}
	if pod.DeletionTimestamp != nil {
		text += " deleting"
	}
	if conditions[corev1.DisruptionTarget].Status == corev1.ConditionTrue {
		text += " disrupted"
	}
	return text
}

func TestPodsHaveTheirNodeOnceTheyAreScheduled(t *testing.T) {
	for _, test := range []struct {
		claim   string
		release Release
		at      time.Duration
		node    string
		reason  string // of condition PodScheduled
	}{
		{"not scheduled yet", Release{}, 0, "", ""},
		{"scheduled", Release{Node: "node7"}, time.Second, "node7", ""},
		{"unschedulable", Release{Unschedulable: "0/3 nodes are available: 3 Insufficient memory."}, time.Hour, "", "Unschedulable"},
	} {
		pod, reason := test.release.Pods(test.at)[0], ""
		for _, condition := range pod.Status.Conditions {
			if condition.Type == corev1.PodScheduled {
				reason = condition.Reason
			}
		}
		if pod.Spec.NodeName != test.node || reason != test.reason {
			t.Errorf("%s: node %q and reason %q, want %q and %q", test.claim, pod.Spec.NodeName, reason, test.node, test.reason)
		}
	}
}

func TestPodsAreAPureFunctionOfTime(t *testing.T) {
	release := Release{Replicas: 3, App: CrashLoop(time.Second, 1), Sidecar: &Life{}}
	first, second := encoded(t, release.Pods(time.Minute)), encoded(t, release.Pods(time.Minute))
	if first != second {
		t.Error("the same release has other pods at the same time")
	}
}

func TestTwoContainerPodsHaveTheSizeOfRealOnes(t *testing.T) {
	pod := Release{Hash: "5bf48f76b4", Name: "checkout", App: CrashLoop(time.Second, 1), Sidecar: &Life{}}.Pods(time.Minute)[0]
	if size := len(encoded(t, pod)); size < 6_000 || size > 8_500 {
		t.Errorf("a pod has %d bytes of JSON, want about 7,000", size)
	}
}

func encoded(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
