package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"path/filepath"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crashcheck/crashcheck/test/e2e/cluster"
)

// newServiceAccount makes a ServiceAccount without any permission.
func newServiceAccount(t *testing.T, namespace, name string) *corev1.ServiceAccount {
	t.Helper()
	account, err := the.client.CoreV1().ServiceAccounts(namespace).Create(t.Context(),
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal("create a ServiceAccount:", err)
	}
	return account
}

// tokenOf asks the API server for a token of the ServiceAccount.
func tokenOf(t *testing.T, namespace, name string) string {
	t.Helper()
	request, err := the.client.CoreV1().ServiceAccounts(namespace).CreateToken(t.Context(), name,
		&authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal("request a token:", err)
	}
	return request.Status.Token
}

// readerToken is the token of an account that may list the namespace's pods.
func readerToken(t *testing.T, namespace string) string {
	t.Helper()
	newServiceAccount(t, namespace, "reader")
	allow(t, namespace, "reader", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}})
	return tokenOf(t, namespace, "reader")
}

// allow grants the account a rule in its namespace.
func allow(t *testing.T, namespace, account string, rule rbacv1.PolicyRule) {
	t.Helper()
	meta := metav1.ObjectMeta{Name: account}
	rbac := the.client.RbacV1()
	_, err := rbac.Roles(namespace).Create(t.Context(), &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{rule}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal("create a Role:", err)
	}
	_, err = rbac.RoleBindings(namespace).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: meta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: account},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: account, Namespace: namespace}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal("create a RoleBinding:", err)
	}
}

// permitted waits until the API server allows the account to list pods: its authorizer sees a new binding a moment later.
func permitted(t *testing.T, namespace, account string) {
	t.Helper()
	token := tokenOf(t, namespace, account)
	client := clientWithToken(t, token)
	eventually(t, "the account may list pods", patience, func(ctx context.Context) error {
		_, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{Limit: 1})
		return err
	})
}

// expiredToken signs an expired token of the account with the cluster's own key. The API server issues no token for less
// than ten minutes.
func expiredToken(t *testing.T, account *corev1.ServiceAccount) string {
	t.Helper()
	block, _ := pem.Decode(readFile(t, filepath.Join(ownCluster(t).Dir, "pki", "service-account.key")))
	key, err := x509.ParseECPrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	ago := func(d time.Duration) int64 { return time.Now().Add(-d).Unix() }
	signed := segment(t, map[string]any{"alg": "ES256", "typ": "JWT"}) + "." + segment(t, map[string]any{
		"iss": cluster.ServiceAccountIssuer,
		"aud": []string{cluster.ServiceAccountIssuer},
		"sub": "system:serviceaccount:" + account.Namespace + ":" + account.Name,
		"iat": ago(2 * time.Hour), "nbf": ago(2 * time.Hour), "exp": ago(time.Hour),
		"kubernetes.io": map[string]any{
			"namespace":      account.Namespace,
			"serviceaccount": map[string]any{"name": account.Name, "uid": account.UID},
		},
	})
	return signed + "." + base64.RawURLEncoding.EncodeToString(sign(t, key, signed))
}

func segment(t *testing.T, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

// sign makes an ES256 signature: the two numbers, 32 bytes each.
func sign(t *testing.T, key *ecdsa.PrivateKey, text string) []byte {
	t.Helper()
	hash := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, key, hash[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signature
}
