package main

import (
	"strings"
	"testing"
)

func TestVerdict(t *testing.T) {
	for _, test := range []struct{ claim, stdout, want string }{
		{"the verdict is that of the JSON line", `{"Crashes":0,"verdict":"pass"}` + "\n", "pass"},
		{"no output is not a verdict", "", "(no output)"},
		{"a second line is one too many", `{"Crashes":0,"verdict":"pass"}` + "\nbye\n", "(not one line)"},
		{"a line ends with a newline", `{"Crashes":0,"verdict":"pass"}`, "(not one line)"},
		{"a line without Crashes is not crashcheck's", `{"verdict":"pass"}` + "\n", "(no JSON with Crashes and verdict)"},
		{"text is not JSON", "pass\n", "(no JSON with Crashes and verdict)"},
	} {
		t.Run(test.claim, func(t *testing.T) {
			if got := verdict([]byte(test.stdout)); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestEveryLineIsLabelled(t *testing.T) {
	var out strings.Builder
	stream := &labelled{out: &out, label: "a"}
	for _, text := range []string{"be", "gin\n2\nre", "st"} {
		stream.Write([]byte(text))
	}
	stream.flush()
	if want := "a | begin\na | 2\na | rest\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestSummaryMarksUnexpectedResults(t *testing.T) {
	good := scenario{title: "a good release", verdict: "pass", exitCode: 0}
	for _, test := range []struct {
		claim  string
		result result
		want   string // empty: no error
	}{
		{"as expected", result{good, 0, "pass"}, ""},
		{"another exit code", result{good, 1, "pass"}, "not every run ended as expected"},
		{"another verdict", result{good, 0, "fail"}, "not every run ended as expected"},
	} {
		t.Run(test.claim, func(t *testing.T) {
			var out strings.Builder
			got := ""
			if err := summarize(&out, []result{test.result}); err != nil {
				got = err.Error()
			}
			if got != test.want || strings.Contains(out.String(), "NOT AS EXPECTED") != (test.want != "") {
				t.Errorf("error %q, want %q, table:\n%s", got, test.want, &out)
			}
		})
	}
}
