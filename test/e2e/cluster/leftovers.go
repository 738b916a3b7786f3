package cluster

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Names of what is outside the run folder and belongs to the cluster.
func bridgeOf(name string) string { return "e2e-" + name }

// subnetOf is the first three numbers of the pods' network.
func subnetOf(name string) string {
	hash := fnv.New32a()
	hash.Write([]byte(name))
	return fmt.Sprintf("10.244.%d", hash.Sum32()%256)
}

// cleanNode removes what a node leaves when its processes have been killed:
// containers and their shims, mounts, sockets, cgroups and the bridge.
func cleanNode(ctx context.Context, name string) error {
	dir := Dir(name)
	containers, sockets := containerIDs(dir), shimSockets(dir)
	return errors.Join(
		endAll(ctx, inCgroups(containers)),
		endAll(ctx, shimsOf(filepath.Join(dir, "containerd.sock"))),
		unmountUnder(dir),
		removeAll(sockets),
		removeLogLinks(dir),
		removeCgroups(containers),
		removeBridge(ctx, bridgeOf(name)),
	)
}

func endAll(ctx context.Context, pids []int) error {
	var faults []error
	for _, pid := range pids {
		faults = append(faults, endProcess(ctx, pid, 0))
	}
	return errors.Join(faults...)
}

// processesWhere lists the processes whose file under /proc/PID matches.
func processesWhere(file string, match func([]byte) bool) []int {
	var pids []int
	names, _ := filepath.Glob("/proc/[0-9]*/" + file)
	for _, name := range names {
		// Processes may end in the meantime.
		data, err := os.ReadFile(name)
		if err != nil || !match(data) {
			continue
		}
		if pid, err := strconv.Atoi(strings.Split(name, "/")[2]); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// cgroupParent contains the cgroups of all containers of Kubernetes, also those of other nodes on this machine.
const cgroupParent = "/k8s.io"

// containerIDs lists the containers that containerd or runc knows.
func containerIDs(dir string) []string {
	var ids []string
	for _, pattern := range []string{"state/io.containerd.runtime.v2.task/k8s.io/*", "runc/k8s.io/*"} {
		folders, _ := filepath.Glob(filepath.Join(dir, "containerd", pattern))
		for _, folder := range folders {
			ids = append(ids, filepath.Base(folder))
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// inCgroups lists the processes of these containers. They outlive their shims.
func inCgroups(containers []string) []int {
	return processesWhere("cgroup", func(data []byte) bool {
		return slices.ContainsFunc(containers, func(id string) bool {
			return bytes.Contains(data, []byte(cgroupParent+"/"+id))
		})
	})
}

func shimsOf(socket string) []int {
	return processesWhere("cmdline", func(data []byte) bool {
		args := bytes.Split(data, []byte{0})
		return strings.HasPrefix(filepath.Base(string(args[0])), "containerd-shim-") &&
			slices.ContainsFunc(args, func(arg []byte) bool { return string(arg) == socket })
	})
}

// shimSockets are in a folder that all containerds of a machine share. The containers' folders say which sockets are
// theirs.
func shimSockets(dir string) []string {
	socket := regexp.MustCompile(`/run/containerd/s/[0-9a-f]{32,}`)
	var found []string
	for _, file := range []string{"address", "bootstrap.json"} {
		names, _ := filepath.Glob(filepath.Join(dir, "containerd/state/io.containerd.runtime.v2.task/*/*", file))
		for _, name := range names {
			if data, err := os.ReadFile(name); err == nil {
				found = append(found, socket.FindAllString(string(data), -1)...)
			}
		}
	}
	return found
}

func removeAll(paths []string) error {
	var faults []error
	for _, path := range paths {
		faults = append(faults, os.RemoveAll(path))
	}
	return errors.Join(faults...)
}

// unmountUnder unmounts all that is mounted under dir, the latest first.
func unmountUnder(dir string) error {
	file, err := os.Open("/proc/self/mounts")
	if err != nil {
		return err
	}
	defer file.Close()
	var points []string
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) > 1 && strings.HasPrefix(fields[1], dir+"/") {
			points = append(points, fields[1])
		}
	}
	slices.Reverse(points)
	var faults []error
	for _, point := range points {
		if err := syscall.Unmount(point, syscall.MNT_DETACH); err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.EINVAL) {
			faults = append(faults, fmt.Errorf("unmount %s: %w", point, err))
		}
	}
	return errors.Join(faults...)
}

// removeLogLinks removes the kubelet's links to container logs. Their folder cannot be configured.
func removeLogLinks(dir string) error {
	links, _ := filepath.Glob("/var/log/containers/*.log")
	var faults []error
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, dir+"/") {
			faults = append(faults, os.Remove(link))
		}
	}
	return errors.Join(faults...)
}

// removeCgroups removes the containers' cgroups in every hierarchy. Only rmdir works there, innermost first.
func removeCgroups(containers []string) error {
	parents, _ := filepath.Glob("/sys/fs/cgroup/*" + cgroupParent)
	var faults []error
	for _, parent := range append(parents, "/sys/fs/cgroup"+cgroupParent) {
		for _, id := range containers {
			for _, folder := range foldersUnder(filepath.Join(parent, id)) {
				if err := os.Remove(folder); err != nil && !errors.Is(err, os.ErrNotExist) {
					faults = append(faults, err)
				}
			}
		}
		// It stays if another node of this machine has containers there.
		os.Remove(parent)
	}
	return errors.Join(faults...)
}

// foldersUnder lists top and all folders in it, the innermost first.
func foldersUnder(top string) []string {
	var folders []string
	filepath.WalkDir(top, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			folders = append(folders, path)
		}
		return nil
	})
	slices.Reverse(folders)
	return folders
}

func removeBridge(ctx context.Context, bridge string) error {
	if _, err := os.Stat("/sys/class/net/" + bridge); err != nil {
		return nil
	}
	if out, err := exec.CommandContext(ctx, "ip", "link", "delete", bridge).CombinedOutput(); err != nil {
		return fmt.Errorf("delete the bridge %s: %w: %s", bridge, err, out)
	}
	return nil
}
