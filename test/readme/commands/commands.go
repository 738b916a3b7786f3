// Package commands finds the commands that a page of documentation shows, so that tests can run them literally.
//
// A block is the text between a line "```sh" and a line "```". Its name is the heading above it; a second block under one
// heading is "heading 2", a third one "heading 3".
package commands

import (
	"fmt"
	"os"
	"regexp"
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

// headingOrBlock matches whole blocks, so that a comment in one of them is not a heading.
var headingOrBlock = regexp.MustCompile("(?ms)^#+ ([^\n]+)$|^```(\\w*)\n(.*?)^```$")

// Read returns the blocks of a Markdown file by name.
func Read(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the commands: %w", err)
	}
	blocks := map[string]string{}
	heading, number := "", 0
	for _, match := range headingOrBlock.FindAllStringSubmatch(string(text), -1) {
		switch title, language, block := match[1], match[2], match[3]; {
		case title != "":
			heading, number = title, 0
		case language == "sh":
			number++
			name := heading
			if number > 1 {
				name = fmt.Sprintf("%s %d", heading, number)
			}
			blocks[name] = block
		}
	}
	return blocks, nil
}
