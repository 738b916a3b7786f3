package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"

	"github.com/crashcheck/crashcheck/test/e2e/build"
	"github.com/crashcheck/crashcheck/test/e2e/cluster"
	"github.com/crashcheck/crashcheck/test/e2e/gate"
)

// TestHelmChart releases docs/examples/helm with the commands of docs/helm.md: an install, a good upgrade, and upgrades whose
// pods crash.
func TestHelmChart(t *testing.T) {
	needsNode(t)
	// Before other tests run: a build takes minutes, and both processors.
	bin, err := build.Helm.Build(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	t.Parallel()
	commands := blocks(readFile(t, root+"/docs/helm.md"), "sh")
	if len(commands) != 2 {
		t.Fatalf("docs/helm.md has %d blocks of commands, this test knows 2", len(commands))
	}
	withRollback, inPipeline := commands[0], commands[1]
	namespace := newNamespace(t)
	h := helm{bin: bin, namespace: namespace, folder: t.TempDir()}
	if err := os.Rename(filepath.Join(checkout(t, namespace), "docs/examples/helm"), h.chart()); err != nil {
		t.Fatal(err)
	}

	for revision := 1; revision <= 2; revision++ {
		h.setValues(t, 8, map[string]string{"VERSION": strconv.Itoa(revision)})
		h.run(t, withRollback, 0)
		h.wantRelease(t, revision, "deployed", strconv.Itoa(revision))
		wantTexts(t, h.hook(t, gate.Pass), "PASS: no crashes within ", " of deployment/shop")
	}

	// The new pods become available, and crash later: Helm's wait does not notice, the hook does.
	h.setValues(t, 120, map[string]string{"VERSION": "3", "AFTER": "15s", "CODE": "3"})
	wantTexts(t, h.run(t, withRollback, 1), "post-upgrade hooks failed", "rolled back", `\"verdict\":\"fail\"`)
	h.wantRelease(t, 3, "failed", "2")
	h.wantRelease(t, 4, "deployed", "2")
	wantTexts(t, h.hook(t, gate.Fail), "FAIL: ")

	// They crash at startup. Without Helm's wait, the hook runs at once.
	h.setValues(t, 120, map[string]string{"VERSION": "4", "AFTER": "0s", "CODE": "4"})
	h.run(t, inPipeline, 1)
	h.wantRelease(t, 5, "failed", "2")
	h.wantRelease(t, 6, "deployed", "2")
	wantTexts(t, h.hook(t, gate.Fail), "FAIL: ")
}

// helm runs helm as a user whose folder has the chart "shop". The release is called shop too.
type helm struct{ bin, namespace, folder string }

func (h helm) chart() string { return filepath.Join(h.folder, "shop") }

// run runs commands of a guide, which have to exit with this code, and returns what they print.
func (h helm) run(t *testing.T, commands string, exitCode int) string {
	t.Helper()
	path := "PATH=" + h.bin + string(filepath.ListSeparator) + os.Getenv("PATH")
	return shell(t, h.folder, []string{path}, strings.ReplaceAll(commands, "--namespace shop", "--namespace "+h.namespace), exitCode)
}

// wantRelease wants the release to have this revision, and the pods to have this VERSION.
func (h helm) wantRelease(t *testing.T, revision int, status, version string) {
	t.Helper()
	var history []struct {
		Revision int
		Status   string
	}
	if err := json.Unmarshal([]byte(h.run(t, "helm history shop --namespace shop --output json", 0)), &history); err != nil {
		t.Fatal(err)
	}
	if len(history) < revision || history[revision-1].Revision != revision || history[revision-1].Status != status {
		t.Fatalf("the history is %+v, want revision %d %s", history, revision, status)
	}
	wantVersion(t, h.namespace, version)
}

// hook wants the pod of the hook's Job to have ended so, and returns its termination message.
func (h helm) hook(t *testing.T, exitCode int) string {
	t.Helper()
	pods := podsIn(t, h.namespace, batchv1.JobNameLabel+"=shop-crashcheck")
	if len(pods) != 1 {
		t.Fatalf("the Job of the hook has %d pods, want 1", len(pods))
	}
	result := resultOf(t, pods[0])
	if result.ExitCode != exitCode {
		t.Fatalf("want exit code %d, got %s", exitCode, result)
	}
	return result.Message
}

// setValues sets the values of the chart: the crasher with this environment, and a window in seconds.
func (h helm) setValues(t *testing.T, window int, environment map[string]string) {
	t.Helper()
	path := filepath.Join(h.chart(), "values.yaml")
	var values map[string]any
	parse(t, readFile(t, path), &values)
	values["image"], values["env"] = cluster.CrasherImage, environment
	settings := values["crashcheck"].(map[string]any)
	settings["interval"], settings["duration"], settings["limit"] = 1, window, 2
	write(t, path, marshal(t, values))
}
