package kube

import (
	"fmt"
	"net/http"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// benchPods returns n pods of about 8 kB in JSON, with different environments.
func benchPods(n int) *corev1.PodList {
	list := &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}}
	for i := range n {
		pod := samplePods().Items[0]
		pod.Name, pod.UID = fmt.Sprintf("web-7f5b9c6d48-%05d", i), types.UID(fmt.Sprintf("0f4c8a34-0000-4000-8000-%012d", i))
		for j := range 125 {
			pod.Spec.Containers[0].Env = append(pod.Spec.Containers[0].Env, corev1.EnvVar{
				Name: fmt.Sprintf("SETTING_NUMBER_%d", j), Value: fmt.Sprintf("value %d of pod %d", j*j, i),
			})
		}
		list.Items = append(list.Items, pod)
	}
	return list
}

// BenchmarkList lists 1,000 pods over HTTP, as a check does. The server sends what was encoded before.
func BenchmarkList(b *testing.B) {
	list := benchPods(1000)
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
