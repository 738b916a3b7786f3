package checker_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/crashcheck/crashcheck/pkg/checker"
)

// traceEvent is a line of a recorded stream: what a watch of the pods showed, and when.
type traceEvent struct {
	Seconds float64    `json:"t"`
	Type    string     `json:"type"`
	Pod     corev1.Pod `json:"object"`
}

func readTrace(t *testing.T, path string) []traceEvent {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var events []traceEvent
	lines := bufio.NewScanner(unzipped)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event traceEvent
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			t.Fatal(err)
		}
		events = append(events, event)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return events
}

// The streams were recorded from a real kubelet. Replayed event by event, each crash is counted when it became visible.
// restart_at, a second count of restartCount alone, shows how much later that is.
func TestRecordedTraces(t *testing.T) {
	content, err := os.ReadFile("testdata/traces/expected.json")
	if err != nil {
		t.Fatal(err)
	}
	var expected map[string]struct {
		Pods      int       `json:"pods"`
		Events    int       `json:"events"`
		CrashAt   []float64 `json:"crash_at"`
		RestartAt []float64 `json:"restart_at"`
	}
	if err := json.Unmarshal(content, &expected); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob("testdata/traces/*.jsonl.gz")
	if len(files) != len(expected) || len(files) == 0 {
		t.Fatalf("%d traces, but expectations for %d", len(files), len(expected))
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".jsonl.gz")
		t.Run(name, func(t *testing.T) {
			want, events := expected[name], readTrace(t, file)
			ledger := checker.NewLedger(checker.Ignore{})
			restarts := map[types.UID]map[string]int32{}
			var crashAt, restartAt []float64
			for _, event := range events {
				if event.Type == "DELETED" {
					continue // a list does not contain it any more
				}
				for _, crash := range ledger.Record(&event.Pod) {
					for range crash.New {
						crashAt = append(crashAt, event.Seconds)
					}
				}
				for range newRestarts(restarts, &event.Pod) {
					restartAt = append(restartAt, event.Seconds)
				}
			}
			if len(events) != want.Events || ledger.Pods() != want.Pods {
				t.Errorf("got %d events of %d pods, want %d of %d", len(events), ledger.Pods(), want.Events, want.Pods)
			}
			if !slices.Equal(crashAt, want.CrashAt) {
				t.Errorf("crashes:\n got %v\nwant %v", crashAt, want.CrashAt)
			}
			if !slices.Equal(restartAt, want.RestartAt) {
				t.Errorf("restarts:\n got %v\nwant %v", restartAt, want.RestartAt)
			}
			for i, at := range restartAt {
				if name == "restart-all" {
					break // there, most restarts are not crashes
				}
				if i >= len(crashAt) || crashAt[i] > at {
					t.Errorf("restart %d was visible at %vs, before the crash was counted", i+1, at)
				}
			}
		})
	}
}

// newRestarts returns by how much the restartCounts of a pod have risen.
func newRestarts(known map[types.UID]map[string]int32, pod *corev1.Pod) int32 {
	if known[pod.UID] == nil {
		known[pod.UID] = map[string]int32{}
	}
	var rise int32
	for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if n := status.RestartCount - known[pod.UID][status.Name]; n > 0 {
			rise += n
			known[pod.UID][status.Name] = status.RestartCount
		}
	}
	return rise
}
