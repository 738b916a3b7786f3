// Command launch runs a command and writes what the command has used to file
// descriptor 3, as JSON. It is small because Linux counts the memory of the
// process that starts another one towards the peak of the other one.
package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	cmd := exec.Command(os.Args[1], os.Args[2:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	// It ends with its launcher.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(125)
	}
	go func() {
		for s := range signals {
			cmd.Process.Signal(s)
		}
	}()
	cmd.Wait()
	ended := time.Now()
	used := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	json.NewEncoder(os.NewFile(3, "usage")).Encode(map[string]int64{
		"cpu":   used.Utime.Nano() + used.Stime.Nano(),
		"peak":  used.Maxrss << 10,
		"wall":  ended.Sub(begun).Nanoseconds(),
		"ended": ended.UnixNano(),
	})
	os.Exit(cmd.ProcessState.ExitCode())
}
