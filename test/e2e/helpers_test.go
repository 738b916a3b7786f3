package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/yaml"

	"github.com/crashcheck/crashcheck/test/e2e/gate"
)

// patience is how long a test waits for a condition that should be true soon.
const patience = 90 * time.Second

// needsNode is for tests whose pods run.
func needsNode(t *testing.T) {
	t.Helper()
	if the.Kubelet == nil {
		t.Skip("the cluster has no node")
	}
}

// newNamespace creates a namespace, and deletes it after the test.
func newNamespace(t *testing.T) string {
	t.Helper()
	return createNamespace(t, metav1.ObjectMeta{GenerateName: "crashcheck-e2e-"})
}

func createNamespace(t *testing.T, meta metav1.ObjectMeta) string {
	t.Helper()
	namespaces := the.Client.CoreV1().Namespaces()
	created, err := namespaces.Create(t.Context(), &corev1.Namespace{ObjectMeta: meta}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal("create a namespace:", err)
	}
	name := created.Name
	t.Cleanup(func() {
		if err := namespaces.Delete(context.Background(), name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			t.Error("delete the namespace:", err)
		}
	})
	// Pods cannot be created before it exists.
	eventually(t, "the default ServiceAccount exists", patience, func(ctx context.Context) error {
		_, err := the.Client.CoreV1().ServiceAccounts(name).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
	return name
}

// eventually waits until condition returns nil.
func eventually(t *testing.T, what string, within time.Duration, condition func(context.Context) error) {
	t.Helper()
	last := errors.New("not asked yet")
	err := wait.PollUntilContextTimeout(t.Context(), 250*time.Millisecond, within, true, func(ctx context.Context) (bool, error) {
		err := condition(ctx)
		// An error because the wait is over means nothing.
		if ctx.Err() == nil {
			last = err
		}
		return err == nil, nil
	})
	if err != nil {
		t.Fatalf("waited %s until %s; at last: %v", within, what, last)
	}
}

// environment is that of a gate, for tests to add to: it checks pods of someHash for two minutes, and hardly ever fails.
func environment(namespace string, more map[string]string) map[string]string {
	all := map[string]string{
		"KUBECONFIG":  the.Kubeconfig,
		"NAMESPACE":   namespace,
		"HASH":        someHash,
		"INTERVAL":    "500ms",
		"DURATION":    "120",
		"CRASH_LIMIT": "1000000",
	}
	maps.Copy(all, more)
	return all
}

// startGate starts crashcheck. It is killed if it still runs at the end of the test.
func startGate(t *testing.T, environment map[string]string) *gate.Run {
	t.Helper()
	run, err := gate.Start(t.Context(), the.binary, environment)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// finish waits for the end of a run, and fails the test unless the run has this exit code and the verdict that belongs to
// it.
func finish(t *testing.T, run *gate.Run, exitCode int) gate.Result {
	t.Helper()
	result, err := run.Wait()
	if err != nil {
		t.Fatalf("%v\n%s", err, result)
	}
	if result.ExitCode != exitCode || result.Report.Verdict != verdictOf[exitCode] {
		t.Fatalf("want exit code %d and verdict %s, got\n%s", exitCode, verdictOf[exitCode], result)
	}
	return result
}

var verdictOf = map[int]string{
	gate.Pass:         "pass",
	gate.Fail:         "fail",
	gate.Invalid:      "invalid",
	gate.Inconclusive: "inconclusive",
	gate.NotReady:     "not_ready",
	gate.Terminated:   "interrupted",
}

// runGate runs crashcheck and waits for its end.
func runGate(t *testing.T, environment map[string]string, exitCode int) gate.Result {
	t.Helper()
	return finish(t, startGate(t, environment), exitCode)
}

// logged waits until a run's log has the text.
func logged(t *testing.T, run *gate.Run, text string) {
	t.Helper()
	eventually(t, fmt.Sprintf("the log says %q", text), patience, func(context.Context) error {
		if log := run.Stderr(); !strings.Contains(log, text) {
			return fmt.Errorf("the log is:\n%s", log)
		}
		return nil
	})
}

func wantCounts(t *testing.T, result gate.Result, crashes, pods int) {
	t.Helper()
	if result.Report.Crashes != int64(crashes) || result.Report.Pods != int64(pods) {
		t.Errorf("want %d crashes of %d pods, got %d of %d\n%s", crashes, pods, result.Report.Crashes, result.Report.Pods, result)
	}
}

// wantTexts checks that a text contains others.
func wantTexts(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("it does not say %q:\n%s", part, text)
		}
	}
}

// kubeconfigOf returns a copy of the suite's kubeconfig with this namespace in its context and, unless it is empty, with
// this token in place of the administrator's identity.
func kubeconfigOf(t *testing.T, namespace, token string) string {
	t.Helper()
	config, err := clientcmd.LoadFromFile(the.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	current := config.Contexts[config.CurrentContext]
	current.Namespace = namespace
	if token != "" {
		config.AuthInfos[current.AuthInfo] = &clientcmdapi.AuthInfo{Token: token}
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// shell runs commands as a pipeline does, with a kubectl that uses the cluster: it stops at the first one that fails, and
// the exit code must be this one. It returns the output.
func shell(t *testing.T, folder string, environment []string, commands string, exitCode int) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-e", "-c", commands)
	cmd.Dir = folder
	cmd.Env = append([]string{
		"PATH=" + filepath.Dir(the.kubectl) + string(filepath.ListSeparator) + os.Getenv("PATH"),
		"HOME=" + the.Dir, // kubectl keeps a cache there
		"KUBECONFIG=" + the.Kubeconfig,
	}, environment...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != exitCode {
		t.Fatalf("%s\nwant exit code %d, got %v:\n%s", commands, exitCode, err, out)
	}
	return string(out)
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func marshal(t *testing.T, object any) string {
	t.Helper()
	data, err := yaml.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func parse(t *testing.T, manifest string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(manifest), into); err != nil {
		t.Fatal(err)
	}
}
