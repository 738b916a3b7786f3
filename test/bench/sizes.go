package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/crashcheck/crashcheck/test/e2e/build"
)

// Size is how large a program is on disk, in bytes.
type Size struct {
	Rival  string
	Binary int64
	// Image is the product's image, uncompressed; of the others it is 0.
	Image int64
}

// measureSizes looks at the binaries, and builds the product's image.
func measureSizes(ctx context.Context, b *bench, results *Results) error {
	sizes := []Size{{Rival: crashcheckName}, {Rival: kubectlName}, {Rival: typedName}, {Rival: floorName}}
	for i, files := range [][]string{
		{b.program("crashcheck")}, {b.world.Kubectl}, {b.program("typed")}, {b.program("floor")},
	} {
		size, err := fileSizes(files...)
		if err != nil {
			return err
		}
		sizes[i].Binary = size
	}
	tools, err := toolSizes("jq", "bash")
	if err != nil {
		return err
	}
	sizes[1].Binary += tools
	if sizes[0].Image, err = b.imageSize(ctx); err != nil {
		return err
	}
	results.Sizes = sizes
	return nil
}

// imageSize builds the image and returns its size, or 0 where no image can be built.
func (b *bench) imageSize(ctx context.Context) (int64, error) {
	if err := build.ImagePrerequisites(); err != nil {
		b.logf("the image is not measured: %v", err)
		return 0, nil
	}
	tarball := filepath.Join(b.world.Work, "image.tar")
	if err := build.Image(ctx, tarball, "crashcheck.bench/crashcheck:1"); err != nil {
		return 0, err
	}
	return fileSizes(tarball)
}

func fileSizes(files ...string) (int64, error) {
	sum := int64(0)
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			return 0, err
		}
		sum += info.Size()
	}
	return sum, nil
}

// toolSizes are the sizes of installed programs with the libraries they need.
func toolSizes(names ...string) (int64, error) {
	files := map[string]bool{}
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err != nil {
			return 0, fmt.Errorf("%s is missing: install the Debian package %[1]s", name)
		}
		out, err := exec.Command("ldd", path).Output()
		if err != nil {
			return 0, fmt.Errorf("find the libraries of %s: %w", name, err)
		}
		files[path] = true
		for _, library := range libraries(string(out)) {
			files[library] = true
		}
	}
	sum := int64(0)
	for file := range files {
		size, err := fileSizes(file)
		if err != nil {
			return 0, err
		}
		sum += size
	}
	return sum, nil
}

// libraries are the paths in what ldd prints.
func libraries(ldd string) []string {
	var paths []string
	for word := range strings.FieldsSeq(ldd) {
		if strings.HasPrefix(word, "/") {
			paths = append(paths, word)
		}
	}
	return paths
}
