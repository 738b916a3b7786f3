package build

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// Image builds the product's own Dockerfile with buildah, without any registry: the image to build in is made of this
// machine's Go toolchain and busybox, and modules come from this machine's module cache. The image is written to tarball
// under the reference ref.
func Image(ctx context.Context, tarball, ref string) error {
	s, unlock, err := openStore()
	if err != nil {
		return err
	}
	defer unlock()
	args, err := s.dockerfile(ctx, runtime.GOARCH)
	if err != nil {
		return err
	}
	return s.tarball(ctx, tarball, ref, args...)
}

// ImageContent is like Image, but for Linux on arch, and writes only the files of the image, to the folder dir.
func ImageContent(ctx context.Context, arch, dir string) error {
	s, unlock, err := openStore()
	if err != nil {
		return err
	}
	defer unlock()
	args, err := s.dockerfile(ctx, arch)
	if err != nil {
		return err
	}
	return s.build(ctx, append([]string{"--output", dir}, args...)...)
}

// dockerfile returns the arguments that build the product's Dockerfile.
func (s store) dockerfile(ctx context.Context, arch string) ([]string, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	product := filepath.Join(root, "..", "..")
	if _, err := goTool(ctx, product, "mod", "download"); err != nil {
		return nil, err
	}
	modules, err := goTool(ctx, product, "env", "GOMODCACHE")
	if err != nil {
		return nil, err
	}
	builder, err := s.builderImage(ctx, arch)
	if err != nil {
		return nil, fmt.Errorf("make the image to build in: %w", err)
	}
	return []string{
		// Old versions of buildah set TARGETOS only if there is a platform.
		"--platform", "linux/" + arch,
		"--build-arg", "GO_IMAGE=" + builder,
		"--volume", filepath.Join(modules, "cache", "download") + ":/module-proxy:ro", // laid out like a module proxy
		product,
	}, nil
}

// Crasher builds programs/crasher in the folder dir, and writes an image of it to tarball under the reference ref.
func Crasher(ctx context.Context, dir, tarball, ref string) error {
	if _, err := program(ctx, ".", "./programs/crasher", dir); err != nil {
		return err
	}
	s, unlock, err := openStore()
	if err != nil {
		return err
	}
	defer unlock()
	const dockerfile = "FROM scratch\nCOPY crasher /crasher\nUSER 65532:65532\nENTRYPOINT [\"/crasher\"]\n"
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(dockerfile), 0o644); err != nil {
		return err
	}
	return s.tarball(ctx, tarball, ref, dir)
}

// store is a storage of images apart from the user's own.
type store string

func openStore() (s store, unlock func(), err error) {
	dir, err := cacheDir("buildah")
	if err != nil {
		return "", nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, "tmp"), 0o755); err != nil {
		return "", nil, err
	}
	unlock, err = lock(dir)
	return store(dir), unlock, err
}

// tarball builds a Dockerfile and writes the image to a file.
func (s store) tarball(ctx context.Context, path, ref string, args ...string) error {
	if err := s.build(ctx, append([]string{"--tag", ref}, args...)...); err != nil {
		return err
	}
	// containerd takes a reference as it is from this format, where it would put a prefix of its own before one in an OCI
	// archive.
	return s.buildah(ctx, "push", ref, "docker-archive:"+path+":"+ref)
}

func (s store) build(ctx context.Context, args ...string) error {
	return s.buildah(ctx, append([]string{"build", "--isolation", "chroot", "--pull-never"}, args...)...)
}

func (s store) buildah(ctx context.Context, args ...string) error {
	global := []string{
		"--root", filepath.Join(string(s), "root"),
		"--runroot", filepath.Join(string(s), "run"),
		// Slow, and the only one that works on every filesystem.
		"--storage-driver", "vfs",
	}
	cmd := exec.CommandContext(ctx, "buildah", append(global, args...)...)
	// Caches of RUN --mount are kept in there.
	cmd.Env = append(os.Environ(), "TMPDIR="+filepath.Join(string(s), "tmp"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("buildah %s: %w\n%s", args[0], err, out)
	}
	return nil
}

// builderDockerfile is what golang:1.26 is elsewhere, without tests and documentation, which are half of the files.
const builderDockerfile = `FROM scratch
COPY --from=busybox busybox /bin/busybox
COPY --from=busybox busybox /bin/sh
COPY --from=busybox busybox /bin/mkdir
COPY VERSION go.env /usr/local/go/
COPY bin /usr/local/go/bin
COPY lib /usr/local/go/lib
COPY pkg /usr/local/go/pkg
COPY src /usr/local/go/src
# All sums are in go.sum; there is nobody to ask for others.
WORKDIR /tmp
ENV PATH=/usr/local/go/bin:/bin GOPROXY=file:///module-proxy GOSUMDB=off GOTOOLCHAIN=local
`

// builderImage makes the image to build in, once for a version of Go.
func (s store) builderImage(ctx context.Context, arch string) (string, error) {
	// A list of two images with the same content: versions of buildah that ignore FROM --platform only accept an image for
	// arch there, others only one for this machine.
	platforms := "linux/" + runtime.GOARCH
	if arch != runtime.GOARCH {
		platforms += ",linux/" + arch
	}
	ref := "localhost/crashcheck-e2e-builder:" + strings.NewReplacer("/", "-", ",", "-").Replace(runtime.Version()+"-"+platforms)
	if s.buildah(ctx, "manifest", "exists", ref) == nil {
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
	dockerfile := filepath.Join(string(s), "tmp", "builder.Dockerfile")
	if err := os.WriteFile(dockerfile, []byte(builderDockerfile), 0o644); err != nil {
		return "", err
	}
	return ref, s.buildah(ctx, "build", "--platform", platforms, "--manifest", ref, "--build-context", "busybox=/bin", "--file", dockerfile, toolchain)
}
