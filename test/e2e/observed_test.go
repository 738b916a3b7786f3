package e2e

import (
	"context"
	"regexp"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/crashcheck/crashcheck/test/e2e/gate"
)

// A pass means that the release ran, was observed until the end, and is still there. On a real node, each of these tests
// breaks one of these conditions. The fault suite combines them with settings of crashcheck.
func TestReleaseThatIsNotObserved(t *testing.T) {
	needsNode(t)
	t.Parallel()
	missing := func(c *corev1.Container) {
		c.Image, c.ImagePullPolicy = "127.0.0.1:1/missing:1", corev1.PullAlways // a registry on a closed port
	}
	for name, test := range map[string]struct {
		container corev1.Container
		window    string
		// The log says seen before the change, a JSON patch of the Deployment.
		seen, change string
		reason       string
	}{
		"an image that cannot be pulled": {
			container("main", missing), "30", "cannot start", "",
			`no pod ran; web-[a-z0-9-]+/main cannot start: (ErrImagePull|ImagePullBackOff): .*127\.0\.0\.1:1/missing:1.* \(1 more cannot start\)`,
		},
		"a Deployment that is scaled to 0": {
			container("main", ready), "30", "found: ", `[{"op": "replace", "path": "/spec/replicas", "value": 0}]`,
			`no pods remained at the final check \(none since \d\d:\d\d:\d\d\)`,
		},
		"a version that is replaced": {
			container("main", ends("1s", "1")), "45", "exit code 1", `[{"op": "remove", "path": "/spec/template/spec/containers/0/env"}]`,
			`no pods remained at the final check \(none since \d\d:\d\d:\d\d\); \d crash(es)? in [12] of 2 pods.*, limit 10`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			namespace := newNamespace(t)
			hash := deploy(t, namespace, 2, mains(test.container))
			startJob(t, namespace, map[string]string{"HASH": hash, "INTERVAL": "1", "DURATION": test.window, "CRASH_LIMIT": "10"})
			jobLogged(t, namespace, test.seen)
			if test.change != "" {
				_, err := the.Client.AppsV1().Deployments(namespace).Patch(t.Context(), "web", types.JSONPatchType, []byte(test.change), metav1.PatchOptions{})
				if err != nil {
					t.Fatal("patch the Deployment:", err)
				}
			}
			wantReason(t, finishJob(t, namespace, 3*time.Minute, gate.Inconclusive).Report, test.reason)
		})
	}
}

// wantReason compares all of the reason with a regular expression.
func wantReason(t *testing.T, report gate.Report, pattern string) {
	t.Helper()
	if !regexp.MustCompile(`^(?:` + pattern + `)$`).MatchString(report.Reason) {
		t.Errorf("the reason is\n%s\nwant\n%s", report.Reason, pattern)
	}
	t.Log(report.Reason)
}

// It stops the kubelet of the only node, so it does not run together with other tests. The containers keep running, and
// crash, while the kubelet is stopped.
func TestNodeThatStopsReporting(t *testing.T) {
	needsNode(t)
	namespace := newNamespace(t)
	hash := deploy(t, namespace, 2, mains(container("main", ready, ends("25s", "1"))))
	available(t, namespace)
	// The node controller waits for its grace period before it says that the pods are not observed.
	short := startGate(t, environment(namespace, map[string]string{"HASH": hash, "DURATION": "40"}))
	long := startGate(t, environment(namespace, map[string]string{"HASH": hash, "DURATION": "180", "CRASH_LIMIT": "2"}))
	logged(t, short, "found: ")
	if err := the.Kubelet.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resumeKubelet(t) })
	wantReason(t, finish(t, short, gate.Inconclusive).Report, `the node of 2 of 2 pods has stopped reporting: node-1(; .*)?`)

	// The crashes that happened meanwhile count as soon as the kubelet reports them.
	resumeKubelet(t)
	finish(t, long, gate.Fail)
}

func resumeKubelet(t *testing.T) {
	t.Helper()
	if err := the.Kubelet.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if err := the.Kubelet.WaitReady(context.Background()); err != nil {
		t.Fatal(err)
	}
}
