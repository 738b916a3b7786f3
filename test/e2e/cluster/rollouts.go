package cluster

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// rolloutsNamespace is for the controller's own configuration. It must exist, even without a configuration.
const rolloutsNamespace = "argo-rollouts"

func (c *Cluster) startRollouts(ctx context.Context) error {
	crds, err := filepath.Glob(filepath.Join(c.options.ArgoRollouts, "*-crd.yaml"))
	if err != nil {
		return err
	}
	apply := []string{"apply", "--server-side"}
	for _, crd := range crds {
		apply = append(apply, "-f", crd)
	}
	if err := c.kubectl(ctx, apply...); err != nil {
		return err
	}
	if err := c.kubectl(ctx, "wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"); err != nil {
		return err
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: rolloutsNamespace}}
	if _, err := c.Client.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
		return err
	}
	ports, err := freePorts(2)
	if err != nil {
		return err
	}
	c.Rollouts, err = c.run(ctx, "rollouts-controller",
		healthy(loopback("http", ports[0])+"/healthz"),
		[]string{"POD_NAMESPACE=" + rolloutsNamespace},
		filepath.Join(c.options.ArgoRollouts, "rollouts-controller"),
		"--kubeconfig="+c.Kubeconfig,
		"--leader-elect=false",
		"--healthzPort="+strconv.Itoa(ports[0]),
		"--metricsPort="+strconv.Itoa(ports[1]),
	)
	return err
}

func (c *Cluster) kubectl(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(c.options.Kubernetes, "kubectl"), append([]string{"--kubeconfig", c.Kubeconfig}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("kubectl %s: %w\n%s", args[0], err, out)
	}
	return nil
}
