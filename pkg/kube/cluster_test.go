package kube

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// account makes the directory that a kubelet mounts. A file with an empty content is left out.
func account(t *testing.T, token, ca, namespace string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"token": token, "ca.crt": ca, "namespace": namespace} {
		if content != "" {
			write(t, filepath.Join(dir, name), content)
		}
	}
	return dir
}

var inPod = []string{"KUBERNETES_SERVICE_HOST=10.0.0.1", "KUBERNETES_SERVICE_PORT=443"}

func TestInAPodTheServiceAccountIsUsed(t *testing.T) {
	server := guarded(t)
	host, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "https://"), ":")
	environ := []string{"KUBERNETES_SERVICE_HOST=" + host, "KUBERNETES_SERVICE_PORT=" + port, "HOME=" + t.TempDir()}
	cluster, err := findCluster(environ, account(t, "secret\n", server.ca, "shop\n"))
	if err != nil {
		t.Fatal(err)
	}
	client, err := NewClient(t.Context(), cluster, cluster.Namespace(), "test")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := list(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(server.tokens, []string{"Bearer secret"}) || client.namespace != "shop" {
		t.Errorf("the server received %q, the namespace is %q", server.tokens, client.namespace)
	}
}

func TestAnIncompleteServiceAccountIsAnError(t *testing.T) {
	ca := guarded(t).ca
	for claim, test := range map[string]struct{ dir, want string }{
		"no token":          {account(t, "", ca, "shop"), ErrNoCluster.Error()},
		"a blank token":     {account(t, "\n", ca, "shop"), "token is empty"},
		"no CA file":        {account(t, "secret", "", "shop"), "ca.crt"},
		"a blank namespace": {account(t, "secret", ca, " \n"), `invalid namespace ""`},
	} {
		t.Run(claim, func(t *testing.T) {
			cluster, err := findCluster(inPod, test.dir)
			if err == nil {
				_, err = NewClient(t.Context(), cluster, cluster.Namespace(), "test")
			}
			wantError(t, err, test.want)
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error contains the token: %v", err)
			}
		})
	}
}

const (
	someCluster = `{name: some, cluster: {server: "http://127.0.0.1:1"}}`
	someContext = `{name: some, context: {cluster: some, user: some, namespace: shop}}`
)

func kubeconfig(t *testing.T, content string) string {
	t.Helper()
	return write(t, filepath.Join(t.TempDir(), "kubeconfig"), "{apiVersion: v1, kind: Config, "+content+"}")
}

// ofCluster returns the content of a kubeconfig with this cluster.
func ofCluster(cluster string) string {
	return "contexts: [" + someContext + "], current-context: some, clusters: [{name: some, cluster: {" + cluster + "}}]"
}

func TestAKubeconfigIsUsed(t *testing.T) {
	const clusters = "clusters: [" + someCluster + "], "
	whole := kubeconfig(t, clusters+"contexts: ["+someContext+"], current-context: some")
	withoutNamespace := kubeconfig(t, clusters+"contexts: [{name: some, context: {cluster: some}}], current-context: some")
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, ".kube"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(home, ".kube", "config"), "{"+clusters+"contexts: [{name: home, context: {cluster: some, namespace: home}}], current-context: home}")
	inHome, missing := "HOME="+home, filepath.Join(home, "missing")
	named := func(files ...string) string {
		return "KUBECONFIG=" + strings.Join(files, string(filepath.ListSeparator))
	}

	for claim, test := range map[string]struct {
		environ   []string
		namespace string
	}{
		"the context's namespace":             {[]string{named(whole)}, "shop"},
		"a context without one means default": {[]string{named(withoutNamespace)}, "default"},
		"files are merged": {[]string{named(
			kubeconfig(t, "clusters: ["+someCluster+"]"), kubeconfig(t, "contexts: ["+someContext+"]"), kubeconfig(t, "current-context: some"))}, "shop"},
		"the first of two counts":               {[]string{named(whole, withoutNamespace)}, "shop"},
		"a missing file is skipped":             {[]string{named(missing, whole)}, "shop"},
		"the file in the home directory":        {[]string{inHome}, "home"},
		"KUBECONFIG precedes both others":       {append(inPod, inHome, named(whole)), "shop"},
		"a blank KUBECONFIG is unset":           {[]string{inHome, "KUBECONFIG= "}, "home"},
		"a pod without a token may have a file": {append(inPod, inHome), "home"},
	} {
		t.Run(claim, func(t *testing.T) {
			cluster, err := findCluster(test.environ, missing)
			if err != nil {
				t.Fatal(err)
			}
			if cluster.Namespace() != test.namespace || cluster.config.Host != "http://127.0.0.1:1" {
				t.Errorf("the namespace is %q of %s, want %q", cluster.Namespace(), cluster.config.Host, test.namespace)
			}
		})
	}
}

func TestWithoutAClusterTheErrorSaysHowToProvideOne(t *testing.T) {
	dir := account(t, "secret", "", "shop") // which is not enough
	for claim, environ := range map[string][]string{
		"nothing is set":               nil,
		"no file in the home":          {"HOME=" + t.TempDir()},
		"no port of the API server":    inPod[:1],
		"KUBECONFIG is only colons":    {"KUBECONFIG=::"},
		"a kubeconfig without content": {"KUBECONFIG=" + kubeconfig(t, "")},
	} {
		t.Run(claim, func(t *testing.T) {
			_, err := findCluster(environ, dir)
			if !errors.Is(err, ErrNoCluster) {
				t.Fatalf("the error is %v", err)
			}
			wantError(t, err, "service account", "KUBECONFIG")
		})
	}
}

func TestAnInvalidKubeconfigIsAnError(t *testing.T) {
	dir := t.TempDir()
	const https = `server: "https://127.0.0.1:1", `
	const parts = "clusters: [" + someCluster + "], contexts: [" + someContext + "]"
	for claim, test := range map[string]struct{ file, want string }{
		"not YAML":                {write(t, filepath.Join(dir, "text"), "{"), "read the kubeconfig"},
		"no current context":      {kubeconfig(t, parts), "choose one with kubectl config use-context"},
		"a missing context":       {kubeconfig(t, parts+", current-context: other"), "context was not found for specified context: other"},
		"no server":               {kubeconfig(t, ofCluster("")), "use the kubeconfig"},
		"a missing CA file":       {kubeconfig(t, ofCluster(https+"certificate-authority: /missing/ca.crt")), "/missing/ca.crt"},
		"CA data that is not PEM": {kubeconfig(t, ofCluster(https+"certificate-authority-data: Z2FyYmFnZQ==")), "root certificates"},
		"a missing token file":    {kubeconfig(t, ofCluster(https)+", users: [{name: some, user: {tokenFile: /missing/token}}]"), "/missing/token"},

		"a proxy with an unknown scheme": {kubeconfig(t, ofCluster(https+`proxy-url: "ftp://user:SECRET@proxy:1"`)), "ftp"},
		"a proxy that does not parse":    {kubeconfig(t, ofCluster(https+`proxy-url: "http://user:SECRET%RET@proxy:1"`)), "proxy"},
		"a server that does not parse":   {kubeconfig(t, ofCluster(`server: "https://user:SECRET%RET@host"`)), "host"},
	} {
		t.Run(claim, func(t *testing.T) {
			cluster, err := FindCluster(t.Context(), []string{"KUBECONFIG=" + test.file})
			if err == nil {
				_, err = NewClient(t.Context(), cluster, "shop", "test")
			}
			wantError(t, err, test.want)
			if strings.Contains(err.Error(), "SECRET") || strings.Contains(err.Error(), "user:") {
				t.Errorf("the error contains a password: %v", err)
			}
		})
	}
}
