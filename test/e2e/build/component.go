// Package build builds everything that the test cluster runs from source: the components (Kubernetes, etcd, containerd,
// Argo Rollouts), the programs that run in pods, and crashcheck.
//
// Building the components takes minutes, so a cache keeps their binaries. The key is a hash of the component module's
// files, the Go version and the flags.
package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
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
	// Stamp lists the variables that carry the version of VersionOf, as
	// "import/path.variable=template" with the templates %v (v1.2.3), %M (1)
	// and %m (2).
	Stamp []string
	// VersionOf is the module whose version is stamped.
	VersionOf string
	// Files are further files to keep beside the binaries: globs relative to
	// the folder of the module VersionOf.
	Files []string
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
	VersionOf: "k8s.io/kubernetes",
	Stamp:     kubernetesStamp,
}

// KubernetesOldest is the control plane of the oldest version tested with.
var KubernetesOldest = Component{
	Name: "kubernetes-oldest",
	Packages: []string{
		"k8s.io/kubernetes/cmd/kube-apiserver",
		"k8s.io/kubernetes/cmd/kube-controller-manager",
	},
	VersionOf: "k8s.io/kubernetes",
	Stamp:     kubernetesStamp,
}

// A server without a version reports v0.0.0-master. Clients and controllers use the version.
var kubernetesStamp = []string{
	"k8s.io/component-base/version.gitVersion=%v",
	"k8s.io/component-base/version.gitMajor=%M",
	"k8s.io/component-base/version.gitMinor=%m",
}

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

// ArgoRollouts is the Argo Rollouts controller and, beside it, its CRDs.
var ArgoRollouts = Component{
	Name:      "argo-rollouts",
	Packages:  []string{"github.com/argoproj/argo-rollouts/cmd/rollouts-controller"},
	VersionOf: "github.com/argoproj/argo-rollouts",
	Files:     []string{"manifests/crds/*-crd.yaml"},
}

// Build returns the folder of the component's binaries. If the cache does not contain them, it builds them and says so on
// log.
func (c Component) Build(ctx context.Context, log io.Writer) (string, error) {
	source, err := sourceDir("components", c.Name)
	if err != nil {
		return "", err
	}
	key, err := c.key(ctx, source)
	if err != nil {
		return "", err
	}
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	unlock, err := lock(filepath.Join(cache, c.Name+".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()

	bin := filepath.Join(cache, c.Name+"-"+key)
	if _, err := os.Stat(bin); err == nil {
		return bin, nil
	}
	fmt.Fprintf(log, "e2e: building %s (once; the cache is %s)\n", c.Name, cache)
	begun := time.Now()
	if err := c.buildInto(ctx, source, bin); err != nil {
		return "", fmt.Errorf("build component %s: %w", c.Name, err)
	}
	fmt.Fprintf(log, "e2e: built %s in %s\n", c.Name, time.Since(begun).Round(time.Second))
	return bin, c.removeOlder(cache, bin)
}

// buildInto builds in another folder and renames it, so that an interrupted build leaves nothing that looks complete.
func (c Component) buildInto(ctx context.Context, source, bin string) error {
	aside := bin + ".partial"
	if err := os.RemoveAll(aside); err != nil {
		return err
	}
	if err := os.MkdirAll(aside, 0o755); err != nil {
		return err
	}
	flags, err := c.linkerFlags(ctx, source)
	if err != nil {
		return err
	}
	args := []string{"build", "-trimpath", "-ldflags", flags, "-o", aside + "/"}
	if c.Tags != "" {
		args = append(args, "-tags", c.Tags)
	}
	if _, err := goTool(ctx, source, append(args, c.Packages...)...); err != nil {
		return err
	}
	if err := c.copyFiles(ctx, source, aside); err != nil {
		return err
	}
	return os.Rename(aside, bin)
}

func (c Component) linkerFlags(ctx context.Context, source string) (string, error) {
	flags := "-s -w"
	if len(c.Stamp) == 0 {
		return flags, nil
	}
	version, err := goTool(ctx, source, "list", "-m", "-f", "{{.Version}}", c.VersionOf)
	if err != nil {
		return "", err
	}
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	if len(parts) != 3 {
		return "", fmt.Errorf("version %q of %s is not vMAJOR.MINOR.PATCH", version, c.VersionOf)
	}
	fill := strings.NewReplacer("%v", version, "%M", parts[0], "%m", parts[1])
	for _, stamp := range c.Stamp {
		flags += " -X " + fill.Replace(stamp)
	}
	return flags, nil
}

func (c Component) copyFiles(ctx context.Context, source, to string) error {
	if len(c.Files) == 0 {
		return nil
	}
	module, err := goTool(ctx, source, "list", "-m", "-f", "{{.Dir}}", c.VersionOf)
	if err != nil {
		return err
	}
	for _, pattern := range c.Files {
		names, err := filepath.Glob(filepath.Join(module, pattern))
		if err != nil {
			return err
		}
		if len(names) == 0 {
			return fmt.Errorf("no file matches %s in %s", pattern, c.VersionOf)
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(to, filepath.Base(name)), data, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
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
	return hex.EncodeToString(hash.Sum(nil))[:16], nil
}

// removeOlder removes binaries of other keys: they are hundreds of megabytes.
func (c Component) removeOlder(cache, keep string) error {
	names, err := filepath.Glob(filepath.Join(cache, c.Name+"-"+strings.Repeat("[0-9a-f]", 16)))
	if err != nil {
		return err
	}
	for _, name := range names {
		if name != keep {
			if err := os.RemoveAll(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// cacheDir is E2E_CACHE, or a folder in the user's cache.
func cacheDir() (string, error) {
	dir := os.Getenv("E2E_CACHE")
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("find the cache folder (or set E2E_CACHE): %w", err)
		}
		dir = filepath.Join(base, "crashcheck-e2e")
	}
	return dir, os.MkdirAll(dir, 0o755)
}

// lock prevents two runs from building the same component at the same time.
func lock(path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		file.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
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
