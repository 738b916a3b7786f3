// Command crashcheck is a release gate for Kubernetes: it watches the pods of one release for a configured time and reports
// as its exit code whether they crashed too often. See crashcheck --help and the packages in pkg.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"syscall"

	"github.com/go-logr/logr"
	"golang.org/x/term"
	"k8s.io/klog/v2"

	"github.com/crashcheck/crashcheck/pkg/runner"
)

func main() { os.Exit(program{terminationLog: "/dev/termination-log"}.main()) }

// main connects the program with its process: signals, arguments, environment and streams. It returns the exit code.
func (p program) main() int {
	// A gate runs on production nodes and does one thing at a time, so low memory use matters more than speed.
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(25)

	// Without this, a closed pipe would end the program, and the exit code would not be that of the verdict.
	signal.Ignore(syscall.SIGPIPE)
	// client-go logs errors here that it also returns.
	klog.SetLogger(logr.Discard())

	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		cancel(runner.SignalError{Signal: <-signals})
		for range signals { // a second signal changes nothing: the run is about to end
		}
	}()

	return p.run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
}

// terminalWidth returns a function that measures the terminal w, or nil if w is not a terminal that understands control
// sequences.
func terminalWidth(w io.Writer, environ []string) func() int {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) || slices.Contains(environ, "TERM=dumb") {
		return nil
	}
	return func() int {
		width, _, err := term.GetSize(int(file.Fd()))
		if err != nil || width <= 0 {
			return 80
		}
		return width
	}
}
