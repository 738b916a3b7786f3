package simcluster

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// A Trace is a recorded stream of pod events, in the order of their times.
type Trace []Event

// An Event is one line of a recorded trace.
type Event struct {
	Seconds float64         `json:"t"` // since the start of the trace
	Type    watch.EventType `json:"type"`
	Pod     corev1.Pod      `json:"object"`
}

// At is when the event happened, since the start of the trace.
func (e Event) At() time.Duration {
	return time.Duration(e.Seconds * float64(time.Second))
}

// LoadTrace reads a recorded trace: gzipped lines of JSON, {"t": seconds, "type": ADDED|MODIFIED|DELETED, "object": Pod}.
func LoadTrace(r io.Reader) (Trace, error) {
	unzipped, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("reading a trace: %w", err)
	}
	var trace Trace
	for lines := json.NewDecoder(unzipped); ; {
		var event Event
		if err := lines.Decode(&event); errors.Is(err, io.EOF) {
			return trace, nil
		} else if err != nil {
			return nil, fmt.Errorf("reading event %d of a trace: %w", len(trace)+1, err)
		}
		trace = append(trace, event)
	}
}

// Pods are the trace's pods at the given time since its start; an event takes effect at its own instant.
func (t Trace) Pods(at time.Duration) []corev1.Pod {
	var pods []corev1.Pod
	for _, event := range t {
		if event.At() > at {
			break
		}
		pods = slices.DeleteFunc(pods, func(pod corev1.Pod) bool { return pod.UID == event.Pod.UID })
		if event.Type != watch.Deleted {
			pods = append(pods, event.Pod)
		}
	}
	return pods
}
