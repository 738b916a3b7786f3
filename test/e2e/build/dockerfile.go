package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// Image builds the product's own Dockerfile with buildah, without any
// registry: the image to build in is made of this machine's Go toolchain and
// busybox, and modules come from this machine's module cache. The image is for
// Linux on arch, and is written to tarball under the reference ref.
func Image(ctx context.Context, arch, tarball, ref string) error {
	if err := ImagePrerequisites(); err != nil {
		return err
	}
	product, err := ProductRoot()
	if err != nil {
		return err
	}
	store, err := newStore()
	if err != nil {
		return err
	}
	unlock, err := lock(store.dir + ".lock")
	if err != nil {
		return err
	}
	defer unlock()
	builder, err := store.builderImage(ctx)
	if err != nil {
		return fmt.Errorf("make the image to build in: %w", err)
	}
	if builder, err = store.foreign(ctx, builder, arch); err != nil {
		return fmt.Errorf("make the image to build in for %s: %w", arch, err)
	}
	modules, err := moduleProxy(ctx, product)
	if err != nil {
		return err
	}
	_, err = store.buildah(ctx, "build",
		"--isolation", "chroot",
		"--pull-never",
		// Said aloud, because only then old versions of buildah set TARGETOS.
		"--platform", "linux/"+arch,
		"--build-arg", "GO_IMAGE="+builder,
		"--volume", modules+":"+proxyFolder+":ro",
		"--tag", ref,
		product)
	if err != nil {
		return fmt.Errorf("build the Dockerfile: %w", err)
	}
	if err := os.RemoveAll(tarball); err != nil {
		return err
	}
	// containerd takes a reference as it is from this format, where it would
	// put a prefix of its own before one in an OCI archive.
	_, err = store.buildah(ctx, "push", ref, "docker-archive:"+tarball+":"+ref)
	return err
}

// ImagePrerequisites names the packages that Image misses.
func ImagePrerequisites() error {
	var faults []error
	if _, err := exec.LookPath("buildah"); err != nil {
		faults = append(faults, errors.New("buildah is missing: install the Debian package buildah"))
	}
	if _, err := os.Stat(busybox); err != nil {
		faults = append(faults, errors.New("a static busybox is missing: install the Debian package busybox-static"))
	}
	return errors.Join(faults...)
}

const (
	busybox = "/bin/busybox"
	// builderRevision changes with the steps of builderImage.
	builderRevision = "2"
	// proxyFolder is where the build finds the module cache.
	proxyFolder = "/module-proxy"
)

// store is a storage of images apart from the user's own.
type store struct{ dir string }

func newStore() (store, error) {
	cache, err := cacheDir()
	if err != nil {
		return store{}, err
	}
	s := store{filepath.Join(cache, "buildah")}
	return s, os.MkdirAll(filepath.Join(s.dir, "tmp"), 0o755)
}

func (s store) buildah(ctx context.Context, command string, args ...string) (string, error) {
	global := []string{
		"--root", filepath.Join(s.dir, "root"),
		"--runroot", filepath.Join(s.dir, "run"),
		// Slow, and the only one that works on every filesystem.
		"--storage-driver", "vfs",
		command,
	}
	cmd := exec.CommandContext(ctx, "buildah", append(global, args...)...)
	// Caches of RUN --mount are kept in there.
	cmd.Env = append(os.Environ(), "TMPDIR="+filepath.Join(s.dir, "tmp"))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("buildah %s: %w\n%s%s", command, err, out, stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
}

// builderImage is what golang:1.26 is elsewhere. It is made once for a version.
func (s store) builderImage(ctx context.Context) (string, error) {
	ref := "localhost/crashcheck-e2e-builder:" + runtime.Version() + "-" + builderRevision
	if _, err := s.buildah(ctx, "inspect", "--type", "image", ref); err == nil {
		return ref, nil
	}
	root, err := Root()
	if err != nil {
		return "", err
	}
	toolchain, err := goTool(ctx, root, "env", "GOROOT")
	if err != nil {
		return "", err
	}
	container, err := s.buildah(ctx, "from", "scratch")
	if err != nil {
		return "", err
	}
	defer s.buildah(context.WithoutCancel(ctx), "rm", container)
	empty, err := os.MkdirTemp(filepath.Join(s.dir, "tmp"), "empty-")
	if err != nil {
		return "", err
	}
	defer os.Remove(empty)
	steps := [][]string{
		{"copy", container, empty, "/tmp"},
		{"copy", container, busybox, "/bin/busybox"},
		{"copy", container, busybox, "/bin/sh"},
		{"copy", container, busybox, "/bin/mkdir"},
		{"config",
			"--env", "PATH=/usr/local/go/bin:/bin",
			"--env", "GOPROXY=file://" + proxyFolder,
			// All sums are in go.sum; there is nobody to ask for others.
			"--env", "GOSUMDB=off",
			"--env", "GOTOOLCHAIN=local",
			container},
	}
	// Its tests and documentation are half of the files.
	for _, part := range []string{"VERSION", "bin", "go.env", "lib", "pkg", "src"} {
		steps = append(steps, []string{"copy", container, filepath.Join(toolchain, part), "/usr/local/go/" + part})
	}
	for _, step := range append(steps, []string{"commit", container, ref}) {
		if _, err := s.buildah(ctx, step[0], step[1:]...); err != nil {
			return "", err
		}
	}
	return ref, nil
}

// foreign returns a reference to builder with which images for arch can be
// built. Versions of buildah that ignore FROM --platform only accept an image
// for arch there, others only one for this machine. The reference is a list of
// both. They have the same content.
func (s store) foreign(ctx context.Context, builder, arch string) (string, error) {
	if arch == runtime.GOARCH {
		return builder, nil
	}
	list := builder + "-" + arch
	if _, err := s.buildah(ctx, "manifest", "exists", list); err == nil {
		return list, nil
	}
	container, err := s.buildah(ctx, "from", "--pull-never", builder)
	if err != nil {
		return "", err
	}
	defer s.buildah(context.WithoutCancel(ctx), "rm", container)
	relabelled := list + "-only"
	for _, step := range [][]string{
		{"config", "--arch", arch, container},
		{"commit", container, relabelled},
		{"manifest", "create", list, builder, relabelled},
	} {
		if _, err := s.buildah(ctx, step[0], step[1:]...); err != nil {
			return "", err
		}
	}
	return list, nil
}

// moduleProxy fills the module cache with what the product needs and returns
// the folder of it that is laid out like a module proxy.
func moduleProxy(ctx context.Context, product string) (string, error) {
	if _, err := goTool(ctx, product, "mod", "download"); err != nil {
		return "", err
	}
	cache, err := goTool(ctx, product, "env", "GOMODCACHE")
	return filepath.Join(cache, "cache", "download"), err
}
