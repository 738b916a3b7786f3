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
	soakSeed     = flag.Uint64("seed", 0, "seed of the soak's faults (0: a new one)")
)

// rowsAtOnce is the number of rows that run in parallel: most of them wait most of the time.
const rowsAtOnce = "16"

// binary is the crashcheck under test.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		_ = flag.Set("test.parallel", rowsAtOnce) // it is a flag of package testing
	}
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
