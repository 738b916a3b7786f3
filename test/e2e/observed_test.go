package e2e

import (
	"context"
	"encoding/json"
	"maps"
	"regexp"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/crashcheck/crashcheck/test/e2e/gate"
)

// A pass means that the release ran, was observed until the end, and is still there. On a real node, each of these tests
// breaks one of these conditions, while several gates watch the same pods.

// shippedGate is the name of the gate that runs as the shipped Job. The others are processes on this machine.
const shippedGate = "the Job"

// goodPod is the label of a pod that runs, next to the pods of the Deployment "web".
var goodPod = map[string]string{"app": "good"}

// besideAGoodPod selects the pods of the Deployment and the good pod.
const besideAGoodPod = "app in (web, good)"

// An expectedVerdict is a gate's settings and its verdict.
type expectedVerdict struct {
	environment map[string]string
	exitCode    int
	reason      string // a regular expression for all of it
}

// watchChange starts gates on pods with this hash, waits until the log of each has the text seen, makes the change, and
// compares the verdicts.
func watchChange(t *testing.T, namespace, hash, seen string, change func(), gates map[string]expectedVerdict) {
	t.Helper()
	begun := time.Now()
	processes := map[string]*gate.Run{}
	for name, expected := range gates {
		settings := map[string]string{"HASH": hash, "INTERVAL": "1", "CRASH_LIMIT": "5"}
		maps.Copy(settings, expected.environment)
		if name == shippedGate {
			startJob(t, namespace, settings)
			continue
		}
		if settings["COUNT"] == "" {
			settings["COUNT"] = unset
		}
		processes[name] = startGate(t, environment(namespace, settings))
	}
	for _, process := range processes {
		logged(t, process, seen)
	}
	if _, used := gates[shippedGate]; used {
		jobLogged(t, namespace, seen)
	}
	change()
	t.Logf("changed %s after the start of the gates", time.Since(begun).Round(time.Second))

	for name, expected := range gates {
		var report gate.Report
		exitCode := 0
		if name == shippedGate {
			result := finishJob(t, namespace, 3*time.Minute)
			report, exitCode = result.Report, int(result.ExitCode)
		} else {
			result, err := processes[name].Wait()
			if err != nil {
				t.Errorf("%s: %v\n%s", name, err, result)
			}
			report, exitCode = result.Report, result.ExitCode
		}
		t.Logf("%s: exit code %d: %s: %s", name, exitCode, report.Verdict, report.Reason)
		if exitCode != expected.exitCode || report.Verdict != verdictOf[exitCode] {
			t.Errorf("%s: exit code %d with verdict %s, want exit code %d", name, exitCode, report.Verdict, expected.exitCode)
		}
		if !regexp.MustCompile(`^(?:` + expected.reason + `)$`).MatchString(report.Reason) {
			t.Errorf("%s: the reason is\n%s\nwant\n%s", name, report.Reason, expected.reason)
		}
	}
}

func TestImageThatCannotBePulled(t *testing.T) {
	needsLocalImages(t)
	t.Parallel()
	namespace := newNamespace(t, nil)
	// A registry on a closed port of this machine.
	hash := deploy(t, namespace, 2, mains(container("main", image("127.0.0.1:1/missing:1", corev1.PullAlways))))
	waiting("ImagePullBackOff")(t, namespace)
	setRestarts(t, paperPod(t, namespace, "good", goodPod), 0)

	// The state changes between the two while the kubelet tries again.
	const cannotStart = `web-[a-z0-9-]+/main cannot start: (ErrImagePull|ImagePullBackOff): .*127\.0\.0\.1:1/missing:1.* \(and 1 more\)`
	watchChange(t, namespace, hash, "cannot start", func() {}, map[string]expectedVerdict{
		shippedGate:       {map[string]string{"DURATION": "15"}, gate.Inconclusive, `no pod ran; ` + cannotStart},
		"with COUNT":      {map[string]string{"COUNT": "3"}, gate.Inconclusive, `no pod ran; ` + cannotStart},
		"with MIN_PODS=0": {map[string]string{"DURATION": "3", "MIN_PODS": "0"}, gate.Pass, `no crashes within [0-9.]+s, limit 5; ` + cannotStart},
		"with a good pod beside": {map[string]string{"HASH": unset, "SELECTOR": besideAGoodPod, "DURATION": "3"}, gate.Pass,
			`no crashes within [0-9.]+s, limit 5; ` + cannotStart + `; 1 of 3 pods was not Ready at the final check: good`},
		"with MIN_PODS=2 and a good pod beside": {map[string]string{"HASH": unset, "SELECTOR": besideAGoodPod, "DURATION": "3", "MIN_PODS": "2"}, gate.Inconclusive,
			`at most 1 pod ran at the same time, MIN_PODS is 2; ` + cannotStart},
		"with REQUIRE_READY": {map[string]string{"DURATION": "3", "REQUIRE_READY": "yes"}, gate.Inconclusive, `no pod ran; ` + cannotStart},
	})
}

func TestDeploymentScaledToZero(t *testing.T) {
	needsLocalImages(t)
	t.Parallel()
	namespace := newNamespace(t, nil)
	hash := deploy(t, namespace, 2, mains(container("main", ready)))
	available(t, namespace)
	setRestarts(t, paperPod(t, namespace, "good", goodPod), 0)

	const gone = `no pods remained at the final check, since \d\d:\d\d:\d\d`
	scale := func() { patchDeployment(t, namespace, map[string]any{"replicas": 0}) }
	watchChange(t, namespace, hash, "found: ", scale, map[string]expectedVerdict{
		shippedGate:       {map[string]string{"DURATION": "30"}, gate.Inconclusive, gone},
		"with COUNT":      {map[string]string{"COUNT": "30"}, gate.Inconclusive, gone},
		"with MIN_PODS=0": {map[string]string{"DURATION": "30", "MIN_PODS": "0"}, gate.Pass, `no crashes within [0-9.]+s, limit 5; ` + gone},
		"with a good pod beside": {map[string]string{"HASH": unset, "SELECTOR": besideAGoodPod, "DURATION": "30"}, gate.Pass,
			`no crashes within [0-9.]+s, limit 5; 1 of 1 pod was not Ready at the final check: good`},
	})
}

func TestVersionThatIsReplaced(t *testing.T) {
	needsLocalImages(t)
	t.Parallel()
	namespace := newNamespace(t, nil)
	hash := deploy(t, namespace, 1, mains(container("main", ends("1s", "1"))))

	const gone = `no pods remained at the final check, since \d\d:\d\d:\d\d`
	replace := func() {
		patchDeployment(t, namespace, map[string]any{"template": map[string]any{"spec": mains(container("main", ready))}})
	}
	watchChange(t, namespace, hash, " 2/", replace, map[string]expectedVerdict{
		shippedGate:       {map[string]string{"DURATION": "45"}, gate.Inconclusive, gone + `; [23] crashes in 1 of 1 pod( \(\d found at the first check\))?, limit 5`},
		"with COUNT":      {map[string]string{"COUNT": "45"}, gate.Inconclusive, gone + `; [23] crashes in 1 of 1 pod( \(\d found at the first check\))?, limit 5`},
		"with MIN_PODS=0": {map[string]string{"DURATION": "45", "MIN_PODS": "0"}, gate.Pass, `[23] crashes in 1 of 1 pod( \(\d found at the first check\))? within [0-9.]+s, limit 5; ` + gone},
		"with the limit reached before": {map[string]string{"DURATION": "45", "CRASH_LIMIT": "2"}, gate.Fail,
			`2 crashes in 1 of 1 pod( \(\d found at the first check\))?, limit 2; worst: web-[a-z0-9-]+/main \(2 crashes, exit code 1\)`},
	})
}

// It stops the kubelet of the only node, so it does not run together with other tests. The containers keep running, and
// crash, while the kubelet is stopped.
func TestNodeThatStopsReporting(t *testing.T) {
	own := ownCluster(t)
	needsLocalImages(t)
	namespace := newNamespace(t, nil)
	const crashAfter = 25 * time.Second
	hash := deploy(t, namespace, 2, mains(container("main", ready, ends(crashAfter.String(), "1"))))
	available(t, namespace)
	setRestarts(t, paperPod(t, namespace, "good", goodPod), 0)

	const unreported = `the node of 2 of 2 pods has stopped reporting: node-1`
	stop := func() {
		if err := own.Kubelet.Stop(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resume(t, own.Kubelet) })
	}
	// The pods are not seen as unobserved before the node controller has waited for its grace period.
	watchChange(t, namespace, hash, "found: ", stop, map[string]expectedVerdict{
		"with DURATION":   {map[string]string{"DURATION": "40"}, gate.Inconclusive, unreported},
		"with COUNT":      {map[string]string{"COUNT": "40"}, gate.Inconclusive, unreported},
		"with MIN_PODS=0": {map[string]string{"DURATION": "40", "MIN_PODS": "0"}, gate.Pass, `no crashes within [0-9.]+s, limit 5; ` + unreported},
		"with a good pod beside": {map[string]string{"HASH": unset, "SELECTOR": besideAGoodPod, "DURATION": "40"}, gate.Pass,
			`no crashes within [0-9.]+s, limit 5; the node of 2 of 3 pods has stopped reporting: node-1; 1 of 3 pods was not Ready at the final check: good`},
	})

	// The crashes that happened meanwhile count as soon as the kubelet reports them.
	run := startGate(t, environment(namespace, map[string]string{"HASH": hash, "COUNT": unset, "DURATION": "120", "CRASH_LIMIT": "2"}))
	logged(t, run, "has stopped reporting")
	resume(t, own.Kubelet)
	result := finish(t, run, gate.Fail)
	t.Logf("after the kubelet was resumed: %s", result.Report.Reason)
}

// resume resumes the kubelet and waits until it reports again.
func resume(t *testing.T, kubelet interface {
	Cont() error
	WaitReady(context.Context) error
}) {
	t.Helper()
	if err := kubelet.Cont(); err != nil {
		t.Fatal(err)
	}
	if err := kubelet.WaitReady(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// patchDeployment changes fields of the specification of the Deployment "web".
func patchDeployment(t *testing.T, namespace string, spec map[string]any) {
	t.Helper()
	data, err := json.Marshal(map[string]any{"spec": spec})
	if err != nil {
		t.Fatal(err)
	}
	_, err = the.client.AppsV1().Deployments(namespace).Patch(t.Context(), "web", types.MergePatchType, data, metav1.PatchOptions{})
	if err != nil {
		t.Fatal("patch the Deployment:", err)
	}
}
