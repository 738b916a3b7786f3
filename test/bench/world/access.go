package world

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// account is the gates' ServiceAccount. An administrator would not do: the API
// server exempts those from its fair queues.
const account = "gate"

// CreateNamespace makes a namespace in which pods can be created, and in which
// the gates' ServiceAccount may list and watch them.
func (w *World) CreateNamespace(ctx context.Context, namespace string) error {
	meta := metav1.ObjectMeta{Name: namespace}
	if _, err := w.Client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: meta}, metav1.CreateOptions{}); err != nil {
		return err
	}
	// The first is what the controller manager would make.
	for _, name := range []string{"default", account} {
		serviceAccount := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if _, err := w.Client.CoreV1().ServiceAccounts(namespace).Create(ctx, serviceAccount, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	role := &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: account},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list", "watch"}}},
	}
	if _, err := w.Client.RbacV1().Roles(namespace).Create(ctx, role, metav1.CreateOptions{}); err != nil {
		return err
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: account},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: account},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: account, Namespace: namespace}},
	}
	_, err := w.Client.RbacV1().RoleBindings(namespace).Create(ctx, binding, metav1.CreateOptions{})
	return err
}

// Access is a way to the API server with a gate's credentials.
type Access struct {
	// Namespace is the one that the credentials are for.
	Namespace string
	// Server is the API server's address, or a relay's.
	Server string
	// Token and CAFile are for clients that read no kubeconfig.
	Token, CAFile string
	// Kubeconfig is a file that holds the same.
	Kubeconfig string
}

// NewAccess issues a token of its own, as each gate's pod has one. At an empty
// address it leads straight to the API server.
func (w *World) NewAccess(ctx context.Context, namespace, label, server string) (Access, error) {
	hour := int64(3600)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &hour}}
	answer, err := w.Client.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, account, request, metav1.CreateOptions{})
	if err != nil {
		return Access{}, fmt.Errorf("make a token for %s: %w", namespace, err)
	}
	if server == "" {
		server = w.Config.Host
	}
	access := Access{
		Namespace: namespace, Server: server, Token: answer.Status.Token,
		CAFile:     filepath.Join(w.Work, "ca.crt"),
		Kubeconfig: filepath.Join(w.Work, namespace+"-"+label+".kubeconfig"),
	}
	if err := os.WriteFile(access.CAFile, w.Config.CAData, 0o644); err != nil {
		return Access{}, err
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["bench"] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: w.Config.CAData}
	config.AuthInfos["gate"] = &clientcmdapi.AuthInfo{Token: access.Token}
	config.Contexts["bench"] = &clientcmdapi.Context{Cluster: "bench", AuthInfo: "gate", Namespace: namespace}
	config.CurrentContext = "bench"
	return access, clientcmd.WriteToFile(*config, access.Kubeconfig)
}
