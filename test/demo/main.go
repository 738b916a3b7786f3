// Demo shows how crashcheck works, without a cluster: it runs the real binary five times against a simulated API server
// and checks the exit code and the verdict of each run.
//
//	go run ./test/demo -crashcheck bin/crashcheck
//
// It exits with 0 if all five were as expected, otherwise with 1. With -only N it makes a single run whose standard
// output and error are its own, as if a person had started crashcheck in a terminal, and exits with its exit code.
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
	only := flag.Int("only", 0, "make only the run of this number, with its output as it is")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	exitCode, err := demo(ctx, os.Stdout, *binary, *only)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
	os.Exit(exitCode)
}

// demo makes all runs, or only one, and returns an error if one of them did not end as expected.
func demo(ctx context.Context, out io.Writer, binary string, only int) (exitCode int, err error) {
	server, kubeconfig, err := cluster(binary)
	if err != nil {
		return 0, err
	}
	defer server.Close()
	defer os.Remove(kubeconfig)

	all := scenarios()
	if only != 0 {
		if only < 1 || only > len(all) {
			return 0, fmt.Errorf("there is no run %d", only)
		}
		return runAlone(ctx, server, all[only-1], binary, kubeconfig)
	}
	fmt.Fprint(out, "crashcheck runs against a simulated cluster. Lines marked stderr are its log, the line marked stdout is its\n"+
		"standard output.\n")
	var results []result
	for i, scenario := range all {
		heading := fmt.Sprintf("%d. %s", i+1, scenario.title)
		fmt.Fprintf(out, "\n%s\n%s\n", heading, strings.Repeat("-", len(heading)))
		result, err := run(ctx, out, server, scenario, binary, kubeconfig)
		if err != nil {
			return 0, fmt.Errorf("run %d, %s: %w", i+1, scenario.title, err)
		}
		results = append(results, result)
	}
	return 0, summarize(out, results)
}

// cluster starts the simulated API server, and writes a kubeconfig for it beside the binary. The cluster's time moves on
// by a second with each check and stands still otherwise, so that every run sees the same, on a slow machine too.
func cluster(binary string) (*simcluster.Server, string, error) {
	server := simcluster.Start(simcluster.WithTLS(), simcluster.WithToken("demo"), simcluster.WithSpeed(0))
	server.Handle(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			// Within a check, crashcheck tries the label of Argo Rollouts, which none of the pods has, before this one.
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

// summarize prints the expected and the actual result of each run.
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
