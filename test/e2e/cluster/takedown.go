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

// TakeDown stops the cluster with that name and removes everything that it has left on this machine. If there is none, it
// does nothing.
func TakeDown(ctx context.Context, name string, log io.Writer) error {
	unlock, err := lockName(name)
	if err != nil {
		return err
	}
	defer unlock()
	return takeDown(ctx, name, log)
}

// IsUp reports whether the cluster with that name runs without a test suite. It returns an error if another run is using
// it.
func IsUp(name string) (bool, error) {
	unlock, err := lockName(name)
	if err != nil {
		return false, err
	}
	defer unlock()
	running, err := runningProcesses(Dir(name))
	return running["kube-apiserver"] != 0, err
}

// takeDown needs only the run folder, so it can stop clusters of processes that have ended.
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
	// First those that would create new pods.
	end("rollouts-controller", 0)
	end("kube-scheduler", 0)
	end("kube-controller-manager", 0)
	// A running kubelet removes its containers, mounts and network namespaces most reliably.
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

// clean removes what an earlier run has left.
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

// deletePods deletes every pod and waits until the kubelet has terminated all of them.
func deletePods(ctx context.Context, dir string) error {
	c := &Cluster{Kubeconfig: filepath.Join(dir, "kubeconfig")}
	if err := c.connect(); err != nil {
		return err
	}
	core := c.Client.CoreV1()
	ctx, cancel := context.WithTimeout(ctx, 45*time.Second)
	defer cancel()
	// Pods of Jobs have a finalizer of the controller manager, which has ended.
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
