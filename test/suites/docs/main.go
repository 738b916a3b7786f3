// Docs writes the parts of a page that are generated: the tables of the variables and of the exit codes from the code,
// and other blocks from files that other commands have printed.
//
//	go run ./docs README.md demo=bin/demo.txt bench=test/bench/SUMMARY.md
//
// Each block is between two comments, such as <!-- variables:begin --> and <!-- variables:end -->; the text between
// them is replaced. The tables are written wherever a page has their comments. A test fails when a page is out of date.
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/crashcheck/crashcheck/pkg/config"
	"github.com/crashcheck/crashcheck/pkg/report"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./docs PAGE.md [BLOCK=FILE]...")
		os.Exit(2)
	}
	if err := update(os.Args[1], os.Args[2:]...); err != nil {
		fmt.Fprintln(os.Stderr, "docs:", err)
		os.Exit(1)
	}
}

// update writes the tables of a page, and the blocks whose content is in other files.
func update(path string, blocks ...string) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	updated, err := withTables(string(page))
	for _, block := range blocks {
		if err != nil {
			break
		}
		name, file, _ := strings.Cut(block, "=")
		content, readErr := os.ReadFile(file)
		if readErr != nil {
			return readErr
		}
		if name == "demo" {
			content = []byte(summary(string(content)))
		}
		updated, err = withBlock(updated, name, string(content))
	}
	if err != nil || updated == string(page) {
		return err
	}
	return os.WriteFile(path, []byte(updated), 0o644)
}

// withTables returns the page with the current content of each table that it has.
func withTables(page string) (string, error) {
	for name, table := range map[string]func() string{"variables": variables, "exit codes": exitCodes} {
		if !strings.Contains(page, "<!-- "+name+":") {
			continue
		}
		var err error
		if page, err = withBlock(page, name, table()); err != nil {
			return "", err
		}
	}
	return page, nil
}

// withBlock returns the page with this content between the comments that begin and end the block.
func withBlock(page, name, content string) (string, error) {
	begin, end := "<!-- "+name+":begin -->\n", "<!-- "+name+":end -->\n"
	before, rest, begins := strings.Cut(page, begin)
	_, after, ends := strings.Cut(rest, end)
	if !begins || !ends {
		return "", fmt.Errorf("there is no %q with %q after it, each on a line of its own", strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	return before + begin + content + end + after, nil
}

// summary returns the end of the demo's output, a table of expected and actual results, as a block of code.
func summary(output string) string {
	table := output[strings.LastIndex(output, "\nRUN ")+1:]
	var b strings.Builder
	for line := range strings.Lines(table) {
		b.WriteString(strings.TrimSpace(line) + "\n")
	}
	return "```console\n" + b.String() + "```\n"
}

func variables() string {
	var b strings.Builder
	b.WriteString("| variable | meaning | default |\n|---|---|---|\n")
	for _, v := range config.Variables {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", v.Name, cell(v.Meaning), cell(v.Default))
	}
	return b.String()
}

func exitCodes() string {
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
