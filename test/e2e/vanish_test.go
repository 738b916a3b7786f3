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

// These take away, while the gate runs, what it lives on. Its window is longer
// than any of this lasts, unless it could pass.

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
	// An account of the same name is another one: the old token stays void.
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
	// To who may list pods everywhere, a namespace that is gone is an empty one.
	t.Run("with permissions for all namespaces, nothing is Ready in the end", func(t *testing.T) {
		t.Parallel()
		namespace, environ := vanishing(t)
		environ["KUBECONFIG"] = the.kubeconfig
		environ["DURATION"], environ["REQUIRE_READY"] = "20", "1"
		run := startGate(t, environ)
		logged(t, run, "web-0")
		deleteNamespace(t, namespace)
		wantCounts(t, finish(t, run, gate.NotReady), 1, 1)
	})
	t.Run("its crashes stay counted", func(t *testing.T) {
		t.Parallel()
		namespace, environ := vanishing(t)
		environ["KUBECONFIG"], environ["DURATION"] = the.kubeconfig, "20"
		run := startGate(t, environ)
		logged(t, run, "web-0")
		deleteNamespace(t, namespace)
		// Without REQUIRE_READY the pods may go: SPEC 3 wants to have seen them.
		wantCounts(t, finish(t, run, gate.Pass), 1, 1)
	})
}

// vanishing is a pod that has crashed once, and the environment of a gate that
// watches it with a token of the namespace's own.
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
