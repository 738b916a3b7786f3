// Package record writes the events of a watch of pods in the format of the streams that the tests of pkg/checker replay:
// one JSON object per line, compressed with gzip.
package record

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

// event is a line of a recording.
type event struct {
	// Seconds since the first event, to the millisecond.
	Seconds float64         `json:"t"`
	Type    watch.EventType `json:"type"`
	Pod     *corev1.Pod     `json:"object"`
}

// Recording is a watch that is being recorded.
type Recording struct {
	file    *os.File
	zipped  *gzip.Writer
	lines   *json.Encoder
	watcher watch.Interface
	stopped atomic.Bool
	done    chan struct{}

	begun time.Time
	fault error
}

// Start starts to record the pods in namespace that match selector to a new file. The recording contains everything that
// happens after Start has returned.
func Start(ctx context.Context, client kubernetes.Interface, namespace, selector, path string) (*Recording, error) {
	pods := client.CoreV1().Pods(namespace)
	list, err := pods.List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, fmt.Errorf("list the pods to record: %w", err)
	}
	watcher, err := pods.Watch(ctx, metav1.ListOptions{LabelSelector: selector, ResourceVersion: list.ResourceVersion})
	if err != nil {
		return nil, fmt.Errorf("watch the pods to record: %w", err)
	}
	file, err := os.Create(path)
	if err != nil {
		watcher.Stop()
		return nil, err
	}
	zipped := gzip.NewWriter(file)
	r := &Recording{file: file, zipped: zipped, lines: json.NewEncoder(zipped), watcher: watcher, done: make(chan struct{})}
	for i := range list.Items {
		r.write(watch.Added, &list.Items[i])
	}
	go r.follow()
	return r, nil
}

// Done is closed when the watch has ended, because of Stop or an error.
func (r *Recording) Done() <-chan struct{} { return r.done }

// Stop ends the recording and closes the file. It returns an error if the watch had ended before: the recording is
// incomplete.
func (r *Recording) Stop() error {
	select {
	case <-r.done:
		r.fault = errors.Join(r.fault, errors.New("the watch has ended by itself"))
	default:
	}
	r.stopped.Store(true)
	r.watcher.Stop()
	<-r.done
	return errors.Join(r.fault, r.zipped.Close(), r.file.Close())
}

func (r *Recording) follow() {
	defer close(r.done)
	for seen := range r.watcher.ResultChan() {
		pod, isPod := seen.Object.(*corev1.Pod)
		if !isPod {
			// Stop closes the connection, which the watch reports as an event.
			if r.stopped.Load() {
				return
			}
			r.fault = errors.Join(r.fault, fmt.Errorf("the watch shows %w", apierrors.FromObject(seen.Object)))
			return
		}
		r.write(seen.Type, pod)
	}
}

func (r *Recording) write(kind watch.EventType, pod *corev1.Pod) {
	if r.begun.IsZero() {
		r.begun = time.Now()
	}
	pod = pod.DeepCopy()
	pod.ManagedFields = nil
	pod.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Pod"))
	seconds := math.Round(time.Since(r.begun).Seconds()*1000) / 1000
	r.fault = errors.Join(r.fault, r.lines.Encode(event{seconds, kind, pod}))
}
