package kube

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	certutil "k8s.io/client-go/util/cert"
)

// serviceAccountDir is where the kubelet mounts the credentials of a pod.
const serviceAccountDir = "/var/run/secrets/kubernetes.io/serviceaccount"

// ErrNoCluster means that the environment has no credentials for a cluster. It says how to provide them.
var ErrNoCluster = errors.New("no cluster found: run in a pod with a service account (automountServiceAccountToken: true), " +
	"or elsewhere with a kubeconfig (KUBECONFIG, or ~/.kube/config)")

// Cluster is an API server, with credentials for it and their namespace.
type Cluster struct {
	config    *rest.Config
	namespace string
}

// Namespace returns the namespace of the credentials: that of the pod's service account, or that of the kubeconfig's
// context, or "default". It is empty if the service account has none.
func (c Cluster) Namespace() string { return c.namespace }

// fileTimeout bounds reading the files of credentials.
const fileTimeout = 10 * time.Second

// FindCluster returns the cluster that an environment (KEY=value pairs) configures: with KUBECONFIG if that is set,
// otherwise with the service account of the pod, otherwise with ~/.kube/config. If there is none, the error wraps
// [ErrNoCluster]; if ctx ends first, it is the context's cause. FindCluster takes at most 10 s, even if a file is on a
// network mount that does not respond.
func FindCluster(ctx context.Context, environ []string) (Cluster, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, fileTimeout, fmt.Errorf("the kubeconfig or the service account cannot be read within %s", fileTimeout))
	defer cancel()
	cluster, err := within(ctx, func() (Cluster, error) { return findCluster(environ, serviceAccountDir) }, func(Cluster) {})
	return cluster, withoutPasswords(err)
}

func findCluster(environ []string, serviceAccountDir string) (Cluster, error) {
	vars := map[string]string{}
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		vars[name] = strings.TrimSpace(value)
	}
	if files := vars[clientcmd.RecommendedConfigPathEnvVar]; files != "" {
		return fromKubeconfig(filepath.SplitList(files))
	}
	host, port := vars["KUBERNETES_SERVICE_HOST"], vars["KUBERNETES_SERVICE_PORT"]
	if host != "" && port != "" {
		if _, err := os.Stat(filepath.Join(serviceAccountDir, "token")); !errors.Is(err, fs.ErrNotExist) {
			return fromServiceAccount(net.JoinHostPort(host, port), serviceAccountDir)
		}
		// A pod without a service account's token may still have a kubeconfig.
	}
	if home := vars["HOME"]; home != "" {
		return fromKubeconfig([]string{filepath.Join(home, clientcmd.RecommendedHomeDir, clientcmd.RecommendedFileName)})
	}
	return Cluster{}, ErrNoCluster
}

// fromServiceAccount works like rest.InClusterConfig, but returns an error for an invalid CA file instead of logging it.
func fromServiceAccount(address, dir string) (Cluster, error) {
	tokenFile, caFile, namespaceFile := filepath.Join(dir, "token"), filepath.Join(dir, "ca.crt"), filepath.Join(dir, "namespace")
	if _, err := readToken(tokenFile); err != nil {
		return Cluster{}, fmt.Errorf("use the pod's service account (is automountServiceAccountToken off?): %w", err)
	}
	if _, err := certutil.NewPool(caFile); err != nil {
		return Cluster{}, fmt.Errorf("use the service account's CA certificates in %s: %w", caFile, err)
	}
	namespace, _ := os.ReadFile(namespaceFile) // without this file, the user has to set a namespace
	return Cluster{
		config: &rest.Config{
			Host:            "https://" + address,
			BearerTokenFile: tokenFile,
			TLSClientConfig: rest.TLSClientConfig{CAFile: caFile},
		},
		namespace: strings.TrimSpace(string(namespace)),
	}, nil
}

// fromKubeconfig merges these files as kubectl does, and skips those that do not exist.
func fromKubeconfig(files []string) (Cluster, error) {
	rules := &clientcmd.ClientConfigLoadingRules{Precedence: files}
	raw, err := rules.Load()
	if err != nil {
		return Cluster{}, fmt.Errorf("read the kubeconfig: %w", err)
	}
	if clientcmd.IsConfigurationInvalid(clientcmd.Validate(*raw)) && len(raw.Clusters) == 0 && len(raw.Contexts) == 0 {
		return Cluster{}, fmt.Errorf("%w; looked in %s", ErrNoCluster, strings.Join(files, ", "))
	}
	if raw.CurrentContext == "" {
		return Cluster{}, fmt.Errorf("use the kubeconfig %s: it has no current-context; choose one with kubectl config use-context NAME", strings.Join(files, ", "))
	}
	client := clientcmd.NewNonInteractiveClientConfig(*raw, raw.CurrentContext, &clientcmd.ConfigOverrides{}, rules)
	config, err := client.ClientConfig()
	if err != nil {
		return Cluster{}, fmt.Errorf("use the kubeconfig %s: %w", strings.Join(files, ", "), err)
	}
	namespace, _, err := client.Namespace()
	if err != nil {
		return Cluster{}, fmt.Errorf("find the namespace of the kubeconfig's context: %w", err)
	}
	return Cluster{config: config, namespace: namespace}, nil
}
