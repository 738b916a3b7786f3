// Package commands finds the commands that a page of documentation shows, so that tests can run them literally.
//
// A block is the text between a line "```sh" and a line "```". Its name is the heading above it; a second block under one
// heading is "heading 2", a third one "heading 3".
package commands

import (
	"fmt"
	"os"
	"strings"
)

// WithoutCluster are the blocks of README.md that need no cluster, in reading order. test/readme runs them.
var WithoutCluster = []string{"Try it", "On a laptop, or in a pipeline"}

// NeedACluster are the blocks of README.md that need a cluster. test/e2e runs them, each by its name.
var NeedACluster = []string{
	"On a laptop, or in a pipeline 2",
	"As a Job",
	"With Argo Rollouts",
	"Exit codes",
}

// Read returns the blocks of a Markdown file by name.
func Read(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the commands: %w", err)
	}
	return blocks(string(text)), nil
}

func blocks(markdown string) map[string]string {
	blocks := map[string]string{}
	heading, number, open := "", 0, false
	var block, fence string
	for line := range strings.Lines(markdown) {
		text := strings.TrimSpace(line)
		switch {
		case open && text == "```":
			if fence == "sh" {
				number++
				name := heading
				if number > 1 {
					name = fmt.Sprintf("%s %d", heading, number)
				}
				blocks[name] = block
			}
			open = false
		case open:
			block += line
		case strings.HasPrefix(text, "```"):
			open, fence, block = true, strings.TrimPrefix(text, "```"), ""
		case strings.HasPrefix(line, "#"):
			heading, number = strings.TrimSpace(strings.TrimLeft(text, "#")), 0
		}
	}
	return blocks
}
