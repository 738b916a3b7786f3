package kube

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// essentials returns a list with only those fields that package checker reads: what the decoder of protobuf keeps.
func essentials(list *corev1.PodList) *corev1.PodList {
	kept := &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: list.ResourceVersion, Continue: list.Continue}}
	containers := func(all []corev1.Container) (kept []corev1.Container) {
		for _, c := range all {
			if c.RestartPolicy != nil {
				kept = append(kept, corev1.Container{Name: c.Name, RestartPolicy: c.RestartPolicy})
			}
		}
		return kept
	}
	state := func(s corev1.ContainerState) corev1.ContainerState {
		if s.Running != nil {
			s.Running = &corev1.ContainerStateRunning{}
		}
		if end := s.Terminated; end != nil {
			s.Terminated = &corev1.ContainerStateTerminated{
				ExitCode: end.ExitCode, Signal: end.Signal, Reason: end.Reason, Message: end.Message, FinishedAt: end.FinishedAt, ContainerID: end.ContainerID,
			}
		}
		return s
	}
	statuses := func(all []corev1.ContainerStatus) (kept []corev1.ContainerStatus) {
		for _, s := range all {
			kept = append(kept, corev1.ContainerStatus{
				Name: s.Name, State: state(s.State), LastTerminationState: state(s.LastTerminationState), RestartCount: s.RestartCount, ContainerID: s.ContainerID,
			})
		}
		return kept
	}
	for _, pod := range list.Items {
		p := corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID, DeletionTimestamp: pod.DeletionTimestamp},
			Spec: corev1.PodSpec{
				RestartPolicy: pod.Spec.RestartPolicy, Containers: containers(pod.Spec.Containers), InitContainers: containers(pod.Spec.InitContainers),
			},
			Status: corev1.PodStatus{
				Phase: pod.Status.Phase, ContainerStatuses: statuses(pod.Status.ContainerStatuses), InitContainerStatuses: statuses(pod.Status.InitContainerStatuses),
			},
		}
		for _, c := range pod.Status.Conditions {
			if c.Type == corev1.PodReady || c.Type == corev1.PodScheduled {
				p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: c.Type, Status: c.Status, Reason: c.Reason, Message: c.Message})
			}
		}
		kept.Items = append(kept.Items, p)
	}
	return kept
}

// recordedPods returns the pods of the recorded traces, each as it was at each event, in one list.
func recordedPods(t testing.TB) *corev1.PodList {
	t.Helper()
	files, _ := filepath.Glob("../checker/testdata/traces/*.jsonl.gz")
	list := &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "1", Continue: "next"}}
	for _, name := range files {
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		unzipped, err := gzip.NewReader(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(unzipped)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var event struct{ Object corev1.Pod }
			if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
				t.Fatal(err)
			}
			list.Items = append(list.Items, event.Object)
		}
	}
	if len(list.Items) < 100 {
		t.Fatalf("only %d recorded pods", len(list.Items))
	}
	return list
}

func TestRealPodsDecodeAsTheLibraryDecodesThem(t *testing.T) {
	pods := recordedPods(t)
	for _, media := range []string{mediaProtobuf, mediaJSON} {
		body := encode(t, pods, media)
		got, err := decodePodList(body, media)
		if err != nil {
			t.Fatal(err)
		}
		library, err := libraryDecode(body, media)
		if err != nil {
			t.Fatal(err)
		}
		got, want := essentials(got), essentials(library)
		for i := range want.Items {
			if !equality.Semantic.DeepEqual(got.Items[i], want.Items[i]) {
				t.Fatalf("%s, pod %d:\n got %+v\nwant %+v", media, i, got.Items[i], want.Items[i])
			}
		}
		if !equality.Semantic.DeepEqual(got, want) {
			t.Errorf("%s: the lists differ", media)
		}
	}
}

// What the decoder of its own is for: the library's takes many times as long, and allocates everything.
func BenchmarkDecode(b *testing.B) {
	pods := recordedPods(b)
	for _, benchmark := range []struct {
		name, media string
		decode      func([]byte, string) (*corev1.PodList, error)
	}{
		{"protobuf", mediaProtobuf, decodePodList},
		{"protobuf-library", mediaProtobuf, libraryDecode},
		{"json", mediaJSON, decodePodList},
	} {
		body := encode(b, pods, benchmark.media)
		b.Run(benchmark.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if _, err := benchmark.decode(body, benchmark.media); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
