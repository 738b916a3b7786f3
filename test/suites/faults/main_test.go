package faults

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

var (
	printTable   = flag.Bool("table", false, "print the table of faults, in Markdown")
	printSummary = flag.Bool("summary", false, "print a row for each section of that table, in Markdown")
	soakFor      = flag.Duration("soak", 3*time.Second, "the time for which the soak starts new runs")
)

// binary is the crashcheck under test.
var binary string

func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "16") // a flag of package testing: most rows wait most of the time
	flag.Parse()                        // a value on the command line takes precedence
	os.Exit(withBinary(m.Run))
}

// withBinary builds crashcheck, once for all rows.
func withBinary(run func() int) int {
	dir, err := os.MkdirTemp("", "crashcheck-faults-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "crashcheck")
	build := exec.Command("go", "build", "-C", "../../..", "-o", binary, "./cmd/crashcheck")
	if output, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build crashcheck: %v\n%s", err, output)
		return 1
	}
	return run()
}
