// Package record writes the events of a watch of pods in the format of the streams that the tests of pkg/checker replay:
// one JSON object per line, compressed with gzip.
package record

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

// Pods records the pods in namespace that match selector, also those that exist already, until ctx ends. If the watch ends
// before, the recording is incomplete, which is an error.
func Pods(ctx context.Context, client kubernetes.Interface, namespace, selector string, out io.Writer) error {
	watcher, err := client.CoreV1().Pods(namespace).Watch(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return fmt.Errorf("watch the pods to record: %w", err)
	}
	defer watcher.Stop()
	zipped := gzip.NewWriter(out)
	lines := json.NewEncoder(zipped)
	var begun time.Time
	for {
		select {
		case <-ctx.Done():
			return zipped.Close()
		case seen, open := <-watcher.ResultChan():
			if ctx.Err() != nil {
				return zipped.Close()
			}
			if !open {
				return errors.Join(errors.New("the watch has ended by itself"), zipped.Close())
			}
			pod, isPod := seen.Object.(*corev1.Pod)
			if !isPod {
				return errors.Join(fmt.Errorf("the watch shows %w", apierrors.FromObject(seen.Object)), zipped.Close())
			}
			if begun.IsZero() {
				begun = time.Now()
			}
			if err := lines.Encode(eventOf(seen.Type, pod, time.Since(begun))); err != nil {
				return err
			}
		}
	}
}

// event is a line of a recording.
type event struct {
	// Seconds since the first event, to the millisecond.
	Seconds float64         `json:"t"`
	Type    watch.EventType `json:"type"`
	Pod     *corev1.Pod     `json:"object"`
}

func eventOf(kind watch.EventType, pod *corev1.Pod, since time.Duration) event {
	pod.ManagedFields = nil
	pod.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Pod"))
	return event{math.Round(since.Seconds()*1000) / 1000, kind, pod}
}
