package world

import (
	"context"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// account is the gates' ServiceAccount. An administrator would be exempt from
// the API server's priority and fairness.
const account = "gate"

// Site is a namespace and the ways to reach it.
type Site struct {
	Namespace string
	// Direct leads to the API server, Relayed through Relay.
	Direct, Relayed Access
	// JSON leads through a proxy that requests JSON, and then through Relay.
	JSON  Access
	Relay *Relay
}

// Access is an address of the API server with the credentials of a gate.
type Access struct {
	Server, Token, CAFile string
	// Kubeconfig is a file that contains the same.
	Kubeconfig string
}

// NewSite makes a namespace in which pods can be created, and in which the
// gates' ServiceAccount may list them.
func (w *World) NewSite(ctx context.Context, namespace string) (*Site, error) {
	if err := w.createNamespace(ctx, namespace); err != nil {
		return nil, fmt.Errorf("make namespace %s: %w", namespace, err)
	}
	relay, err := NewRelay(w.Config.Host)
	if err != nil {
		return nil, err
	}
	site := &Site{Namespace: namespace, Relay: relay}
	if site.Direct, err = w.newAccess(ctx, namespace, "direct", w.Config.Host, w.Config.CAData); err != nil {
		return nil, err
	}
	if site.Relayed, err = w.newAccess(ctx, namespace, "relayed", relay.Address, w.Config.CAData); err != nil {
		return nil, err
	}
	proxy, authority, err := jsonProxy(relay.Address, w.Config.CAData)
	if err != nil {
		return nil, err
	}
	site.JSON, err = w.newAccess(ctx, namespace, "json", proxy, authority)
	return site, err
}

func (w *World) createNamespace(ctx context.Context, namespace string) error {
	if _, err := w.Client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{}); err != nil {
		return err
	}
	// The controller manager would create the first one.
	for _, name := range []string{"default", account} {
		serviceAccount := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if _, err := w.Client.CoreV1().ServiceAccounts(namespace).Create(ctx, serviceAccount, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	role := &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: account},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}}},
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

func (w *World) newAccess(ctx context.Context, namespace, label, server string, authority []byte) (Access, error) {
	hours := int64(4 * 3600)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &hours}}
	answer, err := w.Client.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, account, request, metav1.CreateOptions{})
	if err != nil {
		return Access{}, fmt.Errorf("make a token for %s: %w", namespace, err)
	}
	base := filepath.Join(w.Work, namespace+"-"+label)
	access := Access{Server: server, Token: answer.Status.Token, CAFile: base + ".crt", Kubeconfig: base + ".kubeconfig"}
	if err := os.WriteFile(access.CAFile, authority, 0o644); err != nil {
		return Access{}, err
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["bench"] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: authority}
	config.AuthInfos["gate"] = &clientcmdapi.AuthInfo{Token: access.Token}
	config.Contexts["bench"] = &clientcmdapi.Context{Cluster: "bench", AuthInfo: "gate", Namespace: namespace}
	config.CurrentContext = "bench"
	return access, clientcmd.WriteToFile(*config, access.Kubeconfig)
}

// jsonProxy starts a proxy in front of the API server at target that always requests JSON, independent of the client. It
// runs until the suite ends.
func jsonProxy(target string, authority []byte) (address string, ownAuthority []byte, err error) {
	to, err := url.Parse(target)
	if err != nil {
		return "", nil, err
	}
	tlsConfig, err := rest.TLSConfigFor(&rest.Config{Host: target, TLSClientConfig: rest.TLSClientConfig{CAData: authority}})
	if err != nil {
		return "", nil, err
	}
	server := httptest.NewTLSServer(&httputil.ReverseProxy{
		// It passes compressed answers on as they are.
		Transport: &http.Transport{TLSClientConfig: tlsConfig, DisableCompression: true},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Header.Set("Accept", "application/json")
		},
	})
	return server.URL, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), nil
}
