package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../../.."

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The blocks from files in bin are not compared here: make readme runs the demo, and make docs the faults.
func TestThePagesShowTheTablesOfTheCodeAndTheLatestBenchmarks(t *testing.T) {
	for _, b := range blocks {
		if strings.HasPrefix(b.source, "bin/") {
			continue
		}
		if page, updated, err := b.apply(root); err != nil || page != updated {
			t.Errorf("%s in %s is out of date (%v): run make docs", b.name, b.page, err)
		}
	}
}

// Links to other sites are not followed: the tests need no network.
func TestLinksLeadToFiles(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	followed := 0
	for _, pattern := range []string{"*.md", "docs/*.md", "test/*/README.md"} {
		pages, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, page := range pages {
			for _, match := range link.FindAllStringSubmatch(read(t, strings.TrimPrefix(page, root)), -1) {
				target, _, _ := strings.Cut(match[1], "#")
				if target == "" || strings.Contains(target, "://") {
					continue
				}
				followed++
				if _, err := os.Stat(filepath.Join(filepath.Dir(page), target)); err != nil {
					t.Errorf("%s: the link to %s leads to no file", page, match[1])
				}
			}
		}
	}
	if followed < 20 {
		t.Errorf("only %d links were found", followed)
	}
}

// GitHub runs the steps of .ci/run side by side. This keeps both lists the same.
func TestTheWorkflowRunsTheStepsOfCI(t *testing.T) {
	targets := func(file, pattern string) []string {
		var names []string
		for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(read(t, file), -1) {
			names = append(names, match[1])
		}
		return slices.Sorted(slices.Values(names))
	}
	script := targets(".ci/run", `(?m)^step make (\S+)$`)
	workflow := targets(".github/workflows/ci.yml", `(?m)^ +- run: make (\S+)$`)
	if len(script) == 0 || !slices.Equal(script, workflow) {
		t.Errorf(".ci/run makes %v, the workflow %v", script, workflow)
	}
}
