// Library uses crashcheck as a Go library, as README.md shows it: it makes an empty module beside the checkout, requires
// crashcheck there with the command of the README, and runs the README's example as a test with a fake clientset.
//
//	go run ./test/library
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	folder, err := os.MkdirTemp("", "crashcheck-library-")
	if err == nil {
		err = use(ctx, folder)
		os.RemoveAll(folder)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "library:", err)
		os.Exit(1)
	}
}

// The README refers to the checkout as ../crashcheck.
func use(ctx context.Context, folder string) error {
	checkout, err := os.Getwd()
	if err != nil {
		return err
	}
	if err := os.Symlink(checkout, filepath.Join(folder, "crashcheck")); err != nil {
		return err
	}
	m := module{ctx, filepath.Join(folder, "shop")}
	if err := os.Mkdir(m.folder, 0o755); err != nil {
		return err
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		return err
	}
	example, require := goBlock.FindSubmatch(readme), requireCommand.FindSubmatch(readme)
	if example == nil || require == nil {
		return errors.New("README.md has no block of Go, or no go mod edit command")
	}
	test := strings.Replace(testFile, "EXAMPLE", string(example[1]), 1)
	if err := os.WriteFile(filepath.Join(m.folder, "release_test.go"), []byte(test), 0o644); err != nil {
		return err
	}
	for _, command := range []string{"mod init example.com/shop", string(require[1]), "mod tidy"} {
		if out, err := m.goTool(strings.Fields(command)...); err != nil {
			return fmt.Errorf("go %s: %w\n%s", command, err, out)
		}
	}
	out, err := m.goTool("test", "-v", ".")
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return err
	}
	for _, want := range []string{"--- PASS: TestGoodRelease ", "--- FAIL: TestCrashedRelease ", reason} {
		if !strings.Contains(out, want) {
			return fmt.Errorf("the output of go test does not contain %q:\n%s", want, out)
		}
	}
	modules, err := m.goTool("list", "-m", "all")
	if err != nil {
		return fmt.Errorf("list the modules: %w\n%s", err, modules)
	}
	fmt.Printf("the example works; a user's module graph has %d modules\n", strings.Count(modules, "\n"))
	return nil
}

var (
	goBlock        = regexp.MustCompile("(?s)\n```go\n(.*?)\n```\n")
	requireCommand = regexp.MustCompile("`go (mod edit -require=[^`]*)`")
)

// reason is a part of what the failing test reports.
const reason = "worst: shop-6fd8d747-x2x/app (5 crashes"

// testFile runs the example twice. Its window of five minutes passes in the fake time of synctest.
const testFile = `package shop

import (
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/pkg/report"
	"github.com/crashcheck/crashcheck/pkg/runner"
)

func TestGoodRelease(t *testing.T)    { synctest.Test(t, func(t *testing.T) { check(t, 0) }) }
func TestCrashedRelease(t *testing.T) { synctest.Test(t, func(t *testing.T) { check(t, 5) }) }

func check(t *testing.T, restarts int32) {
	clientset := fake.NewClientset(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "shop-6fd8d747-x2x", Namespace: "shop", UID: "1", Labels: map[string]string{"pod-template-hash": "6fd8d747"}},
		Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
			Name: "app", RestartCount: restarts, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
		}}},
	})
	EXAMPLE
}
`

// A module is the module of a user.
type module struct {
	ctx    context.Context
	folder string
}

func (m module) goTool(args ...string) (string, error) {
	command := exec.CommandContext(m.ctx, "go", args...)
	command.Dir = m.folder
	// A user's module is not in this project's workspace, and the variables of make are not set for a user.
	command.Env = append(slices.DeleteFunc(os.Environ(), func(pair string) bool { return strings.HasPrefix(pair, "MAKE") }), "GOWORK=off")
	out, err := command.CombinedOutput()
	return string(out), err
}
