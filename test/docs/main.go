// Docs writes the parts of README.md that have their source elsewhere: the tables of the variables and of the exit
// codes, from the code, and what other commands have printed to files.
//
//	go run ./test/docs README.md demo=bin/demo.txt faults=bin/faults.md bench=test/bench/SUMMARY.md
//
// Each table stands between two comments, such as <!-- variables:begin --> and <!-- variables:end -->; what is between
// them is replaced. A test fails where the README and the code have drifted apart.
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
		fmt.Fprintln(os.Stderr, "usage: go run ./test/docs README.md [BLOCK=FILE]...")
		os.Exit(2)
	}
	if err := update(os.Args[1], os.Args[2:]...); err != nil {
		fmt.Fprintln(os.Stderr, "docs:", err)
		os.Exit(1)
	}
}

// update brings the tables of a file up to date, and the blocks whose content is in other files.
func update(path string, blocks ...string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	updated, err := withTables(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, block := range blocks {
		name, file, _ := strings.Cut(block, "=")
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if name == "demo" {
			content = []byte(summary(string(content)))
		}
		if updated, err = withBlock(updated, name, string(content)); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	if updated == string(text) {
		return nil
	}
	return os.WriteFile(path, []byte(updated), 0o644)
}

// withTables returns the text with each table as it is by the code.
func withTables(text string) (string, error) {
	text, err := withBlock(text, "variables", variables())
	if err != nil {
		return "", err
	}
	return withBlock(text, "exit codes", exitCodes())
}

// withBlock returns the text with this between the comments that begin and end the block.
func withBlock(text, name, content string) (string, error) {
	begin, end := "<!-- "+name+":begin -->\n", "<!-- "+name+":end -->\n"
	before, rest, begins := strings.Cut(text, begin)
	_, after, ends := strings.Cut(rest, end)
	if !begins || !ends {
		return "", fmt.Errorf("there is no %q with %q after it, each on a line of its own", strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	return before + begin + content + end + after, nil
}

// summary returns the end of the demo's output, which says how each run was expected to end and how it did, as a block
// of code.
func summary(output string) string {
	table := output[strings.LastIndex(output, "\nRUN ")+1:]
	var b strings.Builder
	for line := range strings.Lines(table) {
		b.WriteString(strings.TrimSpace(line) + "\n")
	}
	return "```console\n" + b.String() + "```\n"
}

// variables is the table of all environment variables.
func variables() string {
	var b strings.Builder
	b.WriteString("| variable | meaning | default |\n|---|---|---|\n")
	for _, v := range config.Variables {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", v.Name, cell(v.Meaning), cell(v.Default))
	}
	return b.String()
}

// exitCodes is the table of all exit codes.
func exitCodes() string {
	var b strings.Builder
	b.WriteString("| exit code | verdict | when | what to do |\n|---|---|---|---|\n")
	for _, e := range report.ExitCodes {
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s |\n", e.Code, e.Verdict, cell(e.Meaning), cell(e.Remedy))
	}
	return b.String()
}

// cell keeps a text from ending its cell, or from being taken for markup.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", ">", "&gt;", "*", `\*`, "\n", " ").Replace(text)
}
