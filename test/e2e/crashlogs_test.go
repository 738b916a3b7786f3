package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crashcheck/crashcheck/test/e2e/gate"
)

// TestCrashLogs shows what deploy/components/crash-logs is for.
func TestCrashLogs(t *testing.T) {
	needsLocalImages(t)
	t.Parallel()
	const lastLine = "crasher: exiting as configured" // which the crashed container prints
	for name, test := range map[string]struct {
		components []string
		shown      bool
	}{
		"with the component, the crashed container's last lines are in the gate's log": {[]string{"crash-logs"}, true},
		"without it, the log names the rule to add, and the verdict stays":             {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			namespace := newNamespace(t, nil)
			hash := deploy(t, namespace, 1, corev1.PodSpec{Containers: []corev1.Container{container("main", ends("0s", "3"))}})
			patches := append(ownClusterRole(t, namespace), jobPatch(t, map[string]string{
				"HASH": hash, "INTERVAL": "1", "DURATION": "120", "CRASH_LIMIT": "2", "CRASH_LOG_LINES": "5",
			}))
			apply(t, namespace, rendered(t, overlayWith(t, namespace, "base", test.components, patches...)))

			result := finishJob(t, namespace, 3*time.Minute)
			if result.Complete || result.ExitCode != gate.Fail {
				t.Errorf("want a fail, got %s", result)
			}
			if shown := strings.Contains(result.Log, lastLine); shown != test.shown {
				t.Errorf("the last line of the crashed container is in the log: %t, want %t\n%s", shown, test.shown, result)
			}
			if named := strings.Contains(result.Log, "pods/log"); named == test.shown {
				t.Errorf("the log names pods/log: %t\n%s", named, result)
			}
		})
	}
}

// ownClusterRole are patches of an overlay over deploy/base, with components that add rules: the ClusterRole, which all
// namespaces share, has another name for this namespace. Other tests look at what the base alone allows.
func ownClusterRole(t *testing.T, namespace string) []map[string]any {
	t.Helper()
	name := "read-pod-status-" + namespace
	t.Cleanup(func() {
		err := the.client.RbacV1().ClusterRoles().Delete(context.Background(), name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			t.Error(err)
		}
	})
	role := patch(t, "ClusterRole", "read-pod-status", []map[string]any{{"op": "replace", "path": "/metadata/name", "value": name}})
	role["options"] = map[string]bool{"allowNameChange": true}
	binding := patch(t, "RoleBinding", "read-pod-status-binding", []map[string]any{{"op": "replace", "path": "/roleRef/name", "value": name}})
	return []map[string]any{binding, role}
}
