// Demo shows crashcheck at work without a cluster: it runs the real binary four times against a simulated API server
// and checks the exit code and the verdict of each run.
//
//	go run ./test/demo -crashcheck bin/crashcheck
//
// It exits with 0 if all four were as expected, otherwise with 1.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/crashcheck/crashcheck/test/simcluster"
)

// speed lets ten simulated seconds pass in one, so that a crash loop's back-off fits into a short window.
const speed = 10

func main() {
	binary := flag.String("crashcheck", "bin/crashcheck", "the binary to run; its directory holds the kubeconfig meanwhile")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := demo(ctx, os.Stdout, *binary)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// demo runs all scenarios and returns an error if one of them did not end as expected.
func demo(ctx context.Context, out io.Writer, binary string) error {
	server := simcluster.Start(simcluster.WithTLS(), simcluster.WithToken("demo"), simcluster.WithSpeed(speed))
	defer server.Close()
	kubeconfig := filepath.Join(filepath.Dir(binary), "demo.kubeconfig")
	if err := server.WriteKubeconfig(kubeconfig, namespace); err != nil {
		return err
	}
	defer os.Remove(kubeconfig)

	fmt.Fprintf(out, "crashcheck runs against a simulated cluster, whose time goes %d times as fast.\n"+
		"Lines marked stderr are its log, the one marked stdout is its standard output.\n", speed)
	var results []result
	for i, scenario := range scenarios() {
		heading := fmt.Sprintf("%d. %s", i+1, scenario.title)
		fmt.Fprintf(out, "\n%s\n%s\n", heading, strings.Repeat("-", len(heading)))
		result, err := run(ctx, out, server, scenario, binary, kubeconfig)
		if err != nil {
			return fmt.Errorf("run %d, %s: %w", i+1, scenario.title, err)
		}
		results = append(results, result)
	}
	return summarize(out, results)
}

// summarize prints what was expected and what came.
func summarize(out io.Writer, results []result) error {
	fmt.Fprintln(out)
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "RUN\tEXPECTED\tGOT\t")
	unexpected := 0
	for _, r := range results {
		remark := "ok"
		if !r.asExpected() {
			remark = "NOT AS EXPECTED"
			unexpected++
		}
		fmt.Fprintf(table, "%s\t%d %s\t%d %s\t%s\n", r.scenario.title, r.scenario.exitCode, r.scenario.verdict, r.exitCode, r.verdict, remark)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if unexpected > 0 {
		return errors.New("not every run ended as expected")
	}
	return nil
}
