package simcluster

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
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
	for _, status := range statuses(&pod) {
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
		{"oom", AppContainer, Release{App: Life{CrashAfter: 2 * time.Second, ExitCode: 137, Reason: "OOMKilled"}}},
		{"init-crash", InitContainer, Release{Init: new(CrashLoop(time.Second, 3))}},
		{"sidecar-crash", SidecarContainer, Release{Sidecar: new(CrashLoop(4*time.Second, 1))}},
	} {
		t.Run(test.trace, func(t *testing.T) {
			trace := loadTrace(t, test.trace)
			want := steps(recorded(trace, test.container))
			got := steps(simulated(test.release, test.container, trace[len(trace)-1].At()+2*time.Minute))
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

// What happens to a release, as a watcher sees it.
func TestRelease(t *testing.T) {
	const minute = time.Minute
	crashing, stuck := CrashLoop(time.Second, 1), NeverStarts("ErrImagePull", "")
	for _, test := range []struct {
		claim   string
		release Release
		at      time.Duration
		want    string
	}{
		{"a new pod is pending and has no statuses", Release{}, 0, "Pending not-ready"},
		{"an unschedulable pod stays so", Release{Unschedulable: "0/3 nodes are available"}, minute, "Pending not-ready Unschedulable"},
		{"a starting pod's container is being created", Release{}, time.Second, "Pending not-ready node1 app:ContainerCreating/0"},
		{"a healthy pod is ready", Release{Node: "node7"}, minute, "Running ready node7 app:running/0"},
		{"a crashed pod stays Running, but is not ready", Release{App: crashing}, 3 * time.Second, "Running not-ready node1 app:Error(1)/0"},
		{"an image that cannot be pulled keeps the pod pending", Release{App: CannotPull()}, minute, "Pending not-ready node1 app:ImagePullBackOff/0"},
		{"when the init container has completed, the app runs", Release{Init: &Life{}}, minute, "Running ready node1 migrate:Completed(0)/0 app:running/0"},
		{"while the init container runs, the app waits", Release{Init: &Life{}}, startupTime, "Pending not-ready node1 migrate:running/0 app:PodInitializing/0"},
		{"a crashing init container keeps the app waiting", Release{Init: &crashing}, 3 * time.Second, "Pending not-ready node1 migrate:Error(1)/0 app:PodInitializing/0"},
		{"a crashed sidecar leaves the app running", Release{Sidecar: &crashing}, 3 * time.Second, "Running not-ready node1 proxy:Error(1)/0 app:running/0"},
		{"a sidecar that never starts keeps the app waiting", Release{Sidecar: &stuck}, minute, "Pending not-ready node1 proxy:ErrImagePull/0 app:PodInitializing/0"},
		{"an older release has crashed already", Release{Age: minute, App: crashing}, 0, "Running not-ready node1 app:CrashLoopBackOff/3"},

		{"deleted pods have a grace period", Release{DeleteAfter: minute}, 63 * time.Second, "Running ready node1 app:running/0 deleting"},
		{"deleted pods have no successors", Release{DeleteAfter: minute}, 2 * minute, ""},
		{"evicted pods stay as Failed, and have successors", Release{EvictAfter: minute}, 2 * minute,
			"Failed not-ready node1 app:Error(137)/0 Evicted, Running ready node1 app:running/0"},
		{"pods evicted for the node say so", Release{EvictAfter: minute, NodePressure: true}, 2 * minute,
			"Failed not-ready node1 app:Error(137)/0 Evicted DisruptionTarget, Running ready node1 app:running/0"},
		{"pods on a lost node stay, as not ready, although their containers are", Release{NodeLostAfter: minute}, 2 * minute,
			"Running not-ready ContainersReady node1 app:running/0"},
		{"statuses on a lost node no longer change", Release{NodeLostAfter: minute, App: CrashLoop(2*minute, 1)}, 3 * minute,
			"Running not-ready ContainersReady node1 app:running/0"},
		{"a pod that was not ready when its node was lost stays as it was", Release{NodeLostAfter: minute, App: crashing}, 2 * minute,
			"Running not-ready node1 app:CrashLoopBackOff/3"},
	} {
		t.Run(test.claim, func(t *testing.T) {
			var summaries []string
			for _, pod := range test.release.Pods(test.at) {
				summaries = append(summaries, summary(pod))
			}
			if got := strings.Join(summaries, ", "); got != test.want {
				t.Errorf("\n got %s\nwant %s", got, test.want)
			}
		})
	}
}

// summary is the phase, the conditions, the node and the containers of a pod, in one line.
func summary(pod corev1.Pod) string {
	conditions := map[corev1.PodConditionType]corev1.PodCondition{}
	for _, condition := range pod.Status.Conditions {
		conditions[condition.Type] = condition
	}
	holds := func(kind corev1.PodConditionType) bool { return conditions[kind].Status == corev1.ConditionTrue }
	words := []string{string(pod.Status.Phase), "not-ready"}
	if holds(corev1.PodReady) {
		words[1] = "ready"
	} else if holds(corev1.ContainersReady) {
		words = append(words, "ContainersReady")
	}
	words = append(words, pod.Spec.NodeName, conditions[corev1.PodScheduled].Reason)
	for _, status := range statuses(&pod) {
		state := "running"
		switch {
		case status.State.Waiting != nil:
			state = status.State.Waiting.Reason
		case status.State.Terminated != nil:
			state = fmt.Sprintf("%s(%d)", status.State.Terminated.Reason, status.State.Terminated.ExitCode)
		}
		words = append(words, fmt.Sprintf("%s:%s/%d", status.Name, state, status.RestartCount))
	}
	words = append(words, pod.Status.Reason)
	if pod.DeletionTimestamp != nil {
		words = append(words, "deleting")
	}
	if holds(corev1.DisruptionTarget) {
		words = append(words, "DisruptionTarget")
	}
	return strings.Join(strings.Fields(strings.Join(words, " ")), " ")
}

func TestAnEventOfATraceTakesEffectAtItsInstant(t *testing.T) {
	trace := loadTrace(t, "deleted-midway")
	shown := func(at time.Duration, event Event) bool {
		return slices.ContainsFunc(trace.Pods(at), func(pod corev1.Pod) bool {
			return pod.UID == event.Pod.UID && pod.ResourceVersion == event.Pod.ResourceVersion
		})
	}
	for _, event := range trace {
		if shown(event.At()-1, event) || shown(event.At(), event) == (event.Type == watch.Deleted) {
			t.Errorf("the event %s of %s at %v shows too early, or not at its time", event.Type, event.Pod.Name, event.At())
		}
	}
}
