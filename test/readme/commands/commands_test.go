package commands

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestEveryCommandOfTheREADMEIsRun(t *testing.T) {
	const root = "../../.."
	blocks, err := Read(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	run := slices.Sorted(slices.Values(slices.Concat(WithoutCluster, NeedACluster)))
	if shown := slices.Sorted(maps.Keys(blocks)); !slices.Equal(shown, run) {
		t.Errorf("README.md shows commands under\n%q\nand those are run of\n%q\nkeep WithoutCluster, NeedACluster and README.md in step", shown, run)
	}

	files, err := filepath.Glob(filepath.Join(root, "test/e2e/*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no end-to-end tests: %v", err)
	}
	endToEnd := ""
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		endToEnd += string(text)
	}
	for _, name := range NeedACluster {
		if !strings.Contains(endToEnd, fmt.Sprintf("%q", name)) {
			t.Errorf("no test in test/e2e runs the commands under %q", name)
		}
	}
}
