package main

import (
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A picture of an older format would not show what users see.
func TestThePictureInTheREADMEIsOfThisProgram(t *testing.T) {
	const root, file = "../../..", "../../demo/failing-run.svg"
	folder := t.TempDir()
	demo, crashcheck := filepath.Join(folder, "demo"), filepath.Join(folder, "crashcheck")
	for binary, args := range map[string][]string{demo: {"./test/demo"}, crashcheck: {"-ldflags", "-X main.version=v0.1.0", "./cmd/crashcheck"}} {
		build := exec.Command("go", append([]string{"build", "-C", root, "-o", binary}, args...)...)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	lines, err := failingRun(demo, crashcheck)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := timeless(text(t, string(got))), timeless(text(t, draw(lines))); got != want {
		t.Errorf("%s shows\n%s\nand crashcheck now prints\n%s\nrun make docs", file, got, want)
	}
}

// text returns the text of a picture.
func text(t *testing.T, svg string) string {
	t.Helper()
	var picture struct {
		Lines []struct {
			Spans []string `xml:"tspan"`
		} `xml:"text"`
	}
	if err := xml.Unmarshal([]byte(svg), &picture); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, line := range picture.Lines {
		lines = append(lines, strings.Join(line.Spans, ""))
	}
	return strings.Join(lines, "\n")
}

// timeless replaces everything that differs between two runs of one program: dates, times, and the line breaks that depend
// on them.
func timeless(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	for _, r := range []struct{ pattern, name string }{
		{`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`, "DATE"},
		{`\d\d:\d\d:\d\d`, "TIME"},
		{`\b\d+(\.\d+)?s\b`, "SECONDS"},
		{`[.?+\d]*\.\.[.?+\d]*`, "TIMELINE"},
	} {
		text = regexp.MustCompile(r.pattern).ReplaceAllString(text, r.name)
	}
	return text
}

func TestOnlyTimesAreReplacedBeforeTheComparison(t *testing.T) {
	for text, want := range map[string]string{
		"2026-11-22T19:56:46Z INF until 19:57:16, 1s":  "DATE INF until TIME, SECONDS",
		"timeline, 1s a character: ..2.2 (crashes)":    "timeline, SECONDS a character: TIMELINE (crashes)",
		"crash 1/4: web-1/app ended with exit code 1.": "crash 1/4: web-1/app ended with exit code 1.",
		"5 checks in 4.2s,\n    2 pods seen":           "5 checks in SECONDS, 2 pods seen",
	} {
		if got := timeless(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestScreen(t *testing.T) {
	long := strings.Repeat("word ", columns/5)
	for _, test := range []struct{ claim, written, want string }{
		{"a line is a line", "a\r\nb\r\n", "a\nb"},
		{"erased text is not shown", "\r\x1b[2K10% [=>  ]\r\x1b[2Kcrash\r\n\r\x1b[2K20%\r\x1b[2Kend\r\n", "crash\nend"},
		{"a long line continues below, indented", long + "last\r\n", strings.TrimSuffix(long, " ") + "\n    last"},
		{"a line that fits is not wrapped", strings.TrimSuffix(long, " ") + "\r\n", strings.TrimSuffix(long, " ")},
		{"a word that is too long is broken", strings.Repeat("x", columns+1) + "\r\n", strings.Repeat("x", columns) + "\n    x"},
		{"text is not markup", "\x1b[91m<&>\x1b[0m\r\n", "<&>"},
	} {
		t.Run(test.claim, func(t *testing.T) {
			lines, err := screen(test.written)
			if err != nil {
				t.Fatal(err)
			}
			if got := text(t, draw(lines)); got != test.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, test.want)
			}
		})
	}
}

func TestColorsOfATerminalAreKept(t *testing.T) {
	lines, err := screen("\x1b[2m12:00\x1b[0m \x1b[91mERR\x1b[0m it\r\n")
	if err != nil {
		t.Fatal(err)
	}
	const want = `<tspan x="16.0" fill-opacity="0.6">12:00</tspan><tspan x="55.0"> </tspan><tspan x="62.8" fill="#ffa198">ERR</tspan><tspan x="86.2"> it</tspan>`
	if got := draw(lines); !strings.Contains(got, want) {
		t.Errorf("got:\n%s\nwant in it:\n%s", got, want)
	}
}
