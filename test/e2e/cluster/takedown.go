package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// TakeDown stops the cluster with that name and removes everything that it has left on this machine, except its logs. If
// there is none, it does nothing.
func TakeDown(ctx context.Context, name string) error {
	unlock, err := lockName(name)
	if err != nil {
		return err
	}
	defer unlock()
	return takeDown(ctx, name)
}

// lockName prevents two runs from using one name at the same time.
func lockName(name string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(Dir(name)), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(Dir(name)+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		file.Close()
		return nil, fmt.Errorf("the cluster %q is in use by another run: %w", name, err)
	}
	return func() { file.Close() }, nil
}

// takeDown needs only the name, so it can stop clusters of runs that were killed.
func takeDown(ctx context.Context, name string) error {
	dir := Dir(name)
	faults := []error{killAll(ctx, dir, "")}
	for _, id := range containersIn(dir) {
		// This also ends the container's processes, which outlive containerd and its shim, and removes its cgroups.
		faults = append(faults, runc(ctx, dir, "delete", "--force", id))
	}
	// The sockets are known only by files in the folder.
	for _, path := range slices.Concat(shimSockets(dir), logLinks(dir)) {
		faults = append(faults, os.RemoveAll(path))
	}
	faults = append(faults, unmountUnder(dir), removeBridge(ctx, bridgeOf(name)))
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		if filepath.Ext(entry.Name()) != ".log" {
			faults = append(faults, os.RemoveAll(filepath.Join(dir, entry.Name())))
		}
	}
	return errors.Join(faults...)
}

// killAll kills the processes of the cluster with that folder whose command line contains program, and waits until they
// have ended.
func killAll(ctx context.Context, dir, program string) error {
	var pids []int
	err := wait.PollUntilContextTimeout(ctx, pollInterval, 10*time.Second, true, func(context.Context) (bool, error) {
		pids = processesOf(dir, program)
		for _, pid := range pids {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		return len(pids) == 0, nil
	})
	if err != nil {
		return fmt.Errorf("kill processes %v: %w", pids, err)
	}
	return nil
}

// processesOf lists the components with that folder, which is their HOME, and the processes that they have started.
func processesOf(dir, program string) []int {
	var pids []int
	processes, _ := filepath.Glob("/proc/[0-9]*")
	for _, process := range processes {
		// Processes may end in the meantime. One that has ended, but was not waited for, has no environment.
		environ, _ := os.ReadFile(filepath.Join(process, "environ"))
		cmdline, _ := os.ReadFile(filepath.Join(process, "cmdline"))
		home := slices.ContainsFunc(bytes.Split(environ, []byte{0}), func(variable []byte) bool { return string(variable) == "HOME="+dir })
		if pid, err := strconv.Atoi(filepath.Base(process)); err == nil && home && bytes.Contains(cmdline, []byte(program)) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// containersIn lists the containers that runc knows.
func containersIn(dir string) []string {
	folders, _ := filepath.Glob(filepath.Join(dir, runcRoot, "*"))
	for i := range folders {
		folders[i] = filepath.Base(folders[i])
	}
	return folders
}

// runcRoot is where containerd keeps the state of containers, in the run folder.
const runcRoot = "containerd/runc/k8s.io"

func runc(ctx context.Context, dir string, args ...string) error {
	args = append([]string{"--root", filepath.Join(dir, runcRoot)}, args...)
	if out, err := exec.CommandContext(ctx, "runc", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("runc %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

var shimSocket = regexp.MustCompile(`/run/containerd/s/[0-9a-f]{32,}`)

// shimSockets are in a folder that all containerds of a machine share. The containers' folders say which sockets are
// theirs.
func shimSockets(dir string) []string {
	var found []string
	files, _ := filepath.Glob(filepath.Join(dir, "containerd/state/io.containerd.runtime.v2.task/*/*/bootstrap.json"))
	for _, file := range files {
		data, _ := os.ReadFile(file)
		found = append(found, shimSocket.FindAllString(string(data), -1)...)
	}
	return found
}

// logLinks are the kubelet's links to container logs. Their folder cannot be configured.
func logLinks(dir string) []string {
	links, _ := filepath.Glob("/var/log/containers/*.log")
	return slices.DeleteFunc(links, func(link string) bool {
		target, _ := os.Readlink(link)
		return !strings.HasPrefix(target, dir+"/")
	})
}

// unmountUnder unmounts all that is mounted under dir, the latest first.
func unmountUnder(dir string) error {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	var points []string
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); strings.HasPrefix(fields[1], dir+"/") {
			points = append(points, fields[1])
		}
	}
	slices.Reverse(points)
	var faults []error
	for _, point := range points {
		// A mount can end with the one that contains it.
		if err := syscall.Unmount(point, syscall.MNT_DETACH); err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.EINVAL) {
			faults = append(faults, fmt.Errorf("unmount %s: %w", point, err))
		}
	}
	return errors.Join(faults...)
}

// bridgeOf is the name of the bridge of the pods' network.
func bridgeOf(name string) string { return "e2e-" + name }

func removeBridge(ctx context.Context, bridge string) error {
	if _, err := os.Stat("/sys/class/net/" + bridge); err != nil {
		return nil
	}
	return ip(ctx, "link", "delete", bridge)
}

func ip(ctx context.Context, args ...string) error {
	if out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}
