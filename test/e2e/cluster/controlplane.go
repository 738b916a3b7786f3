package cluster

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ServiceAccountIssuer is the "iss" and "aud" of ServiceAccount tokens.
const ServiceAccountIssuer = "https://kubernetes.default.svc"

func (c *Cluster) startControlPlane(ctx context.Context) error {
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	etcdURL := loopback("http", ports[0])
	c.apiPort = ports[2]

	c.Etcd, err = c.run(ctx, "etcd", healthy(etcdURL+"/readyz"), nil,
		filepath.Join(c.options.Etcd, "etcd"),
		"--data-dir="+filepath.Join(c.Dir, "etcd"),
		"--client-url="+etcdURL,
		"--peer-url="+loopback("http", ports[1]))
	if err != nil {
		return err
	}
	if err := c.startAPIServer(ctx, etcdURL); err != nil {
		return err
	}
	if c.options.WithoutControllers {
		return nil
	}
	if err := c.startControllers(ctx); err != nil {
		return err
	}
	return c.describe(ctx)
}

func (c *Cluster) startAPIServer(ctx context.Context, etcdURL string) error {
	server := loopback("https", c.apiPort)
	for name, user := range map[string]string{"kube-apiserver": "kube-apiserver", "apiserver-kubelet": "kube-apiserver-kubelet-client"} {
		if err := c.pki.issue(name, user, nil); err != nil {
			return err
		}
	}
	if err := c.pki.kubeconfig(c.Kubeconfig, server, "admin", "system:masters"); err != nil {
		return err
	}
	if err := c.connect(); err != nil {
		return err
	}
	var err error
	c.APIServer, err = c.run(ctx, "kube-apiserver", c.apiReady, nil,
		filepath.Join(c.options.Kubernetes, "kube-apiserver"),
		"--etcd-servers="+etcdURL,
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		"--secure-port="+strconv.Itoa(c.apiPort),
		"--tls-cert-file="+c.pki.path("kube-apiserver.crt"),
		"--tls-private-key-file="+c.pki.path("kube-apiserver.key"),
		"--client-ca-file="+c.pki.path("ca.crt"),
		"--kubelet-certificate-authority="+c.pki.path("ca.crt"),
		"--kubelet-client-certificate="+c.pki.path("apiserver-kubelet.crt"),
		"--kubelet-client-key="+c.pki.path("apiserver-kubelet.key"),
		// The node's name does not resolve, its address does.
		"--kubelet-preferred-address-types=InternalIP",
		"--service-account-key-file="+c.pki.path("service-account.pub"),
		"--service-account-signing-key-file="+c.pki.path("service-account.key"),
		"--service-account-issuer="+ServiceAccountIssuer,
		"--service-cluster-ip-range=10.96.0.0/24",
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		// Nothing uses the Service kubernetes: an Endpoints object cannot contain a loopback address.
		"--endpoint-reconciler-type=none",
	)
	return err
}

func (c *Cluster) startControllers(ctx context.Context) error {
	server := loopback("https", c.apiPort)
	for _, name := range []string{"kube-controller-manager", "kube-scheduler"} {
		if err := c.pki.kubeconfig(c.pki.path(name+".kubeconfig"), server, "system:"+name); err != nil {
			return err
		}
	}
	var err error
	c.ControllerManager, err = c.run(ctx, "kube-controller-manager", c.defaultServiceAccount, nil,
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
	c.Scheduler, err = c.run(ctx, "kube-scheduler", nil, nil,
		filepath.Join(c.options.Kubernetes, "kube-scheduler"),
		"--kubeconfig="+c.pki.path("kube-scheduler.kubeconfig"),
		"--leader-elect=false",
		"--secure-port=0",
	)
	return err
}

// apiReady asks the API server whether it is ready, over the connection that tests use.
func (c *Cluster) apiReady(ctx context.Context) error {
	return c.Client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
}

// defaultServiceAccount waits for the first visible work of the controllers. Pods cannot be created without it.
func (c *Cluster) defaultServiceAccount(ctx context.Context) error {
	_, err := c.Client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
	return err
}

const (
	// DescriptionName is the ConfigMap in kube-system by which a suite knows a
	// cluster of this package with a node, whose pods reach the API over
	// loopback.
	DescriptionName = "crashcheck-e2e"
	// APIPortKey is its key for the API server's port.
	APIPortKey = "apiPort"
)

func (c *Cluster) describe(ctx context.Context) error {
	if c.options.Containerd == "" {
		return nil
	}
	_, err := c.Client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: DescriptionName},
		Data:       map[string]string{APIPortKey: strconv.Itoa(c.apiPort)},
	}, metav1.CreateOptions{})
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
