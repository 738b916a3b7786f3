package e2e

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/crashcheck/crashcheck/test/e2e/build"
	"github.com/crashcheck/crashcheck/test/e2e/gate"
)

// The ServiceAccount that deploy/base ships.
const shippedAccount = "read-pod-status-sa"

// permissionKinds are the kinds in deploy/base that grant permissions. The rest is the Job.
var permissionKinds = []string{"ServiceAccount", "ClusterRole", "RoleBinding"}

func TestShippedPermissions(t *testing.T) {
	t.Parallel()
	const hash = "c0ffee"
	namespace := newNamespace(t, nil)
	setRestarts(t, paperPod(t, namespace, "web-0", map[string]string{rolloutsLabel: hash}), 2)
	grantBase(t, namespace)
	asShipped := func(more map[string]string) map[string]string {
		all := map[string]string{"HASH": hash, "KUBECONFIG": kubeconfigWithToken(t, namespace, tokenOf(t, namespace, shippedAccount))}
		for name, value := range more {
			all[name] = value
		}
		return environment(namespace, all)
	}

	t.Run("are enough", func(t *testing.T) {
		result := runGate(t, asShipped(nil), gate.Pass)
		wantCounts(t, result, 2, 1)
	})
	t.Run("are enough to fail", func(t *testing.T) {
		result := runGate(t, asShipped(map[string]string{"CRASH_LIMIT": "2"}), gate.Fail)
		wantCounts(t, result, 2, 1)
	})
	t.Run("allow nothing but to list pods here", func(t *testing.T) {
		rules, err := the.client.RbacV1().ClusterRoles().Get(t.Context(), "read-pod-status", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if len(rules.Rules) != 1 || strings.Join(rules.Rules[0].Verbs, ",") != "list" || strings.Join(rules.Rules[0].Resources, ",") != "pods" {
			t.Errorf("the ClusterRole has the rules %+v", rules.Rules)
		}
	})
	t.Run("do not reach another namespace", func(t *testing.T) {
		t.Parallel()
		other := newNamespace(t, nil)
		result := runGate(t, asShipped(map[string]string{"NAMESPACE": other}), gate.Inconclusive)
		wantDenied(t, result, other)
	})
}

func TestMissingPermissions(t *testing.T) {
	t.Parallel()
	const hash = "c0ffee"
	setUp := func(t *testing.T) (namespace string, environ map[string]string) {
		namespace = newNamespace(t, nil)
		setRestarts(t, paperPod(t, namespace, "web-0", map[string]string{rolloutsLabel: hash}), 2)
		newServiceAccount(t, namespace, "nobody")
		return namespace, environment(namespace, map[string]string{
			"HASH":       hash,
			"KUBECONFIG": kubeconfigWithToken(t, namespace, tokenOf(t, namespace, "nobody")),
		})
	}
	t.Run("without a binding the run is inconclusive after ten seconds", func(t *testing.T) {
		t.Parallel()
		namespace, environ := setUp(t)
		result := runGate(t, environ, gate.Inconclusive)
		wantDenied(t, result, namespace)
	})
	t.Run("a binding that comes a moment late is waited for", func(t *testing.T) {
		t.Parallel()
		namespace, environ := setUp(t)
		environ["DEBUG"] = "1"
		run := startGate(t, environ)
		logged(t, run, "forbidden")
		allow(t, namespace, "nobody", podRule("list"))
		result := finish(t, run, gate.Pass)
		wantCounts(t, result, 2, 1)
		if result.Report.FailedChecks == 0 {
			t.Errorf("no check has failed: this showed nothing\n%s", result)
		}
	})
}

func TestTokens(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t, nil)
	account := newServiceAccount(t, namespace, "reader")
	allow(t, namespace, "reader", podRule("list"))
	permitted(t, namespace, "reader")
	t.Run("one that has expired is inconclusive after ten seconds", func(t *testing.T) {
		t.Parallel()
		token := expiredToken(t, account)
		result := runGate(t, environment(namespace, map[string]string{
			"HASH": "c0ffee", "KUBECONFIG": kubeconfigWithToken(t, namespace, token),
		}), gate.Inconclusive)
		wantWait(t, result, 10*time.Second)
		if text := result.Stderr + result.Stdout; !strings.Contains(text, "401") && !strings.Contains(strings.ToLower(text), "unauthorized") {
			t.Errorf("no word of the refused identity:\n%s", result)
		}
		if strings.Contains(result.Stderr+result.Stdout, token) {
			t.Errorf("the token is printed:\n%s", result)
		}
	})
}

// wantDenied checks that the run gave up ten seconds after the first denial, and named the missing permission.
func wantDenied(t *testing.T, result gate.Result, namespace string) {
	t.Helper()
	wantWait(t, result, 10*time.Second)
	wantMessage(t, result, namespace)
}

func wantMessage(t *testing.T, result gate.Result, namespace string) {
	t.Helper()
	for _, part := range []string{"list", "pods", namespace} {
		if !strings.Contains(result.Report.Reason, part) {
			t.Errorf("the reason %q does not name %q", result.Report.Reason, part)
		}
	}
	// The rule to add, as a Role contains it.
	for _, part := range []string{"verbs", "list", "resources", "pods"} {
		if !strings.Contains(result.Stderr, part) {
			t.Errorf("the log does not show the rule to add (%q is missing):\n%s", part, result.Stderr)
		}
	}
}

// wantWait checks how long a run took, as its report says.
func wantWait(t *testing.T, result gate.Result, about time.Duration) {
	t.Helper()
	elapsed := time.Duration(result.Report.ElapsedSeconds * float64(time.Second))
	if elapsed < about-time.Second || elapsed > about+5*time.Second {
		t.Errorf("it ended after %s, want about %s\n%s", elapsed, about, result)
	}
}

func podRule(verbs ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: verbs}
}

func clientWithToken(t *testing.T, token string) kubernetes.Interface {
	t.Helper()
	config := rest.AnonymousClientConfig(the.config)
	config.BearerToken = token
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// shippedManifests renders a folder of deploy and returns its objects of these kinds, or all objects.
func shippedManifests(t *testing.T, folder string, kinds ...string) []byte {
	t.Helper()
	return rendered(t, filepath.Join(deployFolder(t), folder), kinds...)
}

// rendered are the objects of a kustomization that are of these kinds, or all objects.
func rendered(t *testing.T, folder string, kinds ...string) []byte {
	t.Helper()
	all := kubectl(t, nil, "kustomize", folder)
	if len(kinds) == 0 {
		return all
	}
	var chosen [][]byte
	for _, document := range bytes.Split(all, []byte("\n---\n")) {
		var object metav1.TypeMeta
		if err := yaml.Unmarshal(document, &object); err != nil {
			t.Fatal(err)
		}
		for _, kind := range kinds {
			if object.Kind == kind {
				chosen = append(chosen, document)
			}
		}
	}
	return bytes.Join(chosen, []byte("\n---\n"))
}

// grant applies the permissions of a kustomization, and waits until they hold.
func grant(t *testing.T, namespace, folder string) {
	t.Helper()
	apply(t, namespace, rendered(t, folder, permissionKinds...))
	permitted(t, namespace, shippedAccount)
}

// grantBase is grant for deploy/base, which needs no overlay.
func grantBase(t *testing.T, namespace string) {
	t.Helper()
	grant(t, namespace, filepath.Join(deployFolder(t), "base"))
}

func deployFolder(t *testing.T) string {
	t.Helper()
	root, err := build.ProductRoot()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, "deploy")
}

// apply applies a manifest, as a user does.
func apply(t *testing.T, namespace string, manifest []byte) {
	t.Helper()
	kubectl(t, manifest, "apply", "--server-side", "--validate=strict", "--namespace", namespace, "-f", "-")
}

// kubectl runs kubectl with this input and returns its output.
func kubectl(t *testing.T, input []byte, args ...string) []byte {
	t.Helper()
	out, err := tryKubectl(t.Context(), input, args...)
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func tryKubectl(ctx context.Context, input []byte, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, the.kubectl, append([]string{"--kubeconfig", the.kubeconfig}, args...)...)
	cmd.Stdin = bytes.NewReader(input)
	var out, errout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errout
	if err := cmd.Run(); err != nil {
		return append(out.Bytes(), errout.Bytes()...), err
	}
	return out.Bytes(), nil
}
