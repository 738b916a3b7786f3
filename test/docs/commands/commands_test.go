package commands

import (
	"maps"
	"testing"
)

func TestBlocks(t *testing.T) {
	const fence = "```"
	got := blocks("# Page\n\n## One\ntext\n" + fence + "sh\nls\n# a comment\n" + fence + "\n" + fence + "yaml\na: b\n" + fence + "\n" +
		fence + "sh\npwd\n" + fence + "\n### Two\n- item\n  " + fence + "sh\n  date\n  " + fence + "\n")
	want := map[string]string{"One": "ls\n# a comment\n", "One 2": "pwd\n", "Two": "  date\n"}
	if !maps.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
