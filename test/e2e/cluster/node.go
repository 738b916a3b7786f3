package cluster

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"text/template"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// nodeName is the name of the one node.
const nodeName = "node-1"

//go:embed containerd.toml.tmpl
var containerdConfig string

//go:embed kubelet.yaml.tmpl
var kubeletConfig string

//go:embed cni.conflist.tmpl
var cniConfig string

// nodeValues is what the configuration templates of the node are filled with.
type nodeValues struct {
	Dir, Socket, SandboxImage string
	Bridge, Subnet            string
	NodeIP                    string // the bridge's own address
	PKI                       string
	Port, HealthPort          int
}

func (c *Cluster) startNode(ctx context.Context) error {
	ports, err := freePorts(2)
	if err != nil {
		return err
	}
	hash := fnv.New32a()
	hash.Write([]byte(c.options.Name))
	subnet := fmt.Sprintf("10.244.%d", hash.Sum32()%256)
	values := nodeValues{
		Dir:          c.Dir,
		Socket:       c.containerdSocket(),
		SandboxImage: CrasherImage,
		Bridge:       bridgeOf(c.options.Name),
		Subnet:       subnet + ".0/24",
		NodeIP:       subnet + ".1",
		PKI:          c.pki.dir,
		Port:         ports[0],
		HealthPort:   ports[1],
	}
	// The pods' bridge exists before the CNI plugin would create it, because the node uses its address: the kubelet does not
	// accept a loopback address, and an address of the machine's own network should not be used.
	for _, args := range [][]string{
		{"link", "add", values.Bridge, "type", "bridge"},
		{"address", "add", values.NodeIP + "/24", "dev", values.Bridge},
		{"link", "set", values.Bridge, "up"},
	} {
		if err := ip(ctx, args...); err != nil {
			return err
		}
	}
	if err := c.startContainerd(ctx, values); err != nil {
		return err
	}
	for _, tarball := range c.options.Images {
		if err := c.ctr(ctx, "images", "import", "--local", "--snapshotter", "native", tarball); err != nil {
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
	// containerd finds its shim, and runc, by PATH.
	path := "PATH=" + c.options.Containerd + ":/usr/local/sbin:/usr/sbin:/sbin:" + os.Getenv("PATH")
	ready := func(ctx context.Context) error { return c.ctr(ctx, "version") }
	var err error
	c.Containerd, err = c.run(ctx, "containerd", ready, []string{path},
		filepath.Join(c.options.Containerd, "containerd"), "--config", config)
	return err
}

func (c *Cluster) startKubelet(ctx context.Context, values nodeValues) error {
	if err := c.pki.issue("kubelet", nodeName, nil, net.ParseIP(values.NodeIP)); err != nil {
		return err
	}
	kubeconfig := filepath.Join(c.Dir, "kubelet.kubeconfig")
	if err := c.pki.kubeconfig(kubeconfig, loopback("https", c.APIPort), "system:node:"+nodeName, "system:nodes"); err != nil {
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
		"--hostname-override="+nodeName,
		"--node-ip="+values.NodeIP,
	)
	return err
}

// nodeReady checks that the node is Ready and has no taints. After a restart of the kubelet, the old condition may remain
// for some seconds.
func (c *Cluster) nodeReady(ctx context.Context) error {
	node, err := c.Client.CoreV1().Nodes().Get(ctx, nodeName, metav1.GetOptions{})
	if err != nil {
		return err
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue && len(node.Spec.Taints) == 0 {
			return nil
		}
	}
	return fmt.Errorf("node %s is not ready: conditions %v, taints %v", nodeName, node.Status.Conditions, node.Spec.Taints)
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
	err := errors.Join(
		c.Kubelet.Kill(),
		c.Containerd.Kill(),
		// A running shim would record how its container terminated.
		killAll(ctx, c.Dir, "containerd-shim"),
	)
	for _, id := range containersIn(c.Dir) {
		_ = runc(ctx, c.Dir, "kill", id, "KILL") // an error if the container has ended already
	}
	return err
}
