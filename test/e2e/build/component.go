// Package build builds everything that the test cluster runs from source: the components (Kubernetes, etcd, containerd,
// Argo Rollouts), the program that runs in pods, and crashcheck.
//
// Building the components takes minutes, so a cache keeps their binaries. The key is a hash of the component module's
// files, the Go version and the flags.
package build

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Component is one module under components/ and the programs built from it.
type Component struct {
	// Name is the module's folder under components/.
	Name string
	// Packages are the import paths of the programs.
	Packages []string
	// Tags are build tags, separated by commas.
	Tags string
	// Module is the module that the programs come from. Its version is the value of the variable VersionIn
	// (import/path.name), and its folder Folder is kept beside the binaries. Each of them may be empty.
	Module, VersionIn, Folder string
}

// Kubernetes is the control plane, the kubelet and kubectl.
var Kubernetes = Component{
	Name: "kubernetes",
	Packages: []string{
		"k8s.io/kubernetes/cmd/kube-apiserver",
		"k8s.io/kubernetes/cmd/kube-controller-manager",
		"k8s.io/kubernetes/cmd/kube-scheduler",
		"k8s.io/kubernetes/cmd/kubectl",
		"k8s.io/kubernetes/cmd/kubelet",
	},
	Module:    "k8s.io/kubernetes",
	VersionIn: kubernetesVersion,
}

// KubernetesOldest is the control plane of the oldest version tested with.
var KubernetesOldest = Component{
	Name: "kubernetes-oldest",
	Packages: []string{
		"k8s.io/kubernetes/cmd/kube-apiserver",
		"k8s.io/kubernetes/cmd/kube-controller-manager",
	},
	Module:    "k8s.io/kubernetes",
	VersionIn: kubernetesVersion,
}

// A server without a version reports v0.0.0-master. Clients and controllers use the version.
const kubernetesVersion = "k8s.io/component-base/version.gitVersion"

// Etcd is the store of the control plane.
var Etcd = Component{Name: "etcd", Packages: []string{"."}}

// Containerd is the node's container runtime.
var Containerd = Component{
	Name: "containerd",
	Packages: []string{
		"github.com/containerd/containerd/v2/cmd/containerd",
		"github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
		"github.com/containerd/containerd/v2/cmd/ctr",
	},
	Tags: "no_btrfs,no_devmapper,no_zfs",
}

// ArgoRollouts is the Argo Rollouts controller and, in the folder crds beside it, its CRDs.
var ArgoRollouts = Component{
	Name:     "argo-rollouts",
	Packages: []string{"github.com/argoproj/argo-rollouts/cmd/rollouts-controller"},
	Module:   "github.com/argoproj/argo-rollouts",
	Folder:   "manifests/crds",
}

// Helm is the real helm.
var Helm = Component{
	Name:      "helm",
	Packages:  []string{"helm.sh/helm/v4/cmd/helm"},
	Module:    "helm.sh/helm/v4",
	VersionIn: "helm.sh/helm/v4/internal/version.version",
}

// Build returns the folder of the component's binaries. If the cache does not contain them, it builds them and says so on
// log.
func (c Component) Build(ctx context.Context, log io.Writer) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	source := filepath.Join(root, "components", c.Name)
	key, err := c.key(ctx, source)
	if err != nil {
		return "", err
	}
	cache, err := cacheDir(c.Name)
	if err != nil {
		return "", err
	}
	unlock, err := lock(cache)
	if err != nil {
		return "", err
	}
	defer unlock()

	bin := filepath.Join(cache, key)
	if _, err := os.Stat(bin); err == nil {
		return bin, nil
	}
	fmt.Fprintf(log, "e2e: building %s (once; the cache is %s)\n", c.Name, cache)
	begun := time.Now()
	// Binaries of other keys are hundreds of megabytes. An interrupted build leaves nothing that looks complete.
	aside := bin + ".partial"
	if err := errors.Join(os.RemoveAll(cache), os.MkdirAll(aside, 0o755)); err != nil {
		return "", err
	}
	if err := c.buildInto(ctx, source, aside); err != nil {
		return "", fmt.Errorf("build component %s: %w", c.Name, err)
	}
	fmt.Fprintf(log, "e2e: built %s in %s\n", c.Name, time.Since(begun).Round(time.Second))
	return bin, os.Rename(aside, bin)
}

func (c Component) buildInto(ctx context.Context, source, bin string) error {
	flags := "-s -w"
	if c.VersionIn != "" {
		version, err := goTool(ctx, source, "list", "-m", "-f", "{{.Version}}", c.Module)
		if err != nil {
			return err
		}
		flags += " -X " + c.VersionIn + "=" + version
	}
	args := []string{"build", "-trimpath", "-tags", c.Tags, "-ldflags", flags, "-o", bin + "/"}
	if _, err := goTool(ctx, source, append(args, c.Packages...)...); err != nil {
		return err
	}
	if c.Folder == "" {
		return nil
	}
	// This comes after the build: a module that has not been downloaded has no folder.
	folder, err := goTool(ctx, source, "list", "-m", "-f", "{{.Dir}}", c.Module)
	if err != nil {
		return err
	}
	return os.CopyFS(filepath.Join(bin, filepath.Base(c.Folder)), os.DirFS(filepath.Join(folder, c.Folder)))
}

// key is a hash of everything that the binaries depend on.
func (c Component) key(ctx context.Context, source string) (string, error) {
	version, err := goTool(ctx, source, "version")
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	fmt.Fprintf(hash, "%s\n%q\n", version, c)
	for _, pattern := range []string{"go.mod", "go.sum", "*.go"} {
		names, err := filepath.Glob(filepath.Join(source, pattern))
		if err != nil {
			return "", err
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(hash, "%s %d\n%s", filepath.Base(name), len(data), data)
		}
	}
	return fmt.Sprintf("%x", hash.Sum(nil)[:8]), nil
}

// cacheDir is a folder in E2E_CACHE, or in the user's cache.
func cacheDir(name string) (string, error) {
	cache := os.Getenv("E2E_CACHE")
	if cache == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("find the cache folder (or set E2E_CACHE): %w", err)
		}
		cache = filepath.Join(base, "crashcheck-e2e")
	}
	dir := filepath.Join(cache, name)
	return dir, os.MkdirAll(dir, 0o755)
}

// lock prevents two runs from building in the same folder at the same time.
func lock(dir string) (unlock func(), err error) {
	file, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		file.Close()
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return func() { file.Close() }, nil
}

// goTool runs the go command in dir and returns what it printed.
func goTool(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	// Static binaries run in images that contain nothing else.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s in %s: %w\n%s", args[0], dir, err, stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
}
