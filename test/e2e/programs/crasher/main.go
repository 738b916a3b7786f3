// Command crasher is the container that crashes, or does not, as its
// environment says:
//
//	AFTER    how long it runs before it ends (a Go duration); unset: until SIGTERM
//	CODE     the exit code it ends with (0)
//	MESSAGE  written to /dev/termination-log before it ends
//	OOM      any value: take memory until the kernel kills it, in place of ending
//	TIMES    with STATE, end so often only, and run until SIGTERM from then on
//	STATE    a file on a volume, which counts the ends across containers
//	DEAF     any value: ignore SIGTERM
//
// With an argument it is a probe: "ok" ends with 0, "fail" with 1.
package main

import (
	"fmt"
	"math"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 1 {
		os.Exit(probe(os.Args[1]))
	}
	os.Exit(run())
}

func probe(name string) int {
	switch name {
	case "ok":
		return 0
	case "fail":
		fmt.Println("this probe fails always")
		return 1
	}
	fmt.Fprintf(os.Stderr, "crasher: no probe %q\n", name)
	return 2
}

func run() int {
	terminate := make(chan os.Signal, 1)
	if os.Getenv("DEAF") != "" {
		signal.Ignore(syscall.SIGTERM)
	} else {
		signal.Notify(terminate, syscall.SIGTERM, syscall.SIGINT)
	}

	// Never, but a timer: without one, a program that hears no signal and waits
	// for nothing else is a deadlock to its runtime.
	end := time.After(math.MaxInt64)
	if after := os.Getenv("AFTER"); after != "" && mayEndAgain() {
		duration, err := time.ParseDuration(after)
		if err != nil {
			return fault("AFTER", err)
		}
		end = time.After(duration)
	}
	select {
	case <-terminate:
		return 0
	case <-end:
	}

	if message := os.Getenv("MESSAGE"); message != "" {
		if err := os.WriteFile("/dev/termination-log", []byte(message), 0o644); err != nil {
			return fault("MESSAGE", err)
		}
	}
	if os.Getenv("OOM") != "" {
		takeMemory()
	}
	fmt.Println("crasher: ending as told")
	code, err := strconv.Atoi(or(os.Getenv("CODE"), "0"))
	if err != nil {
		return fault("CODE", err)
	}
	return code
}

// mayEndAgain counts this end in STATE and says whether TIMES allows it.
func mayEndAgain() bool {
	state := os.Getenv("STATE")
	if state == "" {
		return true
	}
	times, err := strconv.Atoi(os.Getenv("TIMES"))
	if err != nil {
		os.Exit(fault("TIMES", err))
	}
	data, err := os.ReadFile(state)
	if err != nil && !os.IsNotExist(err) {
		os.Exit(fault("STATE", err))
	}
	if len(data) >= times {
		return false
	}
	if err := os.WriteFile(state, append(data, '.'), 0o644); err != nil {
		os.Exit(fault("STATE", err))
	}
	return true
}

func takeMemory() {
	var held [][]byte
	for {
		block := make([]byte, 1<<20)
		// Only pages that are written are really taken.
		for i := 0; i < len(block); i += 4096 {
			block[i] = 1
		}
		held = append(held, block)
		runtime.KeepAlive(held)
	}
}

func fault(name string, err error) int {
	fmt.Fprintf(os.Stderr, "crasher: %s: %v\n", name, err)
	// Not a code that a test would ask for.
	return 99
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}
