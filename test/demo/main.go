// Demo shows how crashcheck works, without a cluster: it runs the real binary five times against a simulated API server
// and checks the exit code and the verdict of each run. It exits with 0 if all five were as expected, otherwise with 1.
//
//	go run ./test/demo -crashcheck bin/crashcheck
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/crashcheck/crashcheck/test/simcluster"
)

// timeout is much longer than the settings of a run allow: a run that takes longer hangs.
const timeout = 2 * time.Minute

func main() {
	binary := flag.String("crashcheck", "bin/crashcheck", "the binary to run; its directory holds the kubeconfig meanwhile")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := demo(ctx, *binary)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func demo(ctx context.Context, binary string) error {
	server := cluster()
	defer server.Close()
	kubeconfig := filepath.Join(filepath.Dir(binary), "demo.kubeconfig")
	if err := server.WriteKubeconfig(kubeconfig, namespace); err != nil {
		return err
	}
	defer os.Remove(kubeconfig)

	fmt.Println("crashcheck runs against a simulated cluster. Each run shows the log, which is the standard error, and then the line")
	fmt.Println("of JSON, which is the standard output.")
	unexpected := 0
	var summary bytes.Buffer
	table := tabwriter.NewWriter(&summary, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "RUN\tEXPECTED\tGOT\t")
	for i, s := range scenarios() {
		heading := fmt.Sprintf("%d. %s", i+1, s.title)
		fmt.Printf("\n%s\n%s\n$ %s crashcheck\n", heading, strings.Repeat("-", len(heading)), strings.Join(s.settings, " "))
		exitCode, verdict, err := s.run(ctx, server, binary, kubeconfig)
		if err != nil {
			return fmt.Errorf("run %d, %s: %w", i+1, s.title, err)
		}
		fmt.Printf("exit code %d: %s\n", exitCode, verdict)
		remark := "ok"
		if exitCode != s.exitCode || verdict != s.verdict {
			remark = "NOT AS EXPECTED"
			unexpected++
		}
		fmt.Fprintf(table, "%s\t%d %s\t%d %s\t%s\n", s.title, s.exitCode, s.verdict, exitCode, verdict, remark)
	}
	table.Flush() // writing to a buffer does not fail
	fmt.Printf("\n%s", &summary)
	if unexpected > 0 {
		return errors.New("not every run ended as expected")
	}
	return nil
}

// cluster starts the simulated API server. The cluster's time moves on by a second with each check and stands still
// otherwise, so that every run sees the same, on a slow machine too.
func cluster() *simcluster.Server {
	server := simcluster.Start(simcluster.WithTLS(), simcluster.WithToken("demo"), simcluster.WithSpeed(0))
	server.Handle(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		// Within a check, crashcheck tries the label of Argo Rollouts, which none of the pods has, before this one.
		if strings.HasPrefix(r.URL.Query().Get("labelSelector"), "pod-template-hash=") {
			server.Advance(time.Second)
		}
		next.ServeHTTP(w, r)
	})
	return server
}

// run deploys the scenario's release and runs the binary as a process. The verdict is that of its line of JSON.
func (s scenario) run(ctx context.Context, server *simcluster.Server, binary, kubeconfig string) (exitCode int, verdict string, err error) {
	path, err := filepath.Abs(binary) // exec looks a bare name up in PATH
	if err != nil {
		return 0, "", fmt.Errorf("find the binary: %w", err)
	}
	if s.release.Hash != "" {
		s.release.Created = time.Now().Add(-time.Second) // the cluster's clock is a second ahead by the first check
		server.Deploy(s.release)
	}
	if s.outage > 0 {
		defer time.AfterFunc(s.outage, server.Stop).Stop()
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var stdout bytes.Buffer
	command := exec.CommandContext(limited, path)
	// With the caller's own settings, the result could differ from that of the command shown.
	command.Env = append([]string{"TZ=UTC", "PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "KUBECONFIG=" + kubeconfig}, s.settings...)
	command.Stdout, command.Stderr = &stdout, os.Stdout
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = 2 * time.Second
	err = command.Run()
	fmt.Print(stdout.String())
	switch {
	case ctx.Err() != nil:
		return 0, "", errors.New("interrupted")
	case limited.Err() != nil:
		return 0, "", fmt.Errorf("it was still running after %v", timeout)
	case command.ProcessState == nil:
		return 0, "", fmt.Errorf("start it: %w", err)
	}
	var line struct{ Verdict string }
	if err := json.Unmarshal(stdout.Bytes(), &line); err != nil {
		return 0, "", fmt.Errorf("read its standard output: %w", err)
	}
	return command.ProcessState.ExitCode(), line.Verdict, nil
}
