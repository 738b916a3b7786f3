package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/crashcheck/crashcheck/test/e2e/gate"
)

// shippedAccount is the ServiceAccount that deploy/base ships.
const shippedAccount = "read-pod-status-sa"

// permissionKinds are the kinds in deploy/base and the components that grant permissions.
var permissionKinds = []string{"ServiceAccount", "ClusterRole", "RoleBinding", "Role"}

// shippedPermissions grants those of deploy/base, with these components, and returns a kubeconfig of the ServiceAccount.
func shippedPermissions(t *testing.T, namespace string, components ...string) (kubeconfig string) {
	t.Helper()
	apply(t, namespace, documents(t, overlay(t, checkout(t, namespace), namespace, "deploy/base", components), permissionKinds...))
	permitted(t, namespace, shippedAccount)
	return kubeconfigOf(t, namespace, tokenOf(t, namespace, shippedAccount))
}

// permitted waits until the API server allows the account to list pods: its authorizer sees a new binding a moment later.
func permitted(t *testing.T, namespace, account string) {
	t.Helper()
	config := rest.AnonymousClientConfig(the.Config)
	config.BearerToken = tokenOf(t, namespace, account)
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the account may list pods", patience, func(ctx context.Context) error {
		_, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{Limit: 1})
		return err
	})
}

// tokenOf asks the API server for a token of the ServiceAccount.
func tokenOf(t *testing.T, namespace, account string) string {
	t.Helper()
	request, err := the.Client.CoreV1().ServiceAccounts(namespace).CreateToken(t.Context(), account,
		&authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal("request a token:", err)
	}
	return request.Status.Token
}

func TestDeniedRequests(t *testing.T) {
	t.Parallel()
	namespace := newNamespace(t)
	paperPod(t, namespace, "web-0", 2)
	kubeconfig := shippedPermissions(t, namespace)

	t.Run("the shipped permissions do not reach another namespace, and the message says what is missing", func(t *testing.T) {
		t.Parallel()
		other := newNamespace(t)
		result := runGate(t, environment(other, map[string]string{"KUBECONFIG": kubeconfig}), gate.Inconclusive)
		wantTenSeconds(t, result)
		wantTexts(t, result.Report.Reason, "permission to list pods in namespace "+other, `{apiGroups: [""], resources: ["pods"], verbs: ["list"]}`)
	})
	t.Run("a binding that comes a moment late is waited for", func(t *testing.T) {
		t.Parallel()
		other := newNamespace(t)
		paperPod(t, other, "web-0", 2)
		run := startGate(t, environment(other, map[string]string{"KUBECONFIG": kubeconfig, "CRASH_LIMIT": "2", "DEBUG": "1"}))
		logged(t, run, "forbidden")
		_, err := the.Client.RbacV1().RoleBindings(other).Create(t.Context(), &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "late"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "read-pod-status"},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: shippedAccount, Namespace: namespace}},
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		wantCounts(t, finish(t, run, gate.Fail), 2, 1)
	})
	t.Run("a token that is not valid is refused", func(t *testing.T) {
		t.Parallel()
		result := runGate(t, environment(namespace, map[string]string{"KUBECONFIG": kubeconfigOf(t, namespace, "forged")}), gate.Inconclusive)
		wantTenSeconds(t, result)
		wantTexts(t, result.Report.Reason, "401")
		if strings.Contains(result.Stdout+result.Stderr, "forged") {
			t.Errorf("the token is printed:\n%s", result)
		}
	})
}

// wantTenSeconds checks that a run that is denied from the start gave up when a new binding would have taken effect.
func wantTenSeconds(t *testing.T, result gate.Result) {
	t.Helper()
	if elapsed := result.Report.ElapsedSeconds; elapsed < 9 || elapsed > 60 {
		t.Errorf("it gave up after %.1f s, want about 10\n%s", elapsed, result)
	}
}

// These tests delete what the gate needs while it runs.
func TestVanishing(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		administrator bool
		delete        func(t *testing.T, namespace string)
		window        string
		text          string
	}{
		"the ServiceAccount, whose token becomes invalid": {false, func(t *testing.T, namespace string) {
			if err := the.Client.CoreV1().ServiceAccounts(namespace).Delete(t.Context(), shippedAccount, metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
		}, "600", "401"},
		"the namespace, with the permissions in it": {false, deleteNamespace, "600", "failed"},
		"the namespace; with permissions for all others, it is a release without pods": {
			true, deleteNamespace, "20", "no pods remained at the final check (none since ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			namespace := newNamespace(t)
			paperPod(t, namespace, "web-0", 1)
			settings := map[string]string{"KUBECONFIG": shippedPermissions(t, namespace), "DURATION": test.window, "API_GRACE": "5"}
			if test.administrator {
				settings["KUBECONFIG"] = the.Kubeconfig
			}
			run := startGate(t, environment(namespace, settings))
			logged(t, run, "web-0")
			test.delete(t, namespace)
			result := finish(t, run, gate.Inconclusive)
			wantCounts(t, result, 1, 1)
			wantTexts(t, result.Stderr, test.text)
		})
	}
}

// deleteNamespace deletes it and waits until it is gone.
func deleteNamespace(t *testing.T, name string) {
	t.Helper()
	namespaces := the.Client.CoreV1().Namespaces()
	if err := namespaces.Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal("delete the namespace:", err)
	}
	eventually(t, "the namespace is gone", patience, func(ctx context.Context) error {
		left, err := namespaces.Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("it is still there: %v (%w)", left.Status, err)
	})
}
