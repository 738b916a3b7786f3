package kube

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
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

func TestInAPodTheServiceAccountIsUsed(t *testing.T) {
	server, caFile := secure(t)
	var authorization string
	inner := server.Config.Handler
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		authorization = r.Header.Get("Authorization")
		inner.ServeHTTP(w, r)
	})
	ca, err := os.ReadFile(caFile)
	if err != nil {
		t.Fatal(err)
	}
	host, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "https://"), ":")
	environ := []string{"KUBERNETES_SERVICE_HOST=" + host, "KUBERNETES_SERVICE_PORT=" + port, "HOME=" + t.TempDir()}
	dir := account(t, "first\n", string(ca), "shop\n")

	cluster, err := findCluster(environ, dir)
	if err != nil {
		t.Fatal(err)
	}
	if cluster.Namespace() != "shop" {
		t.Errorf("the namespace is %q", cluster.Namespace())
	}
	client, err := NewClient(t.Context(), cluster, cluster.Namespace(), "test")
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{"first", "second"} {
		write(t, filepath.Join(dir, "token"), token)
		if _, err := list(t.Context(), client); err != nil {
			t.Fatal(err)
		}
		if authorization != "Bearer "+token {
			t.Errorf("the server received %q, want the token %q", authorization, token)
		}
	}
}

func TestAnIncompleteServiceAccountIsAnError(t *testing.T) {
	_, caFile := secure(t)
	content, err := os.ReadFile(caFile)
	if err != nil {
		t.Fatal(err)
	}
	ca := string(content)
	for claim, test := range map[string]struct{ dir, want string }{
		"no directory":    {filepath.Join(t.TempDir(), "none"), ErrNoCluster.Error()},
		"no token":        {account(t, "", ca, "shop"), ErrNoCluster.Error()},
		"a blank token":   {account(t, "\n", ca, "shop"), "token is empty"},
		"no CA file":      {account(t, "secret", "", "shop"), "ca.crt"},
		"a blank CA file": {account(t, "secret", "\n", "shop"), "ca.crt"},
		"a bad CA file":   {account(t, "secret", "certificate", "shop"), "ca.crt"},
	} {
		t.Run(claim, func(t *testing.T) {
			_, err := findCluster([]string{"KUBERNETES_SERVICE_HOST=10.0.0.1", "KUBERNETES_SERVICE_PORT=443"}, test.dir)
			wantError(t, err, test.want)
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error contains the token: %v", err)
			}
		})
	}
}

func TestAServiceAccountWithoutANamespaceRequiresOne(t *testing.T) {
	_, caFile := secure(t)
	ca, err := os.ReadFile(caFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, namespaceFile := range []string{"", " \n"} {
		cluster, err := findCluster([]string{"KUBERNETES_SERVICE_HOST=::1", "KUBERNETES_SERVICE_PORT=443"}, account(t, "secret", string(ca), namespaceFile))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := NewClient(t.Context(), cluster, cluster.Namespace(), "test"); err == nil {
			t.Error("a client without a namespace is accepted")
		}
		if _, err := NewClient(t.Context(), cluster, "shop", "test"); err != nil {
			t.Error(err)
		}
	}
}

func TestAPodWithoutATokenMayUseAKubeconfig(t *testing.T) {
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, ".kube"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(home, ".kube", "config"), "{clusters: ["+someCluster+"], contexts: ["+someContext+"], current-context: some}")
	environ := []string{"KUBERNETES_SERVICE_HOST=10.0.0.1", "KUBERNETES_SERVICE_PORT=443", "HOME=" + home}
	cluster, err := findCluster(environ, filepath.Join(t.TempDir(), "none"))
	if err != nil || cluster.config.Host != "http://127.0.0.1:1" || cluster.Namespace() != "shop" {
		t.Errorf("got %+v, %v", cluster, err)
	}
}

func TestPasswordsInAKubeconfigAreNotPrinted(t *testing.T) {
	contexts := "contexts: [" + someContext + "], current-context: some, clusters: "
	for claim, cluster := range map[string]string{
		"a proxy with an unknown scheme": `{server: "https://127.0.0.1:1", proxy-url: "ftp://user:SECRET@proxy:1"}`,
		"a proxy that does not parse":    `{server: "https://127.0.0.1:1", proxy-url: "http://user:SECRET%RET@proxy:1"}`,
		"a server that does not parse":   `{server: "https://user:SECRET%RET@host"}`,
	} {
		t.Run(claim, func(t *testing.T) {
			found, err := FindCluster(t.Context(), []string{"KUBECONFIG=" + kubeconfig(t, contexts+"[{name: some, cluster: "+cluster+"}]")})
			if err == nil {
				_, err = NewClient(t.Context(), found, "shop", "test")
			}
			if err == nil || strings.Contains(err.Error(), "SECRET") || strings.Contains(err.Error(), "user:") {
				t.Errorf("the error is %v", err)
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

func TestElsewhereAKubeconfigIsUsed(t *testing.T) {
	whole := kubeconfig(t, "clusters: ["+someCluster+"], contexts: ["+someContext+"], current-context: some")
	withoutNamespace := kubeconfig(t, "clusters: ["+someCluster+"], contexts: [{name: some, context: {cluster: some}}], current-context: some")
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, ".kube"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(home, ".kube", "config"), "{apiVersion: v1, kind: Config, clusters: ["+someCluster+"], contexts: [{name: home, context: {cluster: some, namespace: home}}], current-context: home}")
	missing := filepath.Join(home, "missing")
	list := func(files ...string) string {
		return "KUBECONFIG=" + strings.Join(files, string(filepath.ListSeparator))
	}
	inCluster := []string{"KUBERNETES_SERVICE_HOST=10.0.0.1", "KUBERNETES_SERVICE_PORT=443"}

	for claim, test := range map[string]struct {
		environ   []string
		namespace string
	}{
		"the context's namespace":             {[]string{list(whole)}, "shop"},
		"a context without one means default": {[]string{list(withoutNamespace)}, "default"},
		"files are merged": {[]string{list(
			kubeconfig(t, "clusters: ["+someCluster+"]"), kubeconfig(t, "contexts: ["+someContext+"]"), kubeconfig(t, "current-context: some"))}, "shop"},
		"the first of two counts":                 {[]string{list(whole, withoutNamespace)}, "shop"},
		"a missing file is skipped":               {[]string{list(missing, whole)}, "shop"},
		"the file in the home directory":          {[]string{"HOME=" + home}, "home"},
		"KUBECONFIG precedes the home directory":  {[]string{"HOME=" + home, list(whole)}, "shop"},
		"KUBECONFIG precedes the service account": {append(inCluster, list(whole)), "shop"},
		"a blank KUBECONFIG is unset":             {[]string{"HOME=" + home, "KUBECONFIG= "}, "home"},
	} {
		t.Run(claim, func(t *testing.T) {
			cluster, err := findCluster(test.environ, filepath.Join(home, "no-account"))
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
	missing := filepath.Join(t.TempDir(), "missing")
	for claim, environ := range map[string][]string{
		"nothing is set":               nil,
		"only the host of a cluster":   {"KUBERNETES_SERVICE_HOST=10.0.0.1"},
		"no file in the home":          {"HOME=" + t.TempDir()},
		"KUBECONFIG names no file":     {"KUBECONFIG=" + missing},
		"KUBECONFIG is only colons":    {"KUBECONFIG=::"},
		"a kubeconfig without content": {"KUBECONFIG=" + kubeconfig(t, "")},
		"a kubeconfig of no bytes":     {"KUBECONFIG=" + write(t, filepath.Join(t.TempDir(), "empty"), "")},
	} {
		t.Run(claim, func(t *testing.T) {
			_, err := findCluster(environ, missing)
			if !errors.Is(err, ErrNoCluster) {
				t.Fatalf("the error is %v", err)
			}
			wantError(t, err, "service account", "KUBECONFIG")
		})
	}
}

func TestAnInvalidKubeconfigIsAnError(t *testing.T) {
	dir := t.TempDir()
	context := "contexts: [" + someContext + "], current-context: some, clusters: "
	for claim, test := range map[string]struct{ file, want string }{
		"not YAML":                {write(t, filepath.Join(dir, "text"), "{"), "read the kubeconfig"},
		"a directory":             {dir, "read the kubeconfig"},
		"no current context":      {kubeconfig(t, "clusters: ["+someCluster+"], contexts: ["+someContext+"]"), "choose one with kubectl config use-context"},
		"a missing context":       {kubeconfig(t, "clusters: ["+someCluster+"], contexts: ["+someContext+"], current-context: other"), "context was not found for specified context: other"},
		"a missing cluster":       {kubeconfig(t, context+"[]"), "use the kubeconfig"},
		"no server":               {kubeconfig(t, context+"[{name: some, cluster: {}}]"), "use the kubeconfig"},
		"a missing CA file":       {kubeconfig(t, context+`[{name: some, cluster: {server: "https://127.0.0.1:1", certificate-authority: /missing/ca.crt}}]`), "/missing/ca.crt"},
		"CA data that is not PEM": {kubeconfig(t, context+`[{name: some, cluster: {server: "https://127.0.0.1:1", certificate-authority-data: Z2FyYmFnZQ==}}]`), "root certificates"},
		"a missing token file": {kubeconfig(t, context+`[{name: some, cluster: {server: "https://127.0.0.1:1"}}], users: [{name: some, user: {tokenFile: /missing/token}}]`),
			"/missing/token"},
	} {
		t.Run(claim, func(t *testing.T) {
			cluster, err := findCluster([]string{"KUBECONFIG=" + test.file}, dir)
			if err == nil {
				_, err = NewClient(t.Context(), cluster, "shop", "test")
			}
			wantError(t, err, test.want)
		})
	}
}

// withPlugin returns a client whose credentials come from this command, and the Authorization headers that its server receives.
func withPlugin(t *testing.T, command string) (client *Client, headers *[]string) {
	t.Helper()
	server, caFile := secure(t) // client-go sends no credentials over plain HTTP
	headers = &[]string{}
	inner := server.Config.Handler
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*headers = append(*headers, r.Header.Get("Authorization"))
		inner.ServeHTTP(w, r)
	})
	file := kubeconfig(t, `clusters: [{name: some, cluster: {server: "`+server.URL+`", certificate-authority: `+caFile+`}}], `+
		"contexts: ["+someContext+"], current-context: some, "+
		"users: [{name: some, user: {exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: "+command+"}}}]")
	cluster, err := findCluster([]string{"KUBECONFIG=" + file}, "")
	if err != nil {
		t.Fatal(err)
	}
	client, err = NewClient(t.Context(), cluster, cluster.Namespace(), "test")
	if err != nil {
		t.Fatal(err)
	}
	return client, headers
}

func TestACredentialPluginIsAskedForTheToken(t *testing.T) {
	plugin := write(t, filepath.Join(t.TempDir(), "plugin"), `#!/bin/sh
echo '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "from-a-plugin"}}'
`)
	if err := os.Chmod(plugin, 0o700); err != nil {
		t.Fatal(err)
	}
	client, headers := withPlugin(t, plugin)
	if _, err := list(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	if len(*headers) != 1 || (*headers)[0] != "Bearer from-a-plugin" {
		t.Errorf("the server received %q", *headers)
	}
}

func TestACredentialPluginThatFailsIsAnError(t *testing.T) {
	client, headers := withPlugin(t, "/missing/plugin")
	if _, err := list(t.Context(), client); err == nil || !strings.Contains(err.Error(), "/missing/plugin") {
		t.Errorf("the error is %v", err)
	}
	if len(*headers) != 0 {
		t.Errorf("the server received %q", *headers)
	}
}

func TestACredentialPluginThatHangsDoesNotBlock(t *testing.T) {
	hang, end := fifo(t)
	started, start := fifo(t)
	plugin := write(t, filepath.Join(t.TempDir(), "plugin"), "#!/bin/sh\nexec < "+hang+"\necho > "+started+"\nread line\n")
	if err := os.Chmod(plugin, 0o700); err != nil {
		t.Fatal(err)
	}
	client, _ := withPlugin(t, plugin)
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		_, _ = start.Read(make([]byte, 1))
		cancel(errSIGTERM)
	}()
	if _, err := list(ctx, client); !errors.Is(err, errSIGTERM) {
		t.Errorf("the error is %v", err)
	}
	_, _ = end.WriteString("\n") // ends the plugin
}
