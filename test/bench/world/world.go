// Package world is what the suite measures against: a real etcd and
// kube-apiserver without controllers and without a node, pods as a busy cluster
// has them, credentials as gates have them, and a relay that counts bytes.
package world

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/crashcheck/crashcheck/test/e2e/build"
	"github.com/crashcheck/crashcheck/test/e2e/cluster"
)

// World is a running control plane.
type World struct {
	*cluster.Cluster
	// Version is the API server's, such as v1.37.2.
	Version string
	// Kubectl is the kubectl of the same version.
	Kubectl string
	// Relayed and JSON are kubeconfigs of a gate. Relayed leads through Relay, JSON through a proxy that requests JSON,
	// and then through Relay.
	Relayed, JSON string
	Relay         *Relay
}

// Start starts etcd and the API server, and writes kubeconfigs to a folder. It builds the servers if the cache of the
// end-to-end tests does not have them. The working directory has to be inside test/e2e, where package build looks for
// its module.
func Start(ctx context.Context, folder string, log io.Writer) (*World, error) {
	options := cluster.Options{Name: "bench", WithoutControllers: true, Log: log}
	var err error
	if options.Etcd, err = build.Etcd.Build(ctx, log); err != nil {
		return nil, err
	}
	if options.Kubernetes, err = build.Kubernetes.Build(ctx, log); err != nil {
		return nil, err
	}
	c, err := cluster.Start(ctx, options)
	if err != nil {
		return nil, err
	}
	w := &World{
		Cluster: c, Kubectl: filepath.Join(options.Kubernetes, "kubectl"),
		Relayed: filepath.Join(folder, "relayed.kubeconfig"), JSON: filepath.Join(folder, "json.kubeconfig"),
	}
	if err := w.prepare(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return w, nil
}

func (w *World) prepare(ctx context.Context) error {
	version, err := w.Client.Discovery().ServerVersion()
	if err != nil {
		return err
	}
	w.Version = version.GitVersion
	// An administrator would be exempt from the API server's priority and fairness.
	for _, command := range []string{
		"create namespace gates",
		"create serviceaccount gate -n gates",
		"create clusterrole gate --verb=list --resource=pods",
		"create clusterrolebinding gate --clusterrole=gate --serviceaccount=gates:gate",
	} {
		if _, err := w.runKubectl(ctx, command); err != nil {
			return err
		}
	}
	token, err := w.runKubectl(ctx, "create token gate -n gates --duration=4h")
	if err != nil {
		return err
	}
	if w.Relay, err = NewRelay(w.Config.Host); err != nil {
		return err
	}
	proxy, authority, err := jsonProxy(w.Relay.Address, w.Config.CAData)
	if err != nil {
		return err
	}
	return errors.Join(
		writeKubeconfig(w.Relayed, w.Relay.Address, w.Config.CAData, token),
		writeKubeconfig(w.JSON, proxy, authority, token),
	)
}

func (w *World) runKubectl(ctx context.Context, command string) (string, error) {
	cmd := exec.CommandContext(ctx, w.Kubectl, append([]string{"--kubeconfig", w.Kubeconfig}, strings.Fields(command)...)...)
	cmd.Env = append(os.Environ(), "HOME="+w.Dir) // for the discovery cache
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("kubectl %s: %w\n%s", command, err, &stderr)
	}
	return strings.TrimSpace(string(out)), nil
}

func writeKubeconfig(path, server string, authority []byte, token string) error {
	config := clientcmdapi.NewConfig()
	config.Clusters["bench"] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: authority}
	config.AuthInfos["gate"] = &clientcmdapi.AuthInfo{Token: token}
	config.Contexts["bench"] = &clientcmdapi.Context{Cluster: "bench", AuthInfo: "gate"}
	config.CurrentContext = "bench"
	return clientcmd.WriteToFile(*config, path)
}
