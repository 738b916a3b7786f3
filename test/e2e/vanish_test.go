package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crashcheck/crashcheck/test/e2e/gate"
)

// These tests delete what the gate needs while it runs. Its window is longer than the test takes.

func TestAccountVanishes(t *testing.T) {
	t.Parallel()
	namespace, environ := vanishing(t)
	run := startGate(t, environ)
	logged(t, run, "web-0")
	if err := the.client.CoreV1().ServiceAccounts(namespace).Delete(t.Context(), "reader", metav1.DeleteOptions{}); err != nil {
		t.Fatal("delete the ServiceAccount:", err)
	}
	result := finish(t, run, gate.Inconclusive)
	wantCounts(t, result, 1, 1)
	if !strings.Contains(result.Stderr, "401") && !strings.Contains(result.Stderr, "Unauthorized") {
		t.Errorf("the log does not say that the token is refused\n%s", result)
	}
	// A new account with the same name does not make the old token valid.
	newServiceAccount(t, namespace, "reader")
	environ["API_GRACE"] = "1"
	runGate(t, environ, gate.Inconclusive)
}

func TestNamespaceVanishes(t *testing.T) {
	t.Parallel()
	t.Run("with the gate's own permissions in it, the run is inconclusive", func(t *testing.T) {
		t.Parallel()
		namespace, environ := vanishing(t)
		run := startGate(t, environ)
		logged(t, run, "web-0")
		deleteNamespace(t, namespace)
		wantCounts(t, finish(t, run, gate.Inconclusive), 1, 1)
	})
	t.Run("with permissions for all namespaces, it is a release without pods", func(t *testing.T) {
		t.Parallel()
		namespace, environ := vanishing(t)
		environ["KUBECONFIG"], environ["DURATION"] = the.kubeconfig, "20"
		run := startGate(t, environ)
		logged(t, run, "web-0")
		deleteNamespace(t, namespace)
		result := finish(t, run, gate.Inconclusive)
		wantCounts(t, result, 1, 1)
		if !strings.HasPrefix(result.Report.Reason, "no pods remained at the final check, since ") {
			t.Errorf("the reason is %q", result.Report.Reason)
		}
	})
}

// vanishing makes a pod that has crashed once, and the environment of a gate that watches it with a token of an account in
// the same namespace.
func vanishing(t *testing.T) (namespace string, environ map[string]string) {
	t.Helper()
	const hash = "90ae"
	namespace = newNamespace(t, nil)
	setRestarts(t, paperPod(t, namespace, "web-0", map[string]string{rolloutsLabel: hash}), 1)
	token := readerToken(t, namespace)
	permitted(t, namespace, "reader")
	return namespace, environment(namespace, map[string]string{
		"HASH": hash, "KUBECONFIG": kubeconfigWithToken(t, namespace, token),
		"COUNT": unset, "DURATION": "600", "API_GRACE": "5",
	})
}

// deleteNamespace deletes it and waits until it is gone.
func deleteNamespace(t *testing.T, name string) {
	t.Helper()
	namespaces := the.client.CoreV1().Namespaces()
	if err := namespaces.Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal("delete the namespace:", err)
	}
	eventually(t, "the namespace is gone", patience, func(ctx context.Context) error {
		left, err := namespaces.Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		return fmt.Errorf("its phase is %s", left.Status.Phase)
	})
}
