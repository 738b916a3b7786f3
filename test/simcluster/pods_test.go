package simcluster

import (
	"os"
	"path/filepath"
	"slices"
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
