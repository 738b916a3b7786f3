// Package streams replays recorded status streams of real kubelets and finds
// when a gate that polls them sees each crash: by the product's own checker,
// and by counting restartCount.
package streams

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/crashcheck/crashcheck/pkg/checker"
)

// Stream is what a watch of some pods has shown.
type Stream struct {
	Name   string
	events []event
}

// event is a line of a recording.
type event struct {
	Seconds float64     `json:"t"`
	Type    string      `json:"type"`
	Pod     checker.Pod `json:"object"`
}

// Seen is when limits were reached, in seconds since the stream's start, the
// limit 1 first. A limit that was not reached within the stream is left out.
type Seen struct {
	Stream string
	// Ended is when the stream ended.
	Ended float64
	// Crashes is by crashcheck's counting, Restarts by restartCount.
	Crashes, Restarts []float64
}

// ReadAll reads all recordings in a folder, by name.
func ReadAll(folder string) ([]Stream, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.jsonl.gz"))
	if err != nil {
		return nil, err
	}
	var all []Stream
	for _, file := range files {
		s, err := read(file)
		if err != nil {
			return nil, fmt.Errorf("read the stream %s: %w", file, err)
		}
		all = append(all, s)
	}
	return all, nil
}

func read(path string) (Stream, error) {
	s := Stream{Name: strings.TrimSuffix(filepath.Base(path), ".jsonl.gz")}
	file, err := os.Open(path)
	if err != nil {
		return s, err
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		return s, err
	}
	lines := bufio.NewScanner(unzipped)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return s, err
		}
		s.events = append(s.events, e)
	}
	return s, lines.Err()
}

// Replay polls the stream at an interval of its own time, from its start until
// the first check after its end, and finds when limits up to most are reached.
func (s Stream) Replay(interval time.Duration, most int) (Seen, error) {
	seen := Seen{Stream: s.Name}
	if len(s.events) == 0 {
		return seen, nil
	}
	seen.Ended = s.events[len(s.events)-1].Seconds
	now := &snapshot{pods: map[types.UID]checker.Pod{}}
	check, err := checker.New(now, checker.Options{Selectors: []labels.Selector{labels.SelectorFromSet(labels.Set{"any": "pod"})}})
	if err != nil {
		return seen, err
	}
	restarts := restartCounter{}
	events := s.events
	for tick := 0; ; tick++ {
		at := (time.Duration(tick) * interval).Seconds()
		for len(events) > 0 && events[0].Seconds <= at {
			now.apply(events[0])
			events = events[1:]
		}
		tally, err := check.Check(context.Background())
		if err != nil {
			return seen, err
		}
		seen.Crashes = reached(seen.Crashes, tally.Crashes, most, at)
		seen.Restarts = reached(seen.Restarts, restarts.count(now), most, at)
		if len(events) == 0 {
			return seen, nil
		}
	}
}

// reached adds the limits that a total reaches now.
func reached(limits []float64, total int64, most int, at float64) []float64 {
	for len(limits) < most && int64(len(limits)) < total {
		limits = append(limits, at)
	}
	return limits
}

// snapshot is the pods as they are at one moment: what a list would show.
type snapshot struct{ pods map[types.UID]checker.Pod }

func (s *snapshot) apply(e event) {
	if e.Type == "DELETED" {
		delete(s.pods, e.Pod.UID)
		return
	}
	s.pods[e.Pod.UID] = e.Pod
}

// List makes it a checker.PodLister.
func (s *snapshot) List(context.Context, metav1.ListOptions) (*checker.PodList, error) {
	list := &checker.PodList{Items: slices.Collect(maps.Values(s.pods))}
	list.ResourceVersion = "1"
	return list, nil
}

// restartCounter keeps the highest restartCount of each container, of deleted
// pods too: the best that a gate can do that looks at nothing else.
type restartCounter map[string]int32

func (r restartCounter) count(now *snapshot) int64 {
	for uid, pod := range now.pods {
		for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
			key := string(uid) + "/" + status.Name
			r[key] = max(r[key], status.RestartCount)
		}
	}
	var sum int64
	for _, n := range r {
		sum += int64(n)
	}
	return sum
}
