package e2e

import (
	"context"
	"fmt"
	"maps"
	"os"
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

	"github.com/crashcheck/crashcheck/test/e2e/cluster"
	"github.com/crashcheck/crashcheck/test/e2e/gate"
)

// patience is how long a test waits for a condition that should be true soon.
const patience = 90 * time.Second

// ownCluster is for tests that break components.
func ownCluster(t *testing.T) *cluster.Cluster {
	t.Helper()
	if the.own == nil {
		t.Skip("KUBECONFIG is set: this test breaks components of the cluster, and does so only to its own")
	}
	return the.own
}

// needsLocalImages is for tests whose pods run this suite's images.
func needsLocalImages(t *testing.T) {
	t.Helper()
	if the.loopbackPort == "" {
		t.Skip("this test's pods use images that only the node of package cluster has, and here is none")
	}
}

// newNamespace creates a namespace, and deletes it after the test.
func newNamespace(t *testing.T, labels map[string]string) string {
	t.Helper()
	namespaces := the.client.CoreV1().Namespaces()
	created, err := namespaces.Create(t.Context(), &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "crashcheck-e2e-", Labels: labels},
	}, metav1.CreateOptions{})
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
		_, err := the.client.CoreV1().ServiceAccounts(name).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
	return name
}

// eventually waits until condition returns nil.
func eventually(t *testing.T, what string, within time.Duration, condition func(context.Context) error) {
	t.Helper()
	last := fmt.Errorf("not asked yet")
	err := wait.PollUntilContextTimeout(t.Context(), 250*time.Millisecond, within, true, func(ctx context.Context) (bool, error) {
		last = condition(ctx)
		return last == nil, nil
	})
	if err != nil {
		t.Fatalf("waited %s until %s; at last: %v", within, what, last)
	}
}

// environment is a run of one check in a namespace, for tests to add to.
func environment(namespace string, more map[string]string) map[string]string {
	all := map[string]string{
		"KUBECONFIG":  the.kubeconfig,
		"NAMESPACE":   namespace,
		"INTERVAL":    "500ms",
		"COUNT":       "1",
		"CRASH_LIMIT": "1000000",
	}
	maps.Copy(all, more)
	for name, value := range all {
		if value == unset {
			delete(all, name)
		}
	}
	return all
}

// unset removes a variable from an environment.
const unset = "\x00"

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
	130:               "interrupted",
	143:               "interrupted",
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

// kubeconfigWithToken writes a kubeconfig like the suite's with another
// identity, and the namespace in its context.
func kubeconfigWithToken(t *testing.T, namespace, token string) string {
	t.Helper()
	config, err := clientcmd.LoadFromFile(the.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	current := config.Contexts[config.CurrentContext]
	config.AuthInfos = map[string]*clientcmdapi.AuthInfo{"token": {Token: token}}
	current.AuthInfo, current.Namespace = "token", namespace
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
