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
			break
		} else if err != nil {
			return nil, fmt.Errorf("reading event %d of a trace: %w", len(trace)+1, err)
		}
		switch event.Type {
		case watch.Added, watch.Modified, watch.Deleted:
			trace = append(trace, event)
		default:
			return nil, fmt.Errorf("reading event %d of a trace: unknown type %q", len(trace)+1, event.Type)
		}
	}
	if len(trace) == 0 {
		return nil, errors.New("reading a trace: it has no events")
	}
	return trace, nil
}

// Pods are the trace's pods at the given time since its start; an event takes effect at its own instant.
func (t Trace) Pods(at time.Duration) []corev1.Pod {
	var pods []corev1.Pod
	for _, event := range t {
		if event.At() > at {
			break
		}
		i := slices.IndexFunc(pods, func(pod corev1.Pod) bool { return pod.UID == event.Pod.UID })
		switch {
		case event.Type == watch.Deleted && i >= 0:
			pods = slices.Delete(pods, i, i+1)
		case event.Type == watch.Deleted:
		case i >= 0:
			pods[i] = event.Pod
		default:
			pods = append(pods, event.Pod)
		}
	}
	return pods
}

// Duration is the time of the trace's last event.
func (t Trace) Duration() time.Duration {
	if len(t) == 0 {
		return 0
	}
	return t[len(t)-1].At()
}
