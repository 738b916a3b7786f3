// Command record records a watch of pods as a stream that the tests of pkg/checker can replay.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/crashcheck/crashcheck/test/e2e/record"
)

func main() {
	namespace := flag.String("namespace", "default", "namespace of the pods")
	selector := flag.String("selector", "", "label selector of the pods (default: all)")
	out := flag.String("out", "stream.jsonl.gz", "the file to write")
	length := flag.Duration("for", 2*time.Minute, "how long to record; Ctrl-C ends it sooner")
	flag.Parse()
	if err := run(*namespace, *selector, *out, *length); err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
}

func run(namespace, selector, out string, length time.Duration) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(clientcmd.NewDefaultClientConfigLoadingRules(), nil).ClientConfig()
	if err != nil {
		return fmt.Errorf("read the kubeconfig: %w", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	file, err := os.Create(out)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "recording into %s for %s\n", out, length)
	return errors.Join(record.Pods(ctx, client, namespace, selector, file), file.Close())
}
