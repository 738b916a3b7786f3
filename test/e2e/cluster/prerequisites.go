package cluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// cniFolders are where distributions put the CNI plugins, Debian's first.
var cniFolders = []string{"/usr/lib/cni", "/opt/cni/bin"}

// nodePrerequisites finds what a node needs on the machine.
func nodePrerequisites() (runc, cni string, err error) {
	var faults []error
	if os.Geteuid() != 0 {
		faults = append(faults, errors.New("a node starts containers: run this as root"))
	}
	runc, err = exec.LookPath("runc")
	if err != nil {
		faults = append(faults, errors.New("runc is missing: install the Debian package runc"))
	}
	if _, err := exec.LookPath("ip"); err != nil {
		faults = append(faults, errors.New("ip is missing: install the Debian package iproute2"))
	}
	for _, dir := range cniFolders {
		if hasPlugins(dir) {
			cni = dir
			break
		}
	}
	if cni == "" {
		faults = append(faults, fmt.Errorf("the CNI plugins bridge, host-local and loopback are in none of %v: install the Debian package containernetworking-plugins", cniFolders))
	}
	return runc, cni, errors.Join(faults...)
}

func hasPlugins(dir string) bool {
	for _, plugin := range []string{"bridge", "host-local", "loopback"} {
		if _, err := os.Stat(filepath.Join(dir, plugin)); err != nil {
			return false
		}
	}
	return true
}
