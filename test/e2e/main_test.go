// Package e2e tests crashcheck on a real cluster: a control plane, a node and the Argo Rollouts controller, built from
// source and run on this machine.
//
// With KUBECONFIG set, the tests use that cluster, and skip what breaks components. With E2E_KUBERNETES=oldest, they
// start the oldest control plane, and skip what needs a node.
package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/crashcheck/crashcheck/test/e2e/build"
	"github.com/crashcheck/crashcheck/test/e2e/cluster"
)

// suite is what all tests share.
type suite struct {
	config     *rest.Config
	client     kubernetes.Interface
	kubeconfig string
	// own is the cluster this suite has started; nil on an existing one.
	own *cluster.Cluster
	// loopbackPort is where pods reach the API server with host networking, on
	// clusters of package cluster; empty on others, where the kubernetes
	// Service works.
	loopbackPort string
	// binary is crashcheck, and kubectl the client of the cluster's version.
	binary, kubectl string

	work  string
	close func()
}

// the is the running suite; TestMain sets it up.
var the *suite

func TestMain(m *testing.M) {
	flag.Parse()
	if err := waitTogether(); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(2)
	}
	os.Exit(run(m))
}

// waitTogether runs more tests at the same time than there are processors, unless -parallel is set: tests mostly wait.
// With too many, two processors need too long to start all their pods.
func waitTogether() error {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if given {
		return nil
	}
	return flag.Set("test.parallel", "10")
}

func run(m *testing.M) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := beforeTimeout(ctx)
	defer cancel()

	s, err := setUp(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e: set up:", err)
		return 1
	}
	defer s.close()
	// Tests do not use ctx: after Ctrl-C, the cluster is stopped while they run.
	finished := make(chan struct{})
	defer close(finished)
	go func() {
		select {
		case <-finished:
		case <-ctx.Done():
			fmt.Fprintln(os.Stderr, "e2e: interrupted:", context.Cause(ctx))
			s.close()
			os.Exit(1)
		}
	}()

	the = s
	code := m.Run()
	if code != 0 && s.own != nil {
		fmt.Fprint(os.Stderr, s.own.Tails(15))
		keepLogs(s.own)
	}
	return code
}

// keepLogs copies the logs of the components before the folder of the cluster is removed.
func keepLogs(own *cluster.Cluster) {
	kept := own.Dir + "-logs"
	err := os.RemoveAll(kept)
	if err == nil {
		err = os.MkdirAll(kept, 0o755)
	}
	for _, process := range own.Processes() {
		data, readErr := os.ReadFile(process.LogPath)
		err = errors.Join(err, readErr, os.WriteFile(filepath.Join(kept, filepath.Base(process.LogPath)), data, 0o644))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e: keep the logs:", err)
		return
	}
	fmt.Fprintln(os.Stderr, "e2e: the logs of all components are in", kept)
}

// beforeTimeout ends the context shortly before the timeout of go test, which would end this process and leave the
// cluster running.
func beforeTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	timeout, err := time.ParseDuration(flag.Lookup("test.timeout").Value.String())
	if err != nil || timeout == 0 {
		return context.WithCancel(ctx)
	}
	early := max(timeout-time.Minute, timeout/2)
	return context.WithTimeoutCause(ctx, early, errors.New("the suite has run into go test's -timeout"))
}

func setUp(ctx context.Context) (*suite, error) {
	work, err := newWorkFolder()
	if err != nil {
		return nil, err
	}
	s := &suite{work: work}
	s.close = sync.OnceFunc(func() { s.tearDown() })
	if err := s.start(ctx); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// newWorkFolder creates a folder with this process's ID in its name, and removes those of suites that were killed.
func newWorkFolder() (string, error) {
	prefix := filepath.Join(os.TempDir(), "crashcheck-e2e-work-")
	folders, err := filepath.Glob(prefix + "*")
	if err != nil {
		return "", err
	}
	for _, folder := range folders {
		pid := strings.TrimPrefix(folder, prefix)
		if _, err := os.Stat("/proc/" + pid); os.IsNotExist(err) {
			if err := os.RemoveAll(folder); err != nil {
				return "", err
			}
		}
	}
	folder := prefix + strconv.Itoa(os.Getpid())
	return folder, os.MkdirAll(folder, 0o755)
}

func (s *suite) start(ctx context.Context) error {
	kubernetesBin, err := build.Kubernetes.Build(ctx, os.Stderr)
	if err != nil {
		return err
	}
	s.kubectl = kubernetesBin + "/kubectl"
	if s.binary, err = build.Crashcheck(ctx, s.work); err != nil {
		return err
	}
	if existing := os.Getenv("KUBECONFIG"); existing != "" {
		s.kubeconfig = existing
		fmt.Fprintln(os.Stderr, "e2e: using the cluster of KUBECONFIG; tests that break components or the node are left out")
		return s.connect(ctx)
	}
	switch version := os.Getenv("E2E_KUBERNETES"); version {
	case "":
		s.own, err = cluster.StartStandard(ctx, "test", s.work, os.Stderr)
	case "oldest":
		s.own, err = cluster.StartControlPlane(ctx, "oldest", os.Stderr)
	default:
		err = fmt.Errorf("E2E_KUBERNETES is %q, want oldest or nothing", version)
	}
	if err != nil {
		return err
	}
	s.kubeconfig = s.own.Kubeconfig
	return s.connect(ctx)
}

func (s *suite) connect(ctx context.Context) error {
	var err error
	if s.config, err = clientcmd.BuildConfigFromFlags("", s.kubeconfig); err != nil {
		return fmt.Errorf("read KUBECONFIG: %w", err)
	}
	s.config.QPS = -1
	if s.client, err = kubernetes.NewForConfig(s.config); err != nil {
		return err
	}
	version, err := s.client.Discovery().ServerVersion()
	if err != nil {
		return fmt.Errorf("reach the cluster: %w", err)
	}
	fmt.Fprintln(os.Stderr, "e2e: the server is Kubernetes", version.GitVersion)
	description, err := s.client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, cluster.DescriptionName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for the description of the cluster: %w", err)
	}
	s.loopbackPort = description.Data[cluster.APIPortKey]
	return nil
}

func (s *suite) tearDown() {
	if s.own != nil {
		if err := s.own.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "e2e: take the cluster down:", err)
		}
	}
	os.RemoveAll(s.work)
}
