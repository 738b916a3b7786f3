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
	namespace := flag.String("namespace", "", "namespace of the pods (default: the kubeconfig context's)")
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
	kubeconfig := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		clientcmd.NewDefaultClientConfigLoadingRules(), &clientcmd.ConfigOverrides{})
	config, err := kubeconfig.ClientConfig()
	if err != nil {
		return fmt.Errorf("read the kubeconfig: %w", err)
	}
	if namespace == "" {
		if namespace, _, err = kubeconfig.Namespace(); err != nil {
			return fmt.Errorf("read the kubeconfig: %w", err)
		}
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	// The recording has its own context, so Ctrl-C ends it in order.
	recording, err := record.Start(context.Background(), client, namespace, selector, out)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "recording into %s for %s\n", out, length)
	select {
	case <-ctx.Done():
	case <-time.After(length):
	case <-recording.Done():
		return errors.Join(errors.New("the stream is not whole"), recording.Stop())
	}
	return recording.Stop()
}
