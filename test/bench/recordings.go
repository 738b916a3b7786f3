package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Stream is when limits are reached in a recorded stream of pod statuses, in
// seconds since its start, from limit 1 on: by crashcheck's counting, and by
// restartCount.
type Stream struct {
	Name              string
	Ended             float64
	Crashes, Restarts []float64
}

const (
	// streamInterval is the INTERVAL of the gates that check the recorded pods.
	streamInterval = 5 * time.Second
	// mostLimit is the highest CRASH_LIMIT that is compared.
	mostLimit = 6
)

func (b *bench) recordings() string {
	return filepath.Join(b.folder, "..", "..", "pkg", "checker", "testdata", "traces")
}

// measureStreams takes the times of crashes and restarts from the file that
// pkg/checker is tested against.
func measureStreams(_ context.Context, b *bench, results *Results) (err error) {
	results.Streams, err = readStreams(filepath.Join(b.recordings(), "expected.json"))
	return err
}

func readStreams(path string) ([]Stream, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var recorded map[string]struct {
		Seconds   float64   `json:"seconds"`
		CrashAt   []float64 `json:"crash_at"`
		RestartAt []float64 `json:"restart_at"`
	}
	if err := json.Unmarshal(data, &recorded); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	var all []Stream
	for _, name := range slices.Sorted(maps.Keys(recorded)) {
		r := recorded[name]
		all = append(all, Stream{name, r.Seconds, seenAt(r.CrashAt), seenAt(r.RestartAt)})
	}
	return all, nil
}

// seenAt is when the first limits are seen: at the check that follows.
func seenAt(times []float64) []float64 {
	var seen []float64
	for _, at := range times[:min(mostLimit, len(times))] {
		seen = append(seen, math.Ceil(at/streamInterval.Seconds())*streamInterval.Seconds())
	}
	return seen
}

// Compression is how well lists of pods compress, in protobuf and with the API
// server's level of gzip.
type Compression struct {
	Lists string
	Pods  int
	// Plain and Gzip are the bytes that one more pod of the same ReplicaSet adds.
	Plain, Gzip float64
}

// measureCompression compares the suite's pods with recorded ones.
func measureCompression(ctx context.Context, b *bench, results *Results) error {
	recorded, err := recordedReplicaSets(b.recordings())
	if err != nil {
		return err
	}
	large := Scenario{Pods: 1000}
	if b.quick {
		large.Pods = 100
	}
	set, err := b.set(ctx, large)
	if err != nil {
		return err
	}
	pods, err := b.world.Pods(ctx, set.ReplicaSet, large.Pods)
	if err != nil {
		return err
	}
	// As many lists of as many pods, and without managedFields, as in the recordings.
	var alike [][]corev1.Pod
	rest := pods
	for _, group := range recorded {
		var list []corev1.Pod
		for _, pod := range rest[:len(group)] {
			pod.ManagedFields = nil
			list = append(list, pod)
		}
		alike, rest = append(alike, list), rest[len(group):]
	}
	results.Compression = nil
	for _, c := range []struct {
		name  string
		lists [][]corev1.Pod
	}{
		{"recorded pods (without managedFields)", recorded},
		{"pods of this suite, as many in each list, without managedFields", alike},
		{"pods of this suite as the API server sends them", [][]corev1.Pod{pods}},
	} {
		compression, err := compress(c.name, c.lists)
		if err != nil {
			return err
		}
		results.Compression = append(results.Compression, compression)
	}
	return nil
}

// recordedReplicaSets returns the pods of each stream that has more than one pod
// of a ReplicaSet, in the last recorded state.
func recordedReplicaSets(folder string) ([][]corev1.Pod, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.jsonl.gz"))
	if err != nil {
		return nil, err
	}
	var sets [][]corev1.Pod
	for _, file := range files {
		pods, err := recordedPods(file)
		if err != nil {
			return nil, fmt.Errorf("read the recording %s: %w", file, err)
		}
		if len(pods) > 1 {
			sets = append(sets, pods)
		}
	}
	return sets, nil
}

func recordedPods(path string) ([]corev1.Pod, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		return nil, err
	}
	last := map[string]corev1.Pod{}
	lines := bufio.NewScanner(unzipped)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event struct{ Object corev1.Pod }
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			return nil, err
		}
		last[event.Object.Name] = event.Object
	}
	var pods []corev1.Pod
	for _, name := range slices.Sorted(maps.Keys(last)) {
		pods = append(pods, last[name])
	}
	return pods, lines.Err()
}

// compress compares each list with a list of its first pod alone.
func compress(name string, lists [][]corev1.Pod) (Compression, error) {
	c, more := Compression{Lists: name}, 0
	for _, list := range lists {
		for sign, pods := range map[float64][]corev1.Pod{1: list, -1: list[:1]} {
			plain, packed, err := encode(pods)
			if err != nil {
				return c, err
			}
			c.Plain += sign * float64(plain)
			c.Gzip += sign * float64(packed)
		}
		c.Pods += len(list)
		more += len(list) - 1
	}
	c.Plain /= float64(more)
	c.Gzip /= float64(more)
	return c, nil
}

// encode returns the size of a list as the API server sends it.
func encode(pods []corev1.Pod) (plain, packed int, err error) {
	data, err := (&corev1.PodList{Items: pods}).Marshal()
	if err != nil {
		return 0, 0, err
	}
	var size counter
	zip, err := gzip.NewWriterLevel(&size, gzip.BestSpeed)
	if err != nil {
		return 0, 0, err
	}
	if _, err := zip.Write(data); err != nil {
		return 0, 0, err
	}
	err = zip.Close()
	return len(data), int(size), err
}

// counter counts what is written to it.
type counter int

func (c *counter) Write(data []byte) (int, error) {
	*c += counter(len(data))
	return len(data), nil
}
