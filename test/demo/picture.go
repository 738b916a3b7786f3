package main

import (
	"bytes"
	"context"
	"errors"
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

// picture runs the release that crashes on a terminal, and writes what that shows to a file, as SVG.
func picture(ctx context.Context, binary, file string) error {
	shown, err := failingRun(ctx, binary)
	if err != nil {
		return err
	}
	lines, err := screen(shown)
	if err != nil {
		return err
	}
	return os.WriteFile(file, []byte(draw(lines)), 0o644)
}

// columns is the terminal's width: what can still be read where GitHub shows a README.
const columns = 110

// failingRun returns what the terminal was sent, with the commands that a person would have typed.
func failingRun(ctx context.Context, binary string) (string, error) {
	server, kubeconfig, err := cluster(binary)
	if err != nil {
		return "", err
	}
	defer server.Close()
	defer os.Remove(kubeconfig)
	scenario := failing()
	deploy(server, scenario)
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	command, err := process(limited, binary, append([]string{"KUBECONFIG=" + kubeconfig, "TERM=xterm", "TZ=UTC"}, scenario.settings...))
	if err != nil {
		return "", err
	}
	var stdout bytes.Buffer
	command.Stdout = &stdout
	log, err := onTerminal(command)
	if err != nil {
		return "", err
	}
	got := result{scenario: scenario, exitCode: command.ProcessState.ExitCode(), verdict: verdict(stdout.Bytes())}
	if !got.asExpected() {
		return "", fmt.Errorf("it ended with exit code %d and the verdict %s", got.exitCode, got.verdict)
	}
	return fmt.Sprintf("$ %s crashcheck >verdict.json\r\n%s$ echo $?\r\n%d\r\n", strings.Join(scenario.settings, " "), log, got.exitCode), nil
}

// onTerminal runs a command with a terminal as its standard error, and returns what that was sent.
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
	theirs.Close() // what is left of it is the process's
	if err != nil {
		return "", err
	}
	var sent bytes.Buffer
	_, _ = io.Copy(&sent, ours) // it ends with an error when the process has ended
	if ended := (*exec.ExitError)(nil); !errors.As(command.Wait(), &ended) {
		return "", errors.New("it did not fail")
	}
	return sent.String(), nil
}

// eraseLine is what the program sends before it draws its progress line anew.
const eraseLine = "\r\x1b[2K"

// A cell is a place on the terminal.
type cell struct {
	char rune
	look
}

type look struct {
	color string // empty: the terminal's own
	faint bool
}

// screen is what the terminal shows in the end, in lines that fit.
func screen(sent string) ([][]cell, error) {
	var lines [][]cell
	for line := range strings.SplitSeq(strings.TrimSuffix(sent, "\r\n"), "\r\n") {
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

// wrap breaks a line between words, where a terminal would break it anywhere, and indents what follows.
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

// palette is the terminal's: its colors 0 to 15, on a dark background.
var palette = [...]string{
	"#484f58", "#ff7b72", "#3fb950", "#d29922", "#58a6ff", "#bc8cff", "#39c5cf", "#b1bac4",
	"#6e7681", "#ffa198", "#56d364", "#e3b341", "#79c0ff", "#d2a8ff", "#56d4dd", "#ffffff",
}

// The picture's measures, in pixels. Each span has its place by the column, so that a font that is a little wider or
// narrower than this keeps the lines in their columns.
const (
	charWidth  = 7.8
	lineHeight = 19
	margin     = 16
)

// draw makes the picture. It names fonts that systems have, and contains none.
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
