// Command crashcheck is a release gate for Kubernetes: it watches over the pods of one ReplicaSet for a window of
// time, and its exit code says whether they crashed too often. See the packages below pkg, or crashcheck --help.
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

// main is the program with its process: signals, arguments, environment and streams. It returns the exit code.
func (p program) main() int {
	// A gate does one thing at a time, beside production: memory matters more to it than speed.
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(25)

	// A closed pipe is an error like another (it would end a Go program): the exit code has to be the verdict's.
	signal.Ignore(syscall.SIGPIPE)
	// client-go logs here what it also returns as errors.
	klog.SetLogger(logr.Discard())

	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		cancel(runner.SignalError{Signal: <-signals})
		for range signals { // a second one changes nothing: the run is about to end
		}
	}()

	return p.run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
}

// terminalWidth returns a function that measures the terminal behind w, or nil if there is none that understands
// control sequences.
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
