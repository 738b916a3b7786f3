package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
)

// TakeDown ends the cluster with that name, whoever started it, and removes
// all it has left on this machine. Where there is none it does nothing.
func TakeDown(ctx context.Context, name string, log io.Writer) error {
	unlock, err := lockName(name)
	if err != nil {
		return err
	}
	defer unlock()
	return takeDown(ctx, name, log)
}

// IsUp says whether the cluster with that name runs by itself. One that
// another run starts, uses or takes down just now is an error.
func IsUp(name string) (bool, error) {
	unlock, err := lockName(name)
	if err != nil {
		return false, err
	}
	defer unlock()
	running, err := runningProcesses(Dir(name))
	return running["kube-apiserver"] != 0, err
}

// takeDown works from the run folder alone, so that it can end clusters whose
// owner is gone.
func takeDown(ctx context.Context, name string, log io.Writer) error {
	begun := time.Now()
	running, err := runningProcesses(Dir(name))
	if err != nil {
		return err
	}
	for _, pid := range running {
		syscall.Kill(pid, syscall.SIGCONT)
	}
	var faults []error
	end := func(component string, grace time.Duration) {
		if pid := running[component]; pid != 0 {
			faults = append(faults, endProcess(ctx, pid, grace))
		}
	}
	// First those that would make new pods for the ones deleted.
	end("rollouts-controller", 0)
	end("kube-scheduler", 0)
	end("kube-controller-manager", 0)
	// A kubelet that still runs takes its containers, mounts and network
	// namespaces down much better than anyone after it.
	if running["kubelet"] != 0 && running["containerd"] != 0 && running["kube-apiserver"] != 0 {
		faults = append(faults, deletePods(ctx, Dir(name)))
	}
	end("kubelet", 5*time.Second)
	end("kube-apiserver", 3*time.Second)
	end("etcd", 3*time.Second)
	end("containerd", 5*time.Second)
	faults = append(faults, cleanNode(ctx, name), os.RemoveAll(Dir(name)))
	if log != nil && len(running) > 0 {
		fmt.Fprintf(log, "e2e: cluster %s is down after %s\n", name, time.Since(begun).Round(100*time.Millisecond))
	}
	return errors.Join(faults...)
}

// clean is what Start begins with.
func clean(ctx context.Context, name string) error {
	return takeDown(ctx, name, nil)
}

func runningProcesses(dir string) (map[string]int, error) {
	records, err := filepath.Glob(filepath.Join(dir, "*"+processSuffix))
	if err != nil {
		return nil, err
	}
	running := map[string]int{}
	for _, path := range records {
		pid, err := recordedProcess(path)
		if err != nil {
			return nil, err
		}
		if pid != 0 {
			running[strings.TrimSuffix(filepath.Base(path), processSuffix)] = pid
		}
	}
	return running, nil
}

// deletePods deletes every pod and waits until the kubelet has ended them all.
func deletePods(ctx context.Context, dir string) error {
	c := &Cluster{Kubeconfig: filepath.Join(dir, "kubeconfig")}
	if err := c.connect(); err != nil {
		return err
	}
	core := c.Client.CoreV1()
	ctx, cancel := context.WithTimeout(ctx, 45*time.Second)
	defer cancel()
	// Job pods wait for the controller manager to let them go, which has ended.
	letGo := []byte(`{"metadata":{"finalizers":null}}`)
	grace := int64(1)
	left := -1
	err := wait.PollUntilContextCancel(ctx, pollInterval, true, func(ctx context.Context) (bool, error) {
		pods, err := core.Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		left = len(pods.Items)
		for _, pod := range pods.Items {
			if len(pod.Finalizers) > 0 {
				core.Pods(pod.Namespace).Patch(ctx, pod.Name, types.MergePatchType, letGo, metav1.PatchOptions{})
			}
			if pod.DeletionTimestamp == nil {
				core.Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &grace})
			}
		}
		return left == 0, nil
	})
	if err != nil {
		return fmt.Errorf("delete the pods (%d are left): %w", left, err)
	}
	return nil
}

// lockName keeps two runs from using one name at once.
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
