// Package cluster runs a real Kubernetes cluster on this machine: etcd and the control plane as child processes on
// loopback, and optionally a node (containerd and the kubelet) and the Argo Rollouts controller.
//
// It writes only to one run folder. Everything that outlives a process (containers, mounts, cgroups, a bridge) can be
// found by that folder or by the name of the cluster. Close stops everything in an order that leaves nothing behind.
// Start first removes what an interrupted run has left.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
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
	// SandboxImage is the reference of the pause image. It is one of Images.
	SandboxImage string
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

	Etcd, APIServer, ControllerManager, Scheduler *Process
	// Containerd and Kubelet are nil if there is no node.
	Containerd, Kubelet *Process
	// Rollouts is nil if the Argo Rollouts controller does not run.
	Rollouts *Process

	options   Options
	pki       *pki
	apiPort   int
	processes []*Process // in the order of their start
	unlock    func()
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
	c := &Cluster{Dir: Dir(options.Name), options: options}
	c.Kubeconfig = filepath.Join(c.Dir, "kubeconfig")
	unlock, err := lockName(options.Name)
	if err != nil {
		return nil, err
	}
	c.unlock = unlock
	if err := c.start(ctx); err != nil {
		return nil, errors.Join(err, c.abandon())
	}
	c.logf("cluster %s is ready after %s, its folder is %s", options.Name, time.Since(begun).Round(100*time.Millisecond), c.Dir)
	return c, nil
}

func (c *Cluster) start(ctx context.Context) error {
	if err := clean(ctx, c.options.Name); err != nil {
		return fmt.Errorf("clear away what an earlier run left: %w", err)
	}
	// The folder contains the root filesystems of images that run as other users.
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return err
	}
	authority, err := newPKI(filepath.Join(c.Dir, "pki"))
	if err != nil {
		return fmt.Errorf("make certificates: %w", err)
	}
	c.pki = authority
	if err := c.startControlPlane(ctx); err != nil {
		return err
	}
	if c.options.Containerd != "" {
		if err := c.startNode(ctx); err != nil {
			return err
		}
	}
	if c.options.ArgoRollouts != "" {
		if err := c.startRollouts(ctx); err != nil {
			return err
		}
	}
	return nil
}

// abandon kills everything that was started, and keeps the logs.
func (c *Cluster) abandon() error {
	defer c.unlock()
	var faults []error
	for i := len(c.processes) - 1; i >= 0; i-- {
		faults = append(faults, c.processes[i].Kill())
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return errors.Join(append(faults, cleanNode(ctx, c.options.Name))...)
}

// Close stops the cluster and removes its folder.
func (c *Cluster) Close() error {
	defer c.unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	return takeDown(ctx, c.options.Name, c.options.Log)
}

// Release lets the cluster run after this process has ended. TakeDown stops it.
func (c *Cluster) Release() { c.unlock() }

// Processes lists the components in the order of their start.
func (c *Cluster) Processes() []*Process { return c.processes }

// Tails returns the last lines of every component's log.
func (c *Cluster) Tails(lines int) string {
	all := ""
	for _, p := range c.processes {
		all += p.Tail(lines)
	}
	return all
}

// run starts one component and waits until it is ready.
func (c *Cluster) run(ctx context.Context, name string, ready func(context.Context) error, env []string, argv ...string) (*Process, error) {
	p := &Process{
		Name:    name,
		LogPath: filepath.Join(c.Dir, name+".log"),
		argv:    argv,
		env:     env,
		dir:     c.Dir,
		ready:   ready,
	}
	c.processes = append(c.processes, p)
	return p, p.start(ctx)
}

// connect makes the administrator's client.
func (c *Cluster) connect() error {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
	if err != nil {
		return err
	}
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	c.Config, c.Client = config, client
	return nil
}

func (c *Cluster) logf(format string, args ...any) {
	if c.options.Log != nil {
		fmt.Fprintf(c.options.Log, "e2e: "+format+"\n", args...)
	}
}
