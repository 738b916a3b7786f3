package kube

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crashcheck/crashcheck/pkg/checker"
	"github.com/crashcheck/crashcheck/pkg/typed"
	"github.com/crashcheck/crashcheck/test/simcluster"
)

// essentials takes out what package checker does not look at, and the decoder of protobuf leaves out: the conditions that
// say nothing of readiness, and the containers without a restart policy of their own.
func essentials(list *checker.PodList) *checker.PodList {
	kept := &checker.PodList{ListMeta: metav1.ListMeta{ResourceVersion: list.ResourceVersion, Continue: list.Continue}}
	for _, pod := range list.Items {
		hasNoPolicy := func(c checker.Container) bool { return c.RestartPolicy == "" }
		pod.Spec.Containers = slices.DeleteFunc(slices.Clone(pod.Spec.Containers), hasNoPolicy)
		pod.Spec.InitContainers = slices.DeleteFunc(slices.Clone(pod.Spec.InitContainers), hasNoPolicy)
		pod.Status.Conditions = slices.DeleteFunc(slices.Clone(pod.Status.Conditions), func(c checker.PodCondition) bool {
			return c.Type != "Ready" && c.Type != "PodScheduled"
		})
		kept.Items = append(kept.Items, pod)
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
		trace, err := simcluster.LoadTrace(file)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, event := range trace {
			list.Items = append(list.Items, event.Pod)
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
		got, err := decode(body, media)
		if err != nil {
			t.Fatal(err)
		}
		library, err := libraryDecode(body, media)
		if err != nil {
			t.Fatal(err)
		}
		got, want := essentials(got), essentials(typed.PodList(library))
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
		decode      func([]byte, string) (*checker.PodList, error)
	}{
		{"protobuf", mediaProtobuf, decode},
		{"protobuf-library", mediaProtobuf, func(body []byte, media string) (*checker.PodList, error) {
			list, err := libraryDecode(body, media)
			return typed.PodList(list), err
		}},
		{"json", mediaJSON, decode},
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
