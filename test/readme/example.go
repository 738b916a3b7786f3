package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

var (
	goBlock        = regexp.MustCompile("(?s)\n```go\n(.*?)\n```\n")
	requireCommand = regexp.MustCompile("`(go mod edit -require=[^`]*)`")
)

// useExample makes an empty module beside the checkout, requires crashcheck there with the command of README.md, and runs
// its example as a test with a fake clientset.
func useExample(r reader) error {
	example, require := goBlock.FindStringSubmatch(r.readme), requireCommand.FindStringSubmatch(r.readme)
	if example == nil || require == nil {
		return errors.New("README.md has no block of Go, or no go mod edit command")
	}
	module := filepath.Join(r.folder, "shop")
	if err := os.Mkdir(module, 0o755); err != nil {
		return err
	}
	test := strings.Replace(testFile, "EXAMPLE", example[1], 1)
	if err := os.WriteFile(filepath.Join(module, "release_test.go"), []byte(test), 0o644); err != nil {
		return err
	}
	setUp := "go mod init example.com/shop\n" + require[1] + "\ngo mod tidy"
	if out, code, err := r.shell(module, setUp); err != nil || code != 0 {
		return fmt.Errorf("exit code %d (%v) of\n%s\n%s", code, err, setUp, out)
	}
	out, _, err := r.shell(module, "go test -v .")
	if err != nil {
		return err
	}
	for _, want := range []string{"--- PASS: TestGoodRelease ", "--- FAIL: TestCrashedRelease ", "worst: shop-6fd8d747-x2x/app (5 crashes"} {
		if !strings.Contains(out, want) {
			return fmt.Errorf("the output of go test does not contain %q:\n%s", want, out)
		}
	}
	fmt.Println("the example works")
	return nil
}

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
