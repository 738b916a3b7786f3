package simcluster

import (
	"bytes"
	"compress/gzip"
	"math"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
)

func TestReplayShowsTheEventsOfTheTrace(t *testing.T) {
	for _, name := range []string{"crash-fast", "deleted-midway"} {
		t.Run(name, func(t *testing.T) {
			trace := loadTrace(t, name)
			server := start(t)
			server.Replay(trace)
			client := client(t, server, asEither)
			for i, event := range trace {
				if i+1 < len(trace) && trace[i+1].At() == event.At() {
					continue // two events of one instant are seen as one
				}
				server.Advance(event.At() - server.Now())
				pods := &corev1.PodList{}
				if err := client.Get().Namespace(event.Pod.Namespace).Resource("pods").Do(t.Context()).Into(pods); err != nil {
					t.Fatal(err)
				}
				got := versions(pods.Items)[string(event.Pod.UID)]
				want := event.Pod.ResourceVersion
				if event.Type == watch.Deleted {
					want = ""
				}
				if got != want {
					t.Errorf("at %v pod %s has resourceVersion %q, want %q", event.At(), event.Pod.Name, got, want)
				}
			}
		})
	}
}

func versions(pods []corev1.Pod) map[string]string {
	versions := map[string]string{}
	for _, pod := range pods {
		versions[string(pod.UID)] = pod.ResourceVersion
	}
	return versions
}

func TestAnEventTakesEffectAtItsInstant(t *testing.T) {
	trace := loadTrace(t, "healthy")
	if pods := trace.Pods(-1); len(pods) != 0 {
		t.Errorf("before the begin: got %d pods", len(pods))
	}
	last := trace[len(trace)-1]
	for at, want := range map[time.Duration]bool{last.At() - 1: false, last.At(): true, math.MaxInt64: true} {
		if got := versions(trace.Pods(at))[string(last.Pod.UID)] == last.Pod.ResourceVersion; got != want {
			t.Errorf("the last event shows at %v: got %t, want %t", at, got, want)
		}
	}
}

func TestLoadTraceRejectsOtherFiles(t *testing.T) {
	for claim, test := range map[string]struct{ content, want string }{
		"a truncated line":    {zipped(t, `{"t":0,"type":"ADDED","object":{`), "reading event 1 of a trace: unexpected EOF"},
		"an unknown type":     {zipped(t, `{"t":0,"type":"BOOKMARK","object":{}}`), `reading event 1 of a trace: unknown type "BOOKMARK"`},
		"an empty file":       {zipped(t, ""), "reading a trace: it has no events"},
		"a file without gzip": {"{}............", "reading a trace: gzip: invalid header"},
	} {
		if _, err := LoadTrace(strings.NewReader(test.content)); err == nil || err.Error() != test.want {
			t.Errorf("%s: got %v, want %s", claim, err, test.want)
		}
	}
}

func zipped(t *testing.T, text string) string {
	t.Helper()
	var buffer bytes.Buffer
	writer := gzip.NewWriter(&buffer)
	if _, err := writer.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return buffer.String()
}
