package cluster

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"text/template"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// NodeName is the name of the one node.
const NodeName = "node-1"

//go:embed containerd.toml.tmpl
var containerdConfig string

//go:embed kubelet.yaml.tmpl
var kubeletConfig string

//go:embed cni.conflist.tmpl
var cniConfig string

// nodeValues is what the configuration templates of the node are filled with.
type nodeValues struct {
	Dir, Socket, SandboxImage string
	Runc, CNIPlugins          string
	Bridge, Subnet            string
	// NodeIP is the bridge's own address.
	NodeIP           string
	PKI              string
	Port, HealthPort int
}

func (c *Cluster) startNode(ctx context.Context) error {
	runc, plugins, err := nodePrerequisites()
	if err != nil {
		return err
	}
	ports, err := freePorts(2)
	if err != nil {
		return err
	}
	values := nodeValues{
		Dir:          c.Dir,
		Socket:       c.containerdSocket(),
		SandboxImage: c.options.SandboxImage,
		Runc:         runc,
		CNIPlugins:   plugins,
		Bridge:       bridgeOf(c.options.Name),
		Subnet:       subnetOf(c.options.Name) + ".0/24",
		NodeIP:       subnetOf(c.options.Name) + ".1",
		PKI:          c.pki.dir,
		Port:         ports[0],
		HealthPort:   ports[1],
	}
	if err := makeBridge(ctx, values.Bridge, values.NodeIP+"/24"); err != nil {
		return err
	}
	if err := c.startContainerd(ctx, values); err != nil {
		return err
	}
	for _, tarball := range c.options.Images {
		if err := c.LoadImage(ctx, tarball); err != nil {
			return err
		}
	}
	return c.startKubelet(ctx, values)
}

func (c *Cluster) startContainerd(ctx context.Context, values nodeValues) error {
	config := filepath.Join(c.Dir, "containerd.toml")
	if err := writeTemplate(config, containerdConfig, values); err != nil {
		return err
	}
	if err := writeTemplate(filepath.Join(c.Dir, "cni", "10-e2e.conflist"), cniConfig, values); err != nil {
		return err
	}
	// containerd finds its shim by PATH.
	path := "PATH=" + c.options.Containerd + ":/usr/local/sbin:/usr/sbin:/sbin:" + os.Getenv("PATH")
	ready := func(ctx context.Context) error { return c.ctr(ctx, "version") }
	var err error
	c.Containerd, err = c.run(ctx, "containerd", ready, []string{path},
		filepath.Join(c.options.Containerd, "containerd"), "--config", config)
	return err
}

func (c *Cluster) startKubelet(ctx context.Context, values nodeValues) error {
	if err := c.pki.issue("kubelet", NodeName, nil, net.ParseIP(values.NodeIP)); err != nil {
		return err
	}
	kubeconfig := filepath.Join(c.Dir, "kubelet.kubeconfig")
	if err := c.pki.kubeconfig(kubeconfig, loopback("https", c.apiPort), "system:node:"+NodeName, "system:nodes"); err != nil {
		return err
	}
	config := filepath.Join(c.Dir, "kubelet.yaml")
	if err := writeTemplate(config, kubeletConfig, values); err != nil {
		return err
	}
	// The kubelet mounts volumes with the programs of the system.
	path := "PATH=/usr/local/sbin:/usr/sbin:/sbin:" + os.Getenv("PATH")
	var err error
	c.Kubelet, err = c.run(ctx, "kubelet", c.nodeReady, []string{path},
		filepath.Join(c.options.Kubernetes, "kubelet"),
		"--config="+config,
		"--kubeconfig="+kubeconfig,
		"--root-dir="+filepath.Join(c.Dir, "kubelet"),
		"--cert-dir="+filepath.Join(c.Dir, "kubelet", "pki"),
		"--hostname-override="+NodeName,
		"--node-ip="+values.NodeIP,
	)
	return err
}

// nodeReady checks that the node is Ready and has no taints. After a restart of the kubelet, the old condition may remain
// for some seconds.
func (c *Cluster) nodeReady(ctx context.Context) error {
	node, err := c.Client.CoreV1().Nodes().Get(ctx, NodeName, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if len(node.Spec.Taints) > 0 {
		return fmt.Errorf("node %s has the taint %s", NodeName, node.Spec.Taints[0].Key)
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			if condition.Status == corev1.ConditionTrue {
				return nil
			}
			return fmt.Errorf("node %s is not ready: %s", NodeName, condition.Message)
		}
	}
	return fmt.Errorf("node %s has no condition Ready", NodeName)
}

// LoadImage loads an image tarball into the node.
func (c *Cluster) LoadImage(ctx context.Context, tarball string) error {
	return c.ctr(ctx, "images", "import", "--local", "--snapshotter", "native", tarball)
}

func (c *Cluster) ctr(ctx context.Context, args ...string) error {
	base := []string{"--address", c.containerdSocket(), "--namespace", "k8s.io"}
	cmd := exec.CommandContext(ctx, filepath.Join(c.options.Containerd, "ctr"), append(base, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ctr %s: %w\n%s", args[0], err, out)
	}
	return nil
}

func (c *Cluster) containerdSocket() string { return filepath.Join(c.Dir, "containerd.sock") }

// makeBridge creates the pods' bridge before the CNI plugin does, because the node uses its address: the kubelet does not
// accept a loopback address, and an address of the machine's own network should not be used.
func makeBridge(ctx context.Context, name, address string) error {
	for _, args := range [][]string{
		{"link", "add", name, "type", "bridge"},
		{"address", "add", address, "dev", name},
		{"link", "set", name, "up"},
	} {
		if out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("make the bridge %s: %w: %s", name, err, out)
		}
	}
	return nil
}

func writeTemplate(path, text string, values any) error {
	parsed, err := template.New(filepath.Base(path)).Parse(text)
	if err != nil {
		return err
	}
	var filled bytes.Buffer
	if err := parsed.Execute(&filled, values); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, filled.Bytes(), 0o644)
}

// CutPower stops the node like a power failure: it kills the kubelet, containerd and all containers at the same time. To
// start the node again, restart containerd and then the kubelet.
func (c *Cluster) CutPower(ctx context.Context) error {
	containers := containerIDs(c.Dir)
	return errors.Join(
		c.Kubelet.Kill(),
		c.Containerd.Kill(),
		// A running shim would record how its container terminated.
		endAll(ctx, shimsOf(c.containerdSocket())),
		endAll(ctx, inCgroups(containers)),
	)
}
