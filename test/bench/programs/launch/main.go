// Command launch runs a command and writes what the command has used to file
// descriptor 3, as JSON. It is small because Linux counts the memory of the
// process that starts another one towards the peak of the other one.
package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/crashcheck/crashcheck/test/bench/child"
)

func main() {
	cmd := exec.Command(os.Args[1], os.Args[2:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	// It ends with its launcher.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(125)
	}
	cmd.Wait()
	used := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	json.NewEncoder(os.NewFile(3, "usage")).Encode(child.Usage{
		CPU:   cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(),
		Peak:  used.Maxrss << 10,
		Ended: time.Now(),
	})
	os.Exit(cmd.ProcessState.ExitCode())
}
