// Docs writes the parts of the documentation that are generated: the tables of the variables and of the exit codes from
// the code, and other blocks from files that other commands have printed.
//
//	go run ./docs
//
// Each block is between two comments, such as <!-- variables:begin --> and <!-- variables:end -->; the text between
// them is replaced. A test fails when a page is out of date.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/crashcheck/crashcheck/pkg/config"
	"github.com/crashcheck/crashcheck/pkg/report"
)

// A block is a generated part of a page.
type block struct {
	page, name string
	source     string // a file that content gets; empty: none
	content    func(source string) string
}

var blocks = []block{
	{"README.md", "failing run", "bin/demo.txt", failingRun},
	{"README.md", "demo", "bin/demo.txt", summary},
	{"README.md", "variables", "", variables},
	{"README.md", "exit codes", "", exitCodes},
	{"README.md", "bench", "test/bench/SUMMARY.md", unchanged},
	{"docs/reliability.md", "faults", "bin/faults.md", unchanged},
}

func main() {
	for _, b := range blocks {
		if err := b.update("../.."); err != nil {
			fmt.Fprintln(os.Stderr, "docs:", err)
			os.Exit(1)
		}
	}
}

func (b block) update(root string) error {
	_, updated, err := b.apply(root)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(root, b.page), []byte(updated), 0o644)
}

// apply returns the page as it is, and with the current content between the comments that begin and end the block.
func (b block) apply(root string) (page, updated string, err error) {
	text, err := os.ReadFile(filepath.Join(root, b.page))
	if err != nil {
		return "", "", err
	}
	var source []byte
	if b.source != "" {
		if source, err = os.ReadFile(filepath.Join(root, b.source)); err != nil {
			return "", "", err
		}
	}
	page = string(text)
	begin, end := "<!-- "+b.name+":begin -->\n", "<!-- "+b.name+":end -->\n"
	before, rest, begins := strings.Cut(page, begin)
	_, after, ends := strings.Cut(rest, end)
	if !begins || !ends {
		return "", "", fmt.Errorf("%s has no %s with %s after it", b.page, strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	return page, before + begin + b.content(string(source)) + end + after, nil
}

func unchanged(source string) string { return source }

// failingRun returns the log of the demo's second run, with times as a terminal shows them.
func failingRun(demo string) string {
	_, run, _ := strings.Cut(demo, "\n2. ")
	_, run, _ = strings.Cut(run, "\n$ ")
	log, _, _ := strings.Cut(run, "\n{")
	date := regexp.MustCompile(`(?m)^\d{4}-\d\d-\d\dT(\d\d:\d\d:\d\d)Z`)
	return "```console\n$ " + date.ReplaceAllString(log, "$1") + "\n```\n"
}

// summary returns the end of the demo's output, a table of expected and actual results.
func summary(demo string) string {
	_, table, _ := strings.Cut(demo, "\nRUN ")
	lines := regexp.MustCompile(` +\n`).ReplaceAllString("RUN "+table, "\n")
	return "```console\n" + lines + "```\n"
}

func variables(string) string {
	var b strings.Builder
	b.WriteString("| variable | meaning | default |\n|---|---|---|\n")
	for _, v := range config.Variables {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", v.Name, cell(v.Meaning), cell(v.Default))
	}
	return b.String()
}

func exitCodes(string) string {
	var b strings.Builder
	b.WriteString("| exit code | verdict | when | what to do |\n|---|---|---|---|\n")
	for _, e := range report.ExitCodes {
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s |\n", e.Code, e.Verdict, cell(e.Meaning), cell(e.Remedy))
	}
	return b.String()
}

// cell escapes characters that would end the cell of a table, or that Markdown would interpret.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", ">", "&gt;", "*", `\*`, "\n", " ").Replace(text)
}
