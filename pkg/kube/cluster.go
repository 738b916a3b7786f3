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

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
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

// FindCluster returns the cluster that an environment (KEY=value pairs) configures: with KUBECONFIG if that is set,
// otherwise with the service account of the pod, otherwise with ~/.kube/config. If there is none, the error wraps
// [ErrNoCluster]; if ctx ends first, it is the context's cause. FindCluster takes at most 10 s, even if a file is on a
// network mount that does not respond.
func FindCluster(ctx context.Context, environ []string) (Cluster, error) {
	return withFiles(ctx, func() (Cluster, error) { return findCluster(environ, serviceAccountDir) })
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
		cluster, err := fromServiceAccount(net.JoinHostPort(host, port), serviceAccountDir)
		if !errors.Is(err, fs.ErrNotExist) {
			return cluster, err
		}
		// A pod without a service account's token may still have a kubeconfig.
	}
	if home := vars["HOME"]; home != "" {
		return fromKubeconfig([]string{filepath.Join(home, clientcmd.RecommendedHomeDir, clientcmd.RecommendedFileName)})
	}
	return Cluster{}, ErrNoCluster
}

// fromServiceAccount works like rest.InClusterConfig. NewClient checks the CA file, which InClusterConfig does not.
func fromServiceAccount(address, dir string) (Cluster, error) {
	tokenFile := filepath.Join(dir, "token")
	if _, err := readToken(tokenFile); err != nil {
		return Cluster{}, fmt.Errorf("cannot use the pod's service account (is automountServiceAccountToken off?): %w", err)
	}
	namespace, _ := os.ReadFile(filepath.Join(dir, "namespace")) // without this file, the user has to set a namespace
	return Cluster{
		config: &rest.Config{
			Host:            "https://" + address,
			BearerTokenFile: tokenFile,
			TLSClientConfig: rest.TLSClientConfig{CAFile: filepath.Join(dir, "ca.crt")},
		},
		namespace: strings.TrimSpace(string(namespace)),
	}, nil
}

// fromKubeconfig merges these files as kubectl does, and skips those that do not exist.
func fromKubeconfig(files []string) (Cluster, error) {
	names := strings.Join(files, ", ")
	rules := &clientcmd.ClientConfigLoadingRules{Precedence: files}
	raw, err := rules.Load()
	switch {
	case err != nil:
		return Cluster{}, fmt.Errorf("cannot read the kubeconfig: %w", err)
	case clientcmdapi.IsConfigEmpty(raw):
		return Cluster{}, fmt.Errorf("%w; looked in %s", ErrNoCluster, names)
	case raw.CurrentContext == "":
		return Cluster{}, fmt.Errorf("cannot use the kubeconfig %s: it has no current-context; choose one with kubectl config use-context NAME", names)
	}
	client := clientcmd.NewNonInteractiveClientConfig(*raw, raw.CurrentContext, &clientcmd.ConfigOverrides{}, rules)
	config, err := client.ClientConfig()
	if err != nil {
		return Cluster{}, fmt.Errorf("cannot use the kubeconfig %s: %w", names, err)
	}
	namespace, _, err := client.Namespace()
	return Cluster{config: config, namespace: namespace}, err
}
