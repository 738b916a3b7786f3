package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crashcheck/crashcheck/test/e2e/build"
	"github.com/crashcheck/crashcheck/test/e2e/cluster"
	"github.com/crashcheck/crashcheck/test/e2e/gate"
)

// helmComponent is the real helm, from its Go module.
var helmComponent = build.Component{
	Name:      "helm",
	Packages:  []string{"helm.sh/helm/v4/cmd/helm"},
	VersionOf: "helm.sh/helm/v4",
	Stamp:     []string{"helm.sh/helm/v4/internal/version.version=%v"},
}

// TestHelmChart releases docs/examples/helm with helm: an install, a good upgrade, and upgrades whose pods crash.
func TestHelmChart(t *testing.T) {
	needsLocalImages(t)
	t.Parallel()
	bin, err := helmComponent.Build(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	const name = "shop"
	h := helm{binary: filepath.Join(bin, "helm"), namespace: newNamespace(t, nil), chart: chartForThisNode(t)}

	h.run(t, true, "install", name, h.chart, "--set", "env.VERSION=1")
	h.wantRelease(t, name, 1, "deployed", "1")
	h.wantHook(t, name, gate.Pass, "PASS: no crashes within ")

	h.run(t, true, "upgrade", name, h.chart, "--set", "env.VERSION=2")
	h.wantRelease(t, name, 2, "deployed", "2")
	message := h.wantHook(t, name, gate.Pass, "PASS: no crashes within ")
	if !strings.Contains(message, "checked version "+h.versionOf(t, name)+" of deployment/shop") {
		t.Errorf("the termination message does not name the version:\n%s", message)
	}

	// The new pods start, become available, and crash: helm waits for them, and only the hook notices.
	crash := []string{"--set", "env.VERSION=3", "--set", "env.AFTER=4s", "--set-string", "env.CODE=3",
		"--set", "crashcheck.duration=120", "--set", "crashcheck.limit=2"}
	begun := time.Now()
	output := h.run(t, false, append([]string{"upgrade", name, h.chart, "--rollback-on-failure", "--timeout", "8m"}, crash...)...)
	t.Logf("the crashing upgrade was rolled back after %s:\n%s", time.Since(begun).Round(time.Second), output)
	for _, text := range []string{"post-upgrade hooks failed", "rolled back", `\"verdict\":\"fail\"`} {
		if !strings.Contains(output, text) {
			t.Errorf("helm does not say %q:\n%s", text, output)
		}
	}
	h.wantRelease(t, name, 4, "deployed", "2")
	if history := h.history(t, name); history[3].Status != "failed" {
		t.Errorf("revision 3 is %s, want failed", history[3].Status)
	}
	message = h.wantHook(t, name, gate.Fail, "FAIL: 2 crashes in ")
	t.Log(message)

	// Without --rollback-on-failure, the upgrade fails and the pods stay.
	h.run(t, false, append([]string{"upgrade", name, h.chart}, crash...)...)
	h.wantRelease(t, name, 5, "failed", "3")
}

// helm runs helm in a namespace.
type helm struct{ binary, namespace, chart string }

// run runs helm, which has to succeed or not to, and returns what it prints.
func (h helm) run(t *testing.T, succeeds bool, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), h.binary, append(args, "--namespace", h.namespace)...)
	home := t.TempDir()
	cmd.Env = []string{
		"KUBECONFIG=" + the.kubeconfig,
		"HELM_CACHE_HOME=" + home, "HELM_CONFIG_HOME=" + home, "HELM_DATA_HOME=" + home,
	}
	out, err := cmd.CombinedOutput()
	if (err == nil) != succeeds {
		t.Fatalf("helm %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// helmRevision is an entry of a release's history.
type helmRevision struct {
	Revision int    `json:"revision"`
	Status   string `json:"status"`
}

// history returns the revisions by number.
func (h helm) history(t *testing.T, name string) map[int]helmRevision {
	t.Helper()
	var entries []helmRevision
	if err := json.Unmarshal([]byte(h.run(t, true, "history", name, "--output", "json")), &entries); err != nil {
		t.Fatal(err)
	}
	byNumber := map[int]helmRevision{}
	for _, entry := range entries {
		byNumber[entry.Revision] = entry
	}
	return byNumber
}

// wantRelease wants the last revision to be this one, and the Deployment to have this image and VERSION.
func (h helm) wantRelease(t *testing.T, name string, revision int, status, version string) {
	t.Helper()
	history := h.history(t, name)
	if len(history) != revision || history[revision].Status != status {
		t.Fatalf("the history is %+v, want revision %d %s", history, revision, status)
	}
	deployment, err := the.client.AppsV1().Deployments(h.namespace).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	container := deployment.Spec.Template.Spec.Containers[0]
	got := ""
	for _, variable := range container.Env {
		if variable.Name == "VERSION" {
			got = variable.Value
		}
	}
	if got != version || container.Image != cluster.CrasherImage {
		t.Errorf("the Deployment has VERSION %q of image %s, want %s", got, container.Image, version)
	}
}

// versionOf is the hash of the Deployment's pods, which are all of one version.
func (h helm) versionOf(t *testing.T, name string) string {
	t.Helper()
	hash := ""
	eventually(t, "the Deployment has pods of one version", patience, func(ctx context.Context) error {
		pods, err := the.client.CoreV1().Pods(h.namespace).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=" + name})
		if err != nil {
			return err
		}
		hashes := map[string]bool{}
		for _, pod := range pods.Items {
			hash = pod.Labels[deploymentLabel]
			hashes[hash] = true
		}
		if len(hashes) != 1 {
			return fmt.Errorf("there are %d versions", len(hashes))
		}
		return nil
	})
	return hash
}

// wantHook wants the hook's Job to have ended so, and returns its termination message.
func (h helm) wantHook(t *testing.T, name string, exitCode int32, message string) string {
	t.Helper()
	job := name + "-crashcheck"
	pods, err := the.client.CoreV1().Pods(h.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: batchv1.JobNameLabel + "=" + job})
	if err != nil {
		t.Fatal(err)
	}
	if len(pods.Items) != 1 {
		t.Fatalf("the Job %s has %d pods, want 1", job, len(pods.Items))
	}
	var ended corev1.ContainerStateTerminated
	for _, status := range pods.Items[0].Status.ContainerStatuses {
		if status.State.Terminated != nil {
			ended = *status.State.Terminated
		}
	}
	if ended.ExitCode != exitCode || !strings.HasPrefix(ended.Message, message) {
		t.Fatalf("the hook has exit code %d and the message\n%s\nwant %d and %s", ended.ExitCode, ended.Message, exitCode, message)
	}
	return ended.Message
}

// chartForThisNode is a copy of docs/examples/helm with what this node needs: its images, short times, and a Job that reaches
// the API server.
func chartForThisNode(t *testing.T) string {
	t.Helper()
	chart := t.TempDir()
	if err := os.CopyFS(chart, os.DirFS(filepath.Join(examplesFolder(t), "helm"))); err != nil {
		t.Fatal(err)
	}
	replaceIn(t, filepath.Join(chart, "templates", "crashcheck.yaml"),
		"      restartPolicy: Never\n", fmt.Sprintf("      restartPolicy: Never\n      hostNetwork: %t\n", the.loopbackPort != ""),
		"          image: {{ .Values.crashcheck.image }}\n", "          image: {{ .Values.crashcheck.image }}\n          imagePullPolicy: Never\n")
	replaceIn(t, filepath.Join(chart, "templates", "deployment.yaml"),
		"          image: {{ .Values.image }}\n", "          image: {{ .Values.image }}\n          imagePullPolicy: Never\n",
		"      containers:\n", "      terminationGracePeriodSeconds: 1\n      containers:\n")
	var values map[string]any
	path := filepath.Join(chart, "values.yaml")
	parse(t, readFile(t, path), &values)
	values["image"] = cluster.CrasherImage
	settings := values["crashcheck"].(map[string]any)
	settings["image"], settings["interval"], settings["duration"] = cluster.GateImage, 1, 15
	environment := map[string]string{}
	for _, variable := range loopbackEnv() {
		environment[variable.Name] = variable.Value
	}
	settings["env"] = environment
	write(t, path, marshal(t, values))
	return chart
}

// replaceIn replaces texts that a file has once each.
func replaceIn(t *testing.T, path string, pairs ...string) {
	t.Helper()
	text := string(readFile(t, path))
	for i := 0; i < len(pairs); i += 2 {
		if strings.Count(text, pairs[i]) != 1 {
			t.Fatalf("%s does not have %q once:\n%s", path, pairs[i], text)
		}
	}
	write(t, path, strings.NewReplacer(pairs...).Replace(text))
}
