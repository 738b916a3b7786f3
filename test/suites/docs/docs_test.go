package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/crashcheck/crashcheck/pkg/config"
	"github.com/crashcheck/crashcheck/pkg/report"
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

// pages are the documents of the repository.
func pages(t *testing.T) []string {
	t.Helper()
	var pages []string
	for _, pattern := range []string{"*.md", "docs/*.md", "test/*/README.md"} {
		matches, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range matches {
			pages = append(pages, strings.TrimPrefix(match, root+"/"))
		}
	}
	return pages
}

func TestTablesAreThoseOfTheCode(t *testing.T) {
	tables := 0
	for _, page := range pages(t) {
		text := read(t, page)
		want, err := withTables(text)
		if err != nil || text != want {
			t.Errorf("the tables in %s are not those of the code (%v): run make docs", page, err)
		}
		tables += strings.Count(text, "<!-- variables:begin -->") + strings.Count(text, "<!-- exit codes:begin -->")
	}
	if tables != 2 {
		t.Errorf("the pages have %d tables, want the variables and the exit codes once", tables)
	}
}

// The test does not measure, because that takes too long; the latest figures are in a file.
func TestREADMEShowsTheLatestBenchmarks(t *testing.T) {
	readme := read(t, "README.md")
	if want, err := withBlock(readme, "bench", read(t, "test/bench/SUMMARY.md")); err != nil || want != readme {
		t.Errorf("README.md does not show test/bench/SUMMARY.md (%v): run make docs", err)
	}
}

func TestTablesHaveARowForEachDefinition(t *testing.T) {
	for _, test := range []struct {
		name, table   string
		rows, columns int
		row           string
	}{
		{"variables", variables(), len(config.Variables), 3, "| `CRASH_LIMIT` | "},
		{"exit codes", exitCodes(), len(report.ExitCodes), 4, "| 4 | `not_ready` | "},
	} {
		lines := strings.Split(strings.TrimSuffix(test.table, "\n"), "\n")
		if len(lines) != 2+test.rows || !strings.Contains(test.table, "\n"+test.row) {
			t.Errorf("%s: want a heading, %d rows, and one that begins with %s:\n%s", test.name, test.rows, test.row, test.table)
		}
		for _, line := range lines {
			if got := strings.Count(line, "|") - strings.Count(line, `\|`) - 1; got != test.columns {
				t.Errorf("%s: %d columns, want %d: %s", test.name, got, test.columns, line)
			}
		}
	}
	if got, want := cell("a|b <c>\nd*"), `a\|b &lt;c&gt; d\*`; got != want {
		t.Errorf("a cell is %s, want %s", got, want)
	}
}

func TestUpdate(t *testing.T) {
	const demo, page = "text\n\nRUN   EXPECTED  \na     1\n", "before\n<!-- demo:begin -->\nOLD\n<!-- demo:end -->\nbetween\n<!-- variables:begin -->\n<!-- variables:end -->\nafter\n"
	for _, test := range []struct{ claim, page, want, wantError string }{
		{"the text between the comments is replaced", page,
			"before\n<!-- demo:begin -->\n```console\nRUN   EXPECTED\na     1\n```\n<!-- demo:end -->\nbetween\n<!-- variables:begin -->\n" + variables() + "<!-- variables:end -->\nafter\n", ""},
		{"a missing end is an error, and the page stays", "<!-- demo:begin -->\n", "<!-- demo:begin -->\n",
			`there is no "<!-- demo:begin -->" with "<!-- demo:end -->" after it, each on a line of its own`},
		{"an end before its begin does not count", "<!-- demo:end -->\n<!-- demo:begin -->\n", "<!-- demo:end -->\n<!-- demo:begin -->\n",
			`there is no "<!-- demo:begin -->" with "<!-- demo:end -->" after it, each on a line of its own`},
	} {
		t.Run(test.claim, func(t *testing.T) {
			path, demoFile := filepath.Join(t.TempDir(), "README.md"), filepath.Join(t.TempDir(), "demo.txt")
			for file, text := range map[string]string{path: test.page, demoFile: demo} {
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 { // the second time changes nothing
				got := ""
				if err := update(path, "demo="+demoFile); err != nil {
					got = err.Error()
				}
				text, err := os.ReadFile(path)
				if err != nil || got != test.wantError || string(text) != test.want {
					t.Errorf("error %q, want %q; %v; the page is:\n%s\nwant:\n%s", got, test.wantError, err, text, test.want)
				}
			}
		})
	}
}

// Links to other sites are not followed: the tests need no network.
func TestLinksLeadToFiles(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	followed := 0
	for _, page := range pages(t) {
		for _, match := range link.FindAllStringSubmatch(read(t, page), -1) {
			target, _, _ := strings.Cut(match[1], "#")
			if target == "" || strings.Contains(target, "://") {
				continue
			}
			followed++
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(page), target)); err != nil {
				t.Errorf("%s: the link to %s leads to no file", page, match[1])
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
