package cluster

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func (c *Cluster) startControlPlane(ctx context.Context) error {
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	etcdURL := loopback("http", ports[0])
	c.APIPort = ports[2]

	c.Etcd, err = c.run(ctx, "etcd", healthy(etcdURL+"/readyz"), nil,
		filepath.Join(c.options.Etcd, "etcd"),
		"--data-dir="+filepath.Join(c.Dir, "etcd"),
		"--client-url="+etcdURL,
		"--peer-url="+loopback("http", ports[1]))
	if err != nil {
		return err
	}
	if err := c.startAPIServer(ctx, etcdURL); err != nil || c.options.WithoutControllers {
		return err
	}
	return c.startControllers(ctx)
}

func (c *Cluster) startAPIServer(ctx context.Context, etcdURL string) error {
	for name, user := range map[string]string{"kube-apiserver": "kube-apiserver", "apiserver-kubelet": "kube-apiserver-kubelet-client"} {
		if err := c.pki.issue(name, user, nil); err != nil {
			return err
		}
	}
	if err := c.pki.kubeconfig(c.Kubeconfig, loopback("https", c.APIPort), "admin", "system:masters"); err != nil {
		return err
	}
	if err := c.connect(); err != nil {
		return err
	}
	ready := func(ctx context.Context) error {
		return c.Client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	}
	var err error
	c.APIServer, err = c.run(ctx, "kube-apiserver", ready, nil,
		filepath.Join(c.options.Kubernetes, "kube-apiserver"),
		"--etcd-servers="+etcdURL,
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		"--secure-port="+strconv.Itoa(c.APIPort),
		"--tls-cert-file="+c.pki.path("kube-apiserver.crt"),
		"--tls-private-key-file="+c.pki.path("kube-apiserver.key"),
		"--client-ca-file="+c.pki.path("ca.crt"),
		"--kubelet-certificate-authority="+c.pki.path("ca.crt"),
		"--kubelet-client-certificate="+c.pki.path("apiserver-kubelet.crt"),
		"--kubelet-client-key="+c.pki.path("apiserver-kubelet.key"),
		// The node's name does not resolve, its address does.
		"--kubelet-preferred-address-types=InternalIP",
		"--service-account-key-file="+c.pki.path("service-account.key"),
		"--service-account-signing-key-file="+c.pki.path("service-account.key"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-cluster-ip-range=10.96.0.0/24",
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		// Nothing uses the Service kubernetes: an Endpoints object cannot contain a loopback address.
		"--endpoint-reconciler-type=none",
	)
	return err
}

func (c *Cluster) startControllers(ctx context.Context) error {
	for _, name := range []string{"kube-controller-manager", "kube-scheduler"} {
		if err := c.pki.kubeconfig(c.pki.path(name+".kubeconfig"), loopback("https", c.APIPort), "system:"+name); err != nil {
			return err
		}
	}
	// Pods cannot be created without the ServiceAccount, the first visible work of the controllers.
	ready := func(ctx context.Context) error {
		_, err := c.Client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
		return err
	}
	_, err := c.run(ctx, "kube-controller-manager", ready, nil,
		filepath.Join(c.options.Kubernetes, "kube-controller-manager"),
		"--kubeconfig="+c.pki.path("kube-controller-manager.kubeconfig"),
		"--service-account-private-key-file="+c.pki.path("service-account.key"),
		"--root-ca-file="+c.pki.path("ca.crt"),
		"--leader-elect=false",
		"--secure-port=0",
		"--controllers=*,-nodeipam",
		// Each controller uses the identity that has its permissions.
		"--use-service-account-credentials",
		// The default is 50 s. The kubelet renews its lease more often, too: see kubelet.yaml.tmpl.
		"--node-monitor-grace-period=20s",
		// Tests mostly wait for the creation of pods in bursts.
		"--kube-api-qps=200",
		"--kube-api-burst=400",
	)
	if err != nil || c.options.Containerd == "" {
		// Without a node, there is nothing to schedule.
		return err
	}
	_, err = c.run(ctx, "kube-scheduler", nil, nil,
		filepath.Join(c.options.Kubernetes, "kube-scheduler"),
		"--kubeconfig="+c.pki.path("kube-scheduler.kubeconfig"),
		"--leader-elect=false",
		"--secure-port=0",
	)
	return err
}

func (c *Cluster) startRollouts(ctx context.Context) error {
	const namespace = "argo-rollouts" // for the controller's configuration; it must exist, even without a configuration
	for _, args := range [][]string{
		{"apply", "--server-side", "--kustomize", filepath.Join(c.options.ArgoRollouts, "crds")},
		{"wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"},
		{"create", "namespace", namespace},
	} {
		args = append(args, "--kubeconfig", c.Kubeconfig)
		if out, err := exec.CommandContext(ctx, filepath.Join(c.options.Kubernetes, "kubectl"), args...).CombinedOutput(); err != nil {
			return fmt.Errorf("kubectl %s: %w\n%s", args[0], err, out)
		}
	}
	ports, err := freePorts(2)
	if err != nil {
		return err
	}
	_, err = c.run(ctx, "rollouts-controller",
		healthy(loopback("http", ports[0])+"/healthz"),
		[]string{"POD_NAMESPACE=" + namespace},
		filepath.Join(c.options.ArgoRollouts, "rollouts-controller"),
		"--kubeconfig="+c.Kubeconfig,
		"--leader-elect=false",
		"--healthzPort="+strconv.Itoa(ports[0]),
		"--metricsPort="+strconv.Itoa(ports[1]),
	)
	return err
}

// healthy returns a condition: the URL responds with 200.
func healthy(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %s", url, response.Status)
		}
		return nil
	}
}

func loopback(scheme string, port int) string {
	return fmt.Sprintf("%s://127.0.0.1:%d", scheme, port)
}
