package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Machine is what the figures depend on.
type Machine struct {
	Processor, Kernel, Go string
	Processors            int
}

func (m Machine) String() string {
	return fmt.Sprintf("%d × %s, Linux %s, %s", m.Processors, m.Processor, m.Kernel, m.Go)
}

func describeMachine() Machine {
	m := Machine{Processor: "unknown", Go: runtime.Version(), Processors: runtime.NumCPU()}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		// What follows the version is the builder's.
		m.Kernel, _, _ = strings.Cut(unix.ByteSliceToString(name.Release[:]), "-")
	}
	file, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return m
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if name, value, _ := strings.Cut(lines.Text(), ":"); strings.TrimSpace(name) == "model name" {
			m.Processor = strings.TrimSpace(value)
			break
		}
	}
	return m
}
