package report_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The logs of whole runs, as the runner makes them.
func TestLogOfARun(t *testing.T) {
	for _, test := range []struct {
		claim string
		at    func(time.Duration) []*corev1.Pod
		want  string
	}{
		{"two pods crash until the limit", crashing, `00:00:00 INF crashcheck v0.1.0: watching pods with pod-template-hash=6fd8d747 in namespace shop
00:00:00 INF checking every 5s until 00:05:00; fails at 5 crashes
00:00:00 INF 2 pods found: web-6fd8d747-246vx, web-6fd8d747-4c5z2
00:00:25 WRN crash 1/5: web-6fd8d747-246vx/app: exit code 1: panic: no such table: orders
00:00:45 WRN crash 2/5: web-6fd8d747-246vx/app: exit code 1: panic: no such table: orders
00:01:00 WRN crash 3/5: web-6fd8d747-4c5z2/app: exit code 1: panic: no such table: orders
00:01:05 WRN crash 4/5: web-6fd8d747-246vx/app: exit code 1: panic: no such table: orders
00:01:25 WRN crash 5/5: web-6fd8d747-246vx/app: exit code 1: panic: no such table: orders
CRASHES  KIND  LAST CRASH  POD/CONTAINER           LAST TERMINATION
4        main  00:01:20    web-6fd8d747-246vx/app  exit code 1: panic: no such table: orders
1        main  00:01:00    web-6fd8d747-4c5z2/app  exit code 1: panic: no such table: orders
timeline: ......1....1...11....1 (4s per character; digit or +: crashes, ?: not observed)
00:01:25 INF 18 checks in 1m25s, 2 pods seen
00:01:25 INF logs: kubectl -n shop logs web-6fd8d747-246vx -c app --previous
00:01:25 ERR FAIL (exit code 1): 5 crashes in 2 of 2 pods, limit 5; worst: web-6fd8d747-246vx/app (4 crashes, exit code 1)
`},
		{"the image cannot be pulled", withoutImage, `00:00:00 INF crashcheck v0.1.0: watching pods with pod-template-hash=6fd8d747 in namespace shop
00:00:00 INF checking every 5s until 00:05:00; fails at 5 crashes
00:00:00 INF 2 pods found: web-6fd8d747-246vx, web-6fd8d747-4c5z2
00:00:10 WRN web-6fd8d747-246vx/app cannot start: ImagePullBackOff: Back-off pulling image "registry.example.com/web:2"
00:00:10 WRN web-6fd8d747-4c5z2/app cannot start: ImagePullBackOff: Back-off pulling image "registry.example.com/web:2"
00:05:00 INF 61 checks in 5m, 2 pods seen
00:05:00 INF no verdict was reached: do not promote; details: kubectl -n shop describe pod web-6fd8d747-246vx
00:05:00 ERR INCONCLUSIVE (exit code 3): no pod ran; web-6fd8d747-246vx/app cannot start: ImagePullBackOff: Back-off pulling image "registry.example.com/web:2" (and 1 more)
`},
		{"the node stops reporting", unreported, `00:00:00 INF crashcheck v0.1.0: watching pods with pod-template-hash=6fd8d747 in namespace shop
00:00:00 INF checking every 5s until 00:05:00; fails at 5 crashes
00:00:00 INF 2 pods found: web-6fd8d747-246vx, web-6fd8d747-4c5z2
00:02:00 WRN pod web-6fd8d747-246vx is not observed: node node-1 has stopped reporting
00:02:00 WRN pod web-6fd8d747-4c5z2 is not observed: node node-1 has stopped reporting
00:05:00 INF 61 checks in 5m, 2 pods seen
00:05:00 INF no verdict was reached: do not promote; details: kubectl describe node node-1
00:05:00 ERR INCONCLUSIVE (exit code 3): the node of 2 of 2 pods has stopped reporting: node-1
`},
		{"the release is replaced", replaced, `00:00:00 INF crashcheck v0.1.0: watching pods with pod-template-hash=6fd8d747 in namespace shop
00:00:00 INF checking every 5s until 00:05:00; fails at 5 crashes
00:00:00 INF 2 pods found: web-6fd8d747-246vx, web-6fd8d747-4c5z2
00:01:30 INF 2 pods gone (their crashes still count): web-6fd8d747-246vx, web-6fd8d747-4c5z2
00:05:00 INF 61 checks in 5m, 2 pods seen
00:05:00 INF no verdict was reached: do not promote; pods: kubectl -n shop get pods --show-labels
00:05:00 ERR INCONCLUSIVE (exit code 3): no pods remained at the final check, since 00:01:00
`},
		{"a pod is evicted because it exceeded a limit of its own, another one because the node is short of memory", evictions, `00:00:00 INF crashcheck v0.1.0: watching pods with pod-template-hash=6fd8d747 in namespace shop
00:00:00 INF checking every 5s until 00:05:00; fails at 5 crashes
00:00:00 INF 2 pods found: web-6fd8d747-246vx, web-6fd8d747-4c5z2
00:00:30 INF 1 new pod: web-6fd8d747-newer
00:00:30 WRN pod web-6fd8d747-4c5z2 failed: Evicted: The node was low on resource: memory (not counted as a crash)
00:00:30 WRN crash 1/5: pod web-6fd8d747-246vx: Evicted: Usage of EmptyDir volume "data" exceeds the limit "1Mi".
CRASHES  KIND  LAST CRASH  POD/CONTAINER       LAST TERMINATION
1        pod   -           web-6fd8d747-246vx  Evicted: Usage of EmptyDir volume "data" exceeds the limi…
timeline: ...1.................................. (8s per character; digit or +: crashes, ?: not observed)
00:05:00 INF 61 checks in 5m, 3 pods seen
00:05:00 INF PASS (exit code 0): 1 crash in 1 of 3 pods within 5m, limit 5
`},
	} {
		t.Run(test.claim, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if got := runLog(t, fiveMinutes, test.at); got != test.want {
					t.Errorf("got:\n%s\nwant:\n%s", got, test.want)
				}
			})
		})
	}
}

// twoPods returns two pods, changed by the same function.
func twoPods(change func(*corev1.Pod)) []*corev1.Pod {
	return []*corev1.Pod{newPod("web-6fd8d747-246vx", change), newPod("web-6fd8d747-4c5z2", change)}
}

// crashing is a release whose first pod crashes every 20 s, and whose second one crashes after a minute.
func crashing(at time.Duration) []*corev1.Pod {
	crash := func(pod *corev1.Pod, n int32, last time.Duration) {
		if n == 0 {
			return
		}
		status := &pod.Status.ContainerStatuses[0]
		status.RestartCount = n
		status.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{
			ExitCode: 1, Reason: "Error", Message: "panic: no such table: orders\n", FinishedAt: metav1.NewTime(midnight.Add(last)),
			ContainerID: fmt.Sprint(pod.Name, n),
		}
	}
	pods := twoPods(nil)
	n := int32((at - time.Second) / (20 * time.Second)) // the kubelet reports a second later
	crash(pods[0], n, time.Duration(n)*20*time.Second)
	crash(pods[1], int32(at/time.Minute), time.Minute)
	return pods
}

func withoutImage(at time.Duration) []*corev1.Pod {
	return twoPods(func(pod *corev1.Pod) {
		waiting := &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}
		if at >= 10*time.Second {
			waiting = &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: `Back-off pulling image "registry.example.com/web:2"`}
		}
		pod.Status.Phase, pod.Status.Conditions = corev1.PodPending, nil
		pod.Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: waiting}
	})
}

func unreported(at time.Duration) []*corev1.Pod {
	return twoPods(func(pod *corev1.Pod) {
		if at >= 2*time.Minute {
			pod.Status.Conditions[0].Status = corev1.ConditionFalse
		}
	})
}

func replaced(at time.Duration) []*corev1.Pod {
	if at >= 90*time.Second {
		return nil
	}
	return twoPods(func(pod *corev1.Pod) {
		if at >= time.Minute {
			pod.DeletionTimestamp = &metav1.Time{Time: midnight}
		}
	})
}

func evictions(at time.Duration) []*corev1.Pod {
	pods := twoPods(nil)
	if at < 30*time.Second {
		return pods
	}
	for i, message := range []string{`Usage of EmptyDir volume "data" exceeds the limit "1Mi". `, "The node was low on resource: memory. "} {
		pods[i].Status.Phase, pods[i].Status.Reason, pods[i].Status.Message = corev1.PodFailed, "Evicted", message
	}
	pods[1].Status.Conditions = []corev1.PodCondition{{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue}}
	return append(pods, newPod("web-6fd8d747-newer", nil))
}
