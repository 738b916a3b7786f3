// Package cluster runs a real Kubernetes cluster on this machine: etcd and the control plane as child processes on
// loopback, and optionally a node (containerd and the kubelet) and the Argo Rollouts controller.
//
// It writes only to one run folder. Everything that outlives a process (containers, mounts, sockets, a bridge) can be
// found by that folder or by the name of the cluster. Start first removes what an interrupted run has left.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Options say what to start.
type Options struct {
	// Name distinguishes clusters on one machine. It has at most 8 letters.
	Name string
	// Kubernetes, Etcd, Containerd and ArgoRollouts are the folders of the components' binaries. Without Containerd there
	// is no node, and without ArgoRollouts that controller does not run.
	Kubernetes, Etcd, Containerd, ArgoRollouts string
	// Images are image tarballs to load into the node.
	Images []string
	// WithoutControllers leaves out the controller manager. Create ServiceAccounts yourself then.
	WithoutControllers bool
	// Log receives a line for each step.
	Log io.Writer
}

// Cluster is a running cluster.
type Cluster struct {
	// Dir is the run folder: logs, certificates, data.
	Dir string
	// Kubeconfig is the path of the administrator's kubeconfig.
	Kubeconfig string
	// Config and Client are the administrator's, without a limit on requests.
	Config *rest.Config
	Client kubernetes.Interface
	// APIPort is the port of the API server on loopback.
	APIPort int

	Etcd, APIServer *Process
	// Containerd and Kubelet are nil if there is no node.
	Containerd, Kubelet *Process

	options Options
	pki     *pki
	unlock  func()
}

// Dir is the run folder of the cluster with that name.
func Dir(name string) string {
	base := os.Getenv("E2E_RUN")
	if base == "" {
		base = filepath.Join(os.TempDir(), "crashcheck-e2e")
	}
	return filepath.Join(base, name)
}

// Start starts a cluster and returns when all of it is ready. If it returns an error, nothing is running, and the logs
// are in the run folder.
func Start(ctx context.Context, options Options) (*Cluster, error) {
	begun := time.Now()
	unlock, err := lockName(options.Name)
	if err != nil {
		return nil, err
	}
	c := &Cluster{Dir: Dir(options.Name), options: options, unlock: unlock}
	c.Kubeconfig = filepath.Join(c.Dir, "kubeconfig")
	if err := c.start(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	fmt.Fprintf(options.Log, "e2e: cluster %s is ready after %s, its folder is %s\n", options.Name, time.Since(begun).Round(100*time.Millisecond), c.Dir)
	return c, nil
}

func (c *Cluster) start(ctx context.Context) error {
	if err := errors.Join(takeDown(ctx, c.options.Name), os.RemoveAll(c.Dir)); err != nil {
		return fmt.Errorf("remove what an earlier run has left: %w", err)
	}
	// The folder contains the root filesystems of images that run as other users.
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return err
	}
	var err error
	if c.pki, err = newPKI(filepath.Join(c.Dir, "pki")); err != nil {
		return fmt.Errorf("make certificates: %w", err)
	}
	if err := c.startControlPlane(ctx); err != nil {
		return err
	}
	if c.options.Containerd != "" {
		if err := c.startNode(ctx); err != nil {
			return err
		}
	}
	if c.options.ArgoRollouts != "" {
		return c.startRollouts(ctx)
	}
	return nil
}

// Close stops the cluster and removes what it has left, except its logs.
func (c *Cluster) Close() error {
	defer c.unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	return takeDown(ctx, c.options.Name)
}

// Tails returns the last lines of every component's log.
func (c *Cluster) Tails(lines int) string {
	logs, _ := filepath.Glob(filepath.Join(c.Dir, "*.log"))
	var all strings.Builder
	for _, log := range logs {
		all.WriteString(tail(log, lines))
	}
	return all.String()
}

// run starts one component and waits until it is ready.
func (c *Cluster) run(ctx context.Context, name string, ready func(context.Context) error, env []string, argv ...string) (*Process, error) {
	p := &Process{
		name:  name,
		log:   filepath.Join(c.Dir, name+".log"),
		argv:  argv,
		env:   append([]string{"HOME=" + c.Dir}, env...), // takeDown knows the processes of a cluster by their HOME
		ready: ready,
	}
	return p, p.start(ctx)
}

// connect makes the administrator's client.
func (c *Cluster) connect() error {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
	if err != nil {
		return err
	}
	config.QPS = -1
	if err := rest.LoadTLSFiles(config); err != nil {
		return err
	}
	c.Config = config
	c.Client, err = kubernetes.NewForConfig(config)
	return err
}
