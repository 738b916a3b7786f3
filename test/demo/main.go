// Demo shows crashcheck at work without a cluster: it runs the real binary four times against a simulated API server
// and checks the exit code and the verdict of each run.
//
//	go run ./test/demo -crashcheck bin/crashcheck
//
// It exits with 0 if all four were as expected, otherwise with 1. With -picture it runs only the release that crashes, on
// a terminal, and makes a picture of what that shows, for the README.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/crashcheck/crashcheck/test/simcluster"
)

func main() {
	binary := flag.String("crashcheck", "bin/crashcheck", "the binary to run; its directory holds the kubeconfig meanwhile")
	svg := flag.String("picture", "", "the file to write a picture of the failing run to, instead of the demo")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := func() error {
		if *svg != "" {
			return picture(ctx, *binary, *svg)
		}
		return demo(ctx, os.Stdout, *binary)
	}()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// demo runs all scenarios and returns an error if one of them did not end as expected.
func demo(ctx context.Context, out io.Writer, binary string) error {
	server, kubeconfig, err := cluster(binary)
	if err != nil {
		return err
	}
	defer server.Close()
	defer os.Remove(kubeconfig)

	fmt.Fprint(out, "crashcheck runs against a simulated cluster. Lines marked stderr are its log, the one marked stdout is its\n"+
		"standard output.\n")
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

// cluster starts the simulated API server, and writes a kubeconfig for it beside the binary. The cluster's time goes on
// by a second with each check and stands still otherwise, so that every run sees the same, on a slow machine too.
func cluster(binary string) (*simcluster.Server, string, error) {
	server := simcluster.Start(simcluster.WithTLS(), simcluster.WithToken("demo"), simcluster.WithSpeed(0))
	server.Handle(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			// The label of Argo Rollouts, which none of the pods has, is tried before this one within a check.
			if strings.HasPrefix(r.URL.Query().Get("labelSelector"), "pod-template-hash=") {
				server.Advance(time.Second)
			}
			next.ServeHTTP(w, r)
		})
	})
	kubeconfig := filepath.Join(filepath.Dir(binary), "demo.kubeconfig")
	if err := server.WriteKubeconfig(kubeconfig, namespace); err != nil {
		server.Close()
		return nil, "", err
	}
	return server, kubeconfig, nil
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
