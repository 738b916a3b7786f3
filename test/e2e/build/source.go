package build

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
)

const modulePath = "github.com/crashcheck/crashcheck/test/e2e"

// Root is the folder of this module, found from the working directory upward.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.Contains(data, []byte("module "+modulePath+"\n")) {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("find the end-to-end module: run this inside test/e2e")
		}
		dir = parent
	}
}

// ProductRoot is the folder of the product's module, two levels above.
func ProductRoot() (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	return filepath.Join(root, "..", ".."), nil
}

func sourceDir(elements ...string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	return filepath.Join(append([]string{root}, elements...)...), nil
}

// Program builds one of this module's programs/ into dir and returns the path
// of the static binary.
func Program(ctx context.Context, name, dir string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	out := filepath.Join(dir, name)
	_, err = goTool(ctx, root, "build", "-trimpath", "-ldflags", "-s -w", "-o", out, "./programs/"+name)
	return out, err
}

// Crashcheck builds the product's binary into dir and returns its path.
func Crashcheck(ctx context.Context, dir string) (string, error) {
	root, err := ProductRoot()
	if err != nil {
		return "", err
	}
	out := filepath.Join(dir, "crashcheck")
	_, err = goTool(ctx, root, "build", "-trimpath", "-o", out, "./cmd/crashcheck")
	return out, err
}
