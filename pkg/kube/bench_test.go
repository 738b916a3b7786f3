package kube

import (
	"fmt"
	"net/http"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// realisticPods returns n pods of about 8 kB in JSON, which differ as real ones do: recorded pods with an environment.
func realisticPods(b *testing.B, n int) *corev1.PodList {
	recorded := recordedPods(b).Items
	list := &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}}
	for i := range n {
		pod := recorded[i%len(recorded)].DeepCopy()
		pod.Name, pod.UID = fmt.Sprintf("web-7f5b9c6d48-%05d", i), types.UID(fmt.Sprintf("0f4c8a34-0000-4000-8000-%012d", i))
		for j := range 60 {
			pod.Spec.Containers[0].Env = append(pod.Spec.Containers[0].Env, corev1.EnvVar{
				Name: fmt.Sprintf("SETTING_NUMBER_%d", j), Value: fmt.Sprintf("value %d of pod %d", j*j, i),
			})
		}
		list.Items = append(list.Items, *pod)
	}
	return list
}

// BenchmarkPod decodes one pod in protobuf: with the mask, and as the library does it.
func BenchmarkPod(b *testing.B) {
	var messages [][]byte
	bytesInAll := 0
	for _, pod := range realisticPods(b, 500).Items {
		message, err := pod.Marshal()
		if err != nil {
			b.Fatal(err)
		}
		messages = append(messages, message)
		bytesInAll += len(message)
	}
	var pod corev1.Pod
	for _, decoder := range []struct {
		name   string
		decode func([]byte) error
	}{
		{"masked", func(message []byte) error { return decodePod(message, &pod) }},
		{"library", func(message []byte) error { pod.Reset(); return pod.Unmarshal(message) }},
	} {
		b.Run(decoder.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(bytesInAll / len(messages)))
			var buffer []byte
			for i := 0; b.Loop(); i++ {
				buffer = append(buffer[:0], messages[i%len(messages)]...) // decodePod overwrites it
				if err := decoder.decode(buffer); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkList lists 1,000 pods over HTTP, as a check does. The server sends what was encoded before.
func BenchmarkList(b *testing.B) {
	list := realisticPods(b, 1000)
	for _, response := range []struct{ name, media, encoding string }{
		{"protobuf-gzip", mediaProtobuf, "gzip"},
		{"protobuf", mediaProtobuf, ""},
		{"json-gzip", mediaJSON, "gzip"},
		{"json", mediaJSON, ""},
	} {
		body := encode(b, list, response.media)
		size := len(body)
		if response.encoding == "gzip" {
			body = compress(body)
		}
		b.Run(response.name, func(b *testing.B) {
			client := serve(b, func(w http.ResponseWriter, r *http.Request) {
				if response.encoding != "" {
					w.Header().Set("Content-Encoding", response.encoding)
				}
				answer(200, response.media, body)(w, r)
			})
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				pods := 0
				err := client.List(b.Context(), selector, func(*corev1.Pod) error {
					pods++
					return nil
				})
				if err != nil || pods != 1000 {
					b.Fatal(pods, err)
				}
			}
		})
	}
}
