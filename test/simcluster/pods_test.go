package simcluster

import (
	"encoding/json"
	"fmt"
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

// steps are the distinct states of a container, in their order, from the first one that has a containerID.
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

// simulated are the statuses of one container of a one-pod release, looked at often enough to miss no state.
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
	// Crashes of a container that dies at once come at about 0, 0, 10, 30, 70, 150, 310 s, then every 5 minutes.
	for i, seconds := range []int{10, 30, 70, 150, 310, 610, 910} {
		due, crash := startupTime+time.Duration(seconds)*time.Second, i+3
		if got := ends(release.Pods(due)[0]); got != crash-1 {
			t.Errorf("crashes by %v: got %d, want %d", due, got, crash-1)
		}
		if got := ends(release.Pods(due + time.Second)[0]); got != crash {
			t.Errorf("crashes a second after %v: got %d, want %d", due, got, crash)
		}
	}
}

// ends is how often the app container of a crash-looping pod has ended.
func ends(pod corev1.Pod) int {
	status := pod.Status.ContainerStatuses[0]
	if status.State.Running != nil {
		return int(status.RestartCount)
	}
	return int(status.RestartCount) + 1
}

func TestBackOffMessageIsTheKubelets(t *testing.T) {
	pod := Release{Namespace: "shop", Name: "web", Hash: "abc", App: CrashLoop(time.Second, 1)}.Pods(150 * time.Second)[0]
	want := fmt.Sprintf("back-off 1m20s restarting failed container=app pod=%s_shop(%s)", pod.Name, pod.UID)
	if got := pod.Status.ContainerStatuses[0].State.Waiting; got == nil || got.Message != want {
		t.Errorf("state.waiting: got %+v, want message %q", got, want)
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
		{"a starting pod's container is being created", Release{}, time.Second, "Pending not-ready app:ContainerCreating/0"},
		{"a healthy pod is ready", Release{}, minute, "Running ready app:running/0"},
		{"a crashed pod runs on, but is not ready", Release{App: CrashLoop(time.Second, 1)}, 3 * time.Second, "Running not-ready app:Error(1)/0"},
		{"a container that crashes twice recovers", Release{App: Life{CrashAfter: time.Second, ExitCode: 1, Crashes: 2}}, minute, "Running ready app:running/2"},
		{"a run of ten minutes resets the back-off", Release{App: CrashLoop(10*minute, 1)}, 35 * minute, "Running ready app:running/3"},
		{"an image that cannot be pulled keeps the pod pending", Release{App: NeverStarts("ImagePullBackOff", "no such image")}, minute, "Pending not-ready app:ImagePullBackOff/0"},
		{"a missing configuration keeps the pod pending", Release{App: NeverStarts("CreateContainerConfigError", "no such secret")}, minute, "Pending not-ready app:CreateContainerConfigError/0"},
		{"an init container that is done lets the app run", Release{Init: &Life{}}, minute, "Running ready migrate:Completed(0)/0 app:running/0"},
		{"an init container that works lets the app wait", Release{Init: &Life{}}, startupTime, "Pending not-ready migrate:running/0 app:PodInitializing/0"},
		{"a crashing init container keeps the app waiting", Release{Init: new(CrashLoop(time.Second, 3))}, 3 * time.Second, "Pending not-ready migrate:Error(3)/0 app:PodInitializing/0"},
		{"an init container that recovers lets the app run", Release{Init: &Life{CrashAfter: time.Second, ExitCode: 3, Crashes: 1}}, minute, "Running ready migrate:Completed(0)/1 app:running/0"},
		{"a crashed sidecar leaves the app running", Release{Sidecar: new(CrashLoop(4*time.Second, 1))}, 6 * time.Second, "Running not-ready proxy:Error(1)/0 app:running/0"},
		{"a sidecar that never starts keeps the app waiting", Release{Sidecar: new(NeverStarts("ErrImagePull", ""))}, minute, "Pending not-ready proxy:ErrImagePull/0 app:PodInitializing/0"},
		{"a release of some age has crashed already", Release{Age: minute, App: CrashLoop(time.Second, 1)}, 0, "Running not-ready app:CrashLoopBackOff/3"},
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

func TestFaultyLimitsTheCrashingReplicas(t *testing.T) {
	crashed := 0
	for _, pod := range (Release{Replicas: 5, Faulty: 2, App: CrashLoop(time.Second, 1)}).Pods(time.Minute) {
		if ends(pod) > 0 {
			crashed++
		}
	}
	if crashed != 2 {
		t.Errorf("%d of 5 pods have crashed, want 2", crashed)
	}
}

func TestReplacedPodsAreOthers(t *testing.T) {
	release := Release{Replicas: 2, App: CrashLoop(time.Second, 1), ReplaceAfter: time.Minute}
	before, meanwhile, after := release.Pods(59*time.Second), release.Pods(61*time.Second), release.Pods(2*time.Minute)
	if len(before) != 2 || len(meanwhile) != 4 || len(after) != 2 {
		t.Fatalf("pods before, meanwhile and after: got %d, %d, %d, want 2, 4, 2", len(before), len(meanwhile), len(after))
	}
	for _, old := range before {
		for _, successor := range after {
			if old.UID == successor.UID || old.Name == successor.Name {
				t.Errorf("%s (%s) is still there", old.Name, old.UID)
			}
		}
	}
	leaving := 0
	for _, pod := range meanwhile {
		if pod.DeletionTimestamp != nil {
			leaving++
		}
	}
	if leaving != 2 {
		t.Errorf("%d pods are being deleted, want 2", leaving)
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
