package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/crashcheck/crashcheck/pkg/config"
	"github.com/crashcheck/crashcheck/pkg/report"
)

// Where there is no README yet, there is nothing that could have drifted.
func TestREADMESaysWhatTheCodeSays(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	want, err := withTables(string(text))
	if err != nil {
		t.Fatalf("README.md: %v", err)
	}
	if string(text) != want {
		t.Error("the tables in README.md are not those of the code: run go run ./test/docs README.md")
	}
}

// The benchmarks take too long to be run anew; what was measured last is in a file.
func TestREADMEShowsTheBenchmarks(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), "<!-- bench:begin -->") {
		return
	}
	measured, err := os.ReadFile("../bench/SUMMARY.md")
	if err != nil {
		t.Fatal(err)
	}
	if want, err := withBlock(string(readme), "bench", string(measured)); err != nil || want != string(readme) {
		t.Errorf("README.md does not show what is in test/bench/SUMMARY.md (%v): run make docs", err)
	}
}

func TestSummaryIsTheEndOfTheDemo(t *testing.T) {
	got := summary("crashcheck runs\n\n2. a release\nexit code 1\n\nRUN   EXPECTED  \na     1\n")
	if want := "```console\nRUN   EXPECTED\na     1\n```\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTablesHaveARowForEachDefinition(t *testing.T) {
	for _, test := range []struct {
		name, table string
		rows        int
		columns     int
	}{
		{"variables", variables(), len(config.Variables), 3},
		{"exit codes", exitCodes(), len(report.ExitCodes), 4},
	} {
		lines := strings.Split(strings.TrimSuffix(test.table, "\n"), "\n")
		if len(lines) != 2+test.rows {
			t.Errorf("%s: %d lines, want a heading and %d rows:\n%s", test.name, len(lines), test.rows, test.table)
		}
		for _, line := range lines {
			if got := strings.Count(line, "|") - strings.Count(line, `\|`) - 1; got != test.columns {
				t.Errorf("%s: %d columns, want %d: %s", test.name, got, test.columns, line)
			}
		}
	}
	if want := "| `CRASH_LIMIT` | the gate fails "; !strings.Contains(variables(), want) {
		t.Errorf("no row begins with %s:\n%s", want, variables())
	}
	if want := "| 4 | `not_ready` | REQUIRE_READY is on, "; !strings.Contains(exitCodes(), want) {
		t.Errorf("no row begins with %s:\n%s", want, exitCodes())
	}
}

func TestUpdate(t *testing.T) {
	const template = "before\n<!-- exit codes:begin -->\nOLD\n<!-- exit codes:end -->\nbetween\n<!-- variables:begin -->\n<!-- variables:end -->\nafter\n"
	for _, test := range []struct{ claim, text, want, wantError string }{
		{"what is between the comments is replaced, in any order", template,
			"before\n<!-- exit codes:begin -->\n" + exitCodes() + "<!-- exit codes:end -->\nbetween\n<!-- variables:begin -->\n" + variables() + "<!-- variables:end -->\nafter\n", ""},
		{"a missing end is an error, and the file stays", strings.Replace(template, "<!-- variables:end -->\n", "", 1), "",
			`there is no "<!-- variables:begin -->" with "<!-- variables:end -->" after it, each on a line of its own`},
		{"an end before its begin is no end", "<!-- variables:end -->\n<!-- variables:begin -->\n", "",
			`there is no "<!-- variables:begin -->" with "<!-- variables:end -->" after it, each on a line of its own`},
		{"a missing table is an error", "text\n<!-- variables:begin -->\n<!-- variables:end -->\n", "",
			`there is no "<!-- exit codes:begin -->" with "<!-- exit codes:end -->" after it, each on a line of its own`},
	} {
		t.Run(test.claim, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "README.md")
			if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second time changes nothing
				got := ""
				if err := update(path); err != nil {
					got = err.Error()
				}
				if want := test.wantError; got != want && got != path+": "+want {
					t.Errorf("error %q, want %q", got, want)
				}
				text, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				want := test.want
				if test.wantError != "" {
					want = test.text
				}
				if string(text) != want {
					t.Errorf("got:\n%s\nwant:\n%s", text, want)
				}
			}
		})
	}
}

func TestCellsStayCells(t *testing.T) {
	if got, want := cell("a|b <c>\nd*"), `a\|b &lt;c&gt; d\*`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
