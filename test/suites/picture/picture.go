// Picture shows what crashcheck prints on a terminal: it makes run 2 of the demo, a release that crashes again and again,
// and writes the final state of the terminal to a file, as SVG, for the README.
//
//	go run ./picture -demo DEMO -crashcheck CRASHCHECK FILE
//
// DEMO is the built program of test/demo, CRASHCHECK that of cmd/crashcheck.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"html"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/creack/pty"
	ansi "github.com/leaanthony/go-ansi-parser"
)

func main() {
	demo := flag.String("demo", "bin/demo", "the built demo")
	crashcheck := flag.String("crashcheck", "bin/crashcheck", "the binary that the demo runs")
	flag.Parse()
	lines, err := failingRun(*demo, *crashcheck)
	if err == nil {
		err = os.WriteFile(flag.Arg(0), []byte(draw(lines)), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
}

// columns is the terminal's width: GitHub shows that much of a README in a readable size.
const columns = 110

// failingRun returns the terminal's lines at the end of the run, with the commands that a person would have typed.
func failingRun(demo, crashcheck string) ([][]cell, error) {
	command := exec.Command(demo, "-crashcheck", crashcheck, "-only", "2")
	command.Env = append(os.Environ(), "TERM=xterm", "TZ=UTC")
	log, err := onTerminal(command)
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		return nil, fmt.Errorf("the run did not end with exit code 1, but: %v\n%s", err, log)
	}
	return screen(strings.Replace(log, "\r\n", " >verdict.json\r\n", 1) + "$ echo $?\r\n1\r\n") // standard output is not shown
}

// onTerminal runs a command with a terminal as its standard error, and returns what it wrote there.
func onTerminal(command *exec.Cmd) (string, error) {
	ours, theirs, err := pty.Open()
	if err != nil {
		return "", err
	}
	defer ours.Close()
	if err := pty.Setsize(theirs, &pty.Winsize{Cols: columns, Rows: 40}); err != nil {
		return "", err
	}
	command.Stderr = theirs
	err = command.Start()
	theirs.Close() // the process holds the only other end
	if err != nil {
		return "", err
	}
	var written bytes.Buffer
	_, _ = io.Copy(&written, ours) // reading fails when the process has ended
	return written.String(), command.Wait()
}

// eraseLine is the sequence that the program writes before it redraws its progress line.
const eraseLine = "\r\x1b[2K"

// A cell is one character of the terminal.
type cell struct {
	char rune
	look
}

type look struct {
	color string // empty: the terminal's own
	faint bool
}

// screen is the final state of a terminal, in lines that fit.
func screen(written string) ([][]cell, error) {
	var lines [][]cell
	for line := range strings.SplitSeq(strings.TrimSuffix(written, "\r\n"), "\r\n") {
		if i := strings.LastIndex(line, eraseLine); i >= 0 {
			line = line[i+len(eraseLine):]
		}
		texts, err := ansi.Parse(line)
		if err != nil {
			return nil, fmt.Errorf("reading %q: %w", line, err)
		}
		var cells []cell
		for _, text := range texts {
			look := look{faint: text.Faint()}
			if text.FgCol != nil {
				look.color = palette[text.FgCol.Id%len(palette)]
			}
			for _, char := range text.Label {
				cells = append(cells, cell{char, look})
			}
		}
		lines = append(lines, wrap(cells)...)
	}
	return lines, nil
}

// wrap breaks a line between words, where a terminal would break it anywhere, and indents the rest.
func wrap(line []cell) [][]cell {
	indent := slices.Repeat([]cell{{char: ' '}}, 4)
	var lines [][]cell
	for len(line) > columns {
		end, next := columns, columns
		for i := columns; i > len(indent); i-- {
			if line[i].char == ' ' {
				end, next = i, i+1
				break
			}
		}
		lines = append(lines, line[:end])
		line = slices.Concat(indent, line[next:])
	}
	return append(lines, line)
}

// palette holds the terminal's colors 0 to 15, for a dark background.
var palette = [...]string{
	"#484f58", "#ff7b72", "#3fb950", "#d29922", "#58a6ff", "#bc8cff", "#39c5cf", "#b1bac4",
	"#6e7681", "#ffa198", "#56d364", "#e3b341", "#79c0ff", "#d2a8ff", "#56d4dd", "#ffffff",
}

// The picture's measures, in pixels. Each span is placed by its column, so that a font that is a little wider or narrower
// than this keeps the columns.
const (
	charWidth  = 7.8
	lineHeight = 19
	margin     = 16
)

// draw makes the picture. It names common fonts and embeds none.
func draw(lines [][]cell) string {
	var b strings.Builder
	width, height := columns*charWidth+2*margin, len(lines)*lineHeight+2*margin
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %d" width="%.0f" role="img" aria-labelledby="title">
<title id="title">A failing run of crashcheck on a terminal</title>
<style>text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", "DejaVu Sans Mono", monospace; fill: #e6edf3; white-space: pre }</style>
<rect width="100%%" height="100%%" rx="8" fill="#0d1117"/>
`, width, height, width)
	for i, line := range lines {
		fmt.Fprintf(&b, `<text y="%d" xml:space="preserve">`, margin+i*lineHeight+lineHeight*3/4)
		for start := 0; start < len(line); {
			end := start
			var text strings.Builder
			for ; end < len(line) && line[end].look == line[start].look; end++ {
				text.WriteRune(line[end].char)
			}
			fmt.Fprintf(&b, `<tspan x="%.1f"%s>%s</tspan>`, margin+float64(start)*charWidth, line[start].look, html.EscapeString(text.String()))
			start = end
		}
		b.WriteString("</text>\n")
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// String returns the look as attributes of SVG.
func (l look) String() string {
	attributes := ""
	if l.color != "" {
		attributes += fmt.Sprintf(` fill="%s"`, l.color)
	}
	if l.faint {
		attributes += ` fill-opacity="0.6"`
	}
	return attributes
}
