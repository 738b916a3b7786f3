package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
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

// TestHelmChart releases docs/examples/helm with the commands of docs/helm.md: an install, a good upgrade, and upgrades whose
// pods crash.
func TestHelmChart(t *testing.T) {
	needsLocalImages(t)
	// Before other tests run: a build takes minutes, and both processors.
	bin, err := helmComponent.Build(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	t.Parallel()
	commands := blocks(string(readFile(t, filepath.Join(docsFolder(t), "helm.md"))), "sh")
	if len(commands) != 2 {
		t.Fatalf("docs/helm.md has %d blocks of commands, this test knows 2", len(commands))
	}
	withRollback, inPipeline := commands[0], commands[1]
	h := helm{bin: bin, namespace: newNamespace(t, nil), folder: t.TempDir()}
	h.createChart(t)

	for revision := 1; revision <= 2; revision++ {
		version := strconv.Itoa(revision)
		h.setValues(t, map[string]string{"VERSION": version})
		h.run(t, true, withRollback)
		h.wantRelease(t, revision, "deployed", version)
		message := h.wantHook(t, gate.Pass, "PASS: no crashes within ")
		if !strings.Contains(message, "checked version "+h.hash(t)+" of deployment/shop") {
			t.Errorf("the termination message does not name the version:\n%s", message)
		}
	}

	// The new pods become available, and crash later: Helm's wait does not notice, the hook does.
	h.setValues(t, map[string]string{"VERSION": "3", "AFTER": "15s", "CODE": "3"})
	output := h.run(t, false, withRollback)
	for _, text := range []string{"post-upgrade hooks failed", "rolled back", `\"verdict\":\"fail\"`} {
		if !strings.Contains(output, text) {
			t.Errorf("helm does not say %q:\n%s", text, output)
		}
	}
	h.wantRelease(t, 4, "deployed", "2")
	if history := h.history(t); history[3].Status != "failed" {
		t.Errorf("revision 3 is %s, want failed", history[3].Status)
	}
	t.Log(h.wantHook(t, gate.Fail, "FAIL: "))

	// They crash at startup. Without Helm's wait, the hook runs at once.
	h.setValues(t, map[string]string{"VERSION": "4", "AFTER": "0s", "CODE": "4"})
	h.run(t, false, inPipeline)
	h.wantRelease(t, 6, "deployed", "2")
	if history := h.history(t); history[5].Status != "failed" {
		t.Errorf("revision 5 is %s, want failed", history[5].Status)
	}
	t.Log(h.wantHook(t, gate.Fail, "FAIL: "))
}

// helm runs helm as a user whose folder has the chart "shop". The release is called shop too.
type helm struct{ bin, namespace, folder string }

// run runs commands of a guide, which have to succeed or not to, and returns what they print.
func (h helm) run(t *testing.T, succeeds bool, commands string) string {
	t.Helper()
	environment := append(clusterEnvironment(), "PATH="+h.bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	begun := time.Now()
	code, output := shell(t, h.folder, environment, strings.ReplaceAll(commands, "--namespace shop", "--namespace "+h.namespace))
	if (code == 0) != succeeds {
		t.Fatalf("%s\n%s\nexit code %d", commands, output, code)
	}
	t.Logf("exit code %d after %s: %s", code, time.Since(begun).Round(time.Second), commands)
	return output
}

// helmRevision is an entry of a release's history.
type helmRevision struct {
	Revision int    `json:"revision"`
	Status   string `json:"status"`
}

// history returns the revisions by number.
func (h helm) history(t *testing.T) map[int]helmRevision {
	t.Helper()
	var entries []helmRevision
	if err := json.Unmarshal([]byte(h.run(t, true, "helm history shop --namespace shop --output json")), &entries); err != nil {
		t.Fatal(err)
	}
	byNumber := map[int]helmRevision{}
	for _, entry := range entries {
		byNumber[entry.Revision] = entry
	}
	return byNumber
}

// wantRelease wants the last revision to be this one, and the Deployment to have this image and VERSION.
func (h helm) wantRelease(t *testing.T, revision int, status, version string) {
	t.Helper()
	history := h.history(t)
	if len(history) != revision || history[revision].Status != status {
		t.Fatalf("the history is %+v, want revision %d %s", history, revision, status)
	}
	deployment, err := the.client.AppsV1().Deployments(h.namespace).Get(t.Context(), "shop", metav1.GetOptions{})
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

// hash is the hash of the Deployment's pods, which are all of one version.
func (h helm) hash(t *testing.T) string {
	t.Helper()
	hash := ""
	eventually(t, "the Deployment has pods of one version", patience, func(ctx context.Context) error {
		pods, err := the.client.CoreV1().Pods(h.namespace).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=shop"})
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
func (h helm) wantHook(t *testing.T, exitCode int32, message string) string {
	t.Helper()
	const job = "shop-crashcheck"
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

// createChart copies docs/examples/helm, with what this node needs in the templates.
func (h helm) createChart(t *testing.T) {
	t.Helper()
	chart := filepath.Join(h.folder, "shop")
	if err := os.CopyFS(chart, os.DirFS(filepath.Join(examplesFolder(t), "helm"))); err != nil {
		t.Fatal(err)
	}
	replaceIn(t, filepath.Join(chart, "templates", "crashcheck.yaml"),
		"      restartPolicy: Never\n", fmt.Sprintf("      restartPolicy: Never\n      hostNetwork: %t\n", the.loopbackPort != ""),
		"          image: {{ .Values.crashcheck.image }}\n", "          image: {{ .Values.crashcheck.image }}\n          imagePullPolicy: Never\n")
	replaceIn(t, filepath.Join(chart, "templates", "deployment.yaml"),
		"          image: {{ .Values.image }}\n", "          image: {{ .Values.image }}\n          imagePullPolicy: Never\n",
		"      containers:\n", "      terminationGracePeriodSeconds: 1\n      containers:\n")
}

// setValues sets the values of the chart: this node's images, this environment of the crasher, and a window that a bad release
// ends early.
func (h helm) setValues(t *testing.T, environment map[string]string) {
	t.Helper()
	var values map[string]any
	parse(t, readFile(t, filepath.Join(examplesFolder(t), "helm", "values.yaml")), &values)
	values["image"], values["env"] = cluster.CrasherImage, environment
	settings := values["crashcheck"].(map[string]any)
	settings["image"], settings["interval"], settings["duration"], settings["limit"] = cluster.GateImage, 1, 8, 2
	if environment["CODE"] != "" {
		settings["duration"] = 120
	}
	gateEnvironment := map[string]string{}
	for _, variable := range loopbackEnv() {
		gateEnvironment[variable.Name] = variable.Value
	}
	settings["env"] = gateEnvironment
	write(t, filepath.Join(h.folder, "shop", "values.yaml"), marshal(t, values))
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
