package build

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
)

// Root is the folder of this module, found from the working directory upward.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(data, []byte("module github.com/crashcheck/crashcheck/test/e2e\n")) {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("find the end-to-end module: run this inside test/e2e")
		}
		dir = parent
	}
}

// Crashcheck builds the product's binary into dir and returns its path.
func Crashcheck(ctx context.Context, dir string) (string, error) {
	return program(ctx, "../..", "./cmd/crashcheck", dir)
}

// program builds a package of a module, whose folder is relative to this module's, into dir. It returns the path of the
// static binary.
func program(ctx context.Context, module, pkg, dir string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	out := filepath.Join(dir, filepath.Base(pkg))
	_, err = goTool(ctx, filepath.Join(root, module), "build", "-trimpath", "-ldflags", "-s -w", "-o", out, pkg)
	return out, err
}
