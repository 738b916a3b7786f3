// Command crasher is a container that crashes, or keeps running, as its environment says:
//
//	AFTER    how long it runs before it exits (a Go duration); unset: until SIGTERM
//	CODE     the exit code (0)
//	MESSAGE  written to /dev/termination-log before it exits
//	OOM      any value: allocate memory until the kernel kills it, instead of exiting
//	FILL     a file to fill with 16 MiB at the start
//	TIMES    with STATE: exit only this many times, then run until SIGTERM
//	STATE    a file on a volume that counts the exits of all containers
//	DEAF     any value: ignore SIGTERM
//
// With an argument it is a probe: "ok" exits with 0, "fail" with 1.
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
		fmt.Println("this probe always fails")
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

	if path := os.Getenv("FILL"); path != "" {
		if err := os.WriteFile(path, make([]byte, 16<<20), 0o644); err != nil {
			return failed("FILL", err)
		}
	}
	// A timer that never fires: if the program only waited for a signal that it ignores, the Go runtime would report a
	// deadlock.
	end := time.After(math.MaxInt64)
	if after := os.Getenv("AFTER"); after != "" && mayExitAgain() {
		duration, err := time.ParseDuration(after)
		if err != nil {
			return failed("AFTER", err)
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
			return failed("MESSAGE", err)
		}
	}
	if os.Getenv("OOM") != "" {
		takeMemory()
	}
	fmt.Println("crasher: exiting as configured")
	code, err := strconv.Atoi(or(os.Getenv("CODE"), "0"))
	if err != nil {
		return failed("CODE", err)
	}
	return code
}

// mayExitAgain counts this exit in STATE and reports whether TIMES allows it.
func mayExitAgain() bool {
	state := os.Getenv("STATE")
	if state == "" {
		return true
	}
	times, err := strconv.Atoi(os.Getenv("TIMES"))
	if err != nil {
		os.Exit(failed("TIMES", err))
	}
	data, err := os.ReadFile(state)
	if err != nil && !os.IsNotExist(err) {
		os.Exit(failed("STATE", err))
	}
	if len(data) >= times {
		return false
	}
	if err := os.WriteFile(state, append(data, '.'), 0o644); err != nil {
		os.Exit(failed("STATE", err))
	}
	return true
}

func takeMemory() {
	var held [][]byte
	for {
		block := make([]byte, 1<<20)
		// The kernel allocates only pages that are written.
		for i := 0; i < len(block); i += 4096 {
			block[i] = 1
		}
		held = append(held, block)
		runtime.KeepAlive(held)
	}
}

func failed(name string, err error) int {
	fmt.Fprintf(os.Stderr, "crasher: %s: %v\n", name, err)
	// No test sets this code.
	return 99
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}
