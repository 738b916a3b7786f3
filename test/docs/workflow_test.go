package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// GitHub runs the parts of .ci/run side by side. A step that only one of the two has is one that nobody meant to leave out.
func TestTheWorkflowRunsWhatCIRuns(t *testing.T) {
	script := targets(t, ".ci/run", `(?m)^step make (\S+)$`)
	workflow := targets(t, ".github/workflows/ci.yml", `(?m)^ +- run: make (\S+)$`)
	if len(script) == 0 || !slices.Equal(script, workflow) {
		t.Errorf(".ci/run makes %v, the workflow %v", script, workflow)
	}
}

// targets are those of make that a file names, sorted.
func targets(t *testing.T, file, pattern string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, match := range regexp.MustCompile(pattern).FindAllSubmatch(text, -1) {
		names = append(names, string(match[1]))
	}
	slices.Sort(names)
	return names
}
