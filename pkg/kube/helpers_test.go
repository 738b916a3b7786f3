package kube

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"

	utilruntime "k8s.io/apimachinery/pkg/util/runtime"

	"github.com/crashcheck/crashcheck/pkg/checker"
)

// patience bounds what a test waits for. It is for machines that are slow, not for the code under test.
const patience = 30 * time.Second

// options are those of a list of the release "abc".
var options = metav1.ListOptions{LabelSelector: "pod-template-hash=abc", Limit: 250}

// serve starts a server and returns a lister of its pods in namespace shop.
func serve(t testing.TB, handler http.HandlerFunc) *PodLister {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections) // before Close, which waits for requests in flight
	return lister(t, &rest.Config{Host: server.URL})
}

func lister(t testing.TB, config *rest.Config) *PodLister {
	t.Helper()
	pods, err := NewPodLister(t.Context(), Cluster{config: config}, "shop", "crashcheck/test")
	if err != nil {
		t.Fatalf("NewPodLister: %v", err)
	}
	t.Cleanup(pods.client.CloseIdleConnections)
	return pods
}

// answer answers every request with this.
func answer(code int, contentType string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if contentType == "" {
			w.Header()["Content-Type"] = nil // or net/http would guess one
		} else {
			w.Header().Set("Content-Type", contentType)
		}
		w.WriteHeader(code)
		_, _ = w.Write(body)
	}
}

// samplePods are what a page may hold: a healthy pod, one that crashes, one without any status.
func samplePods() *corev1.PodList {
	started := metav1.NewTime(time.Date(2026, time.May, 4, 3, 2, 1, 0, time.UTC))
	always := corev1.ContainerRestartPolicyAlways
	return &corev1.PodList{
		ListMeta: metav1.ListMeta{ResourceVersion: "4711", Continue: "next"},
		Items: []corev1.Pod{
			{
				ObjectMeta: metav1.ObjectMeta{
					Name: "web-abc-1", Namespace: "shop", UID: "u1", Labels: map[string]string{"pod-template-hash": "abc"},
					ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubelet", FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(`{"f:status":{}}`)}},
				},
				Spec: corev1.PodSpec{InitContainers: []corev1.Container{{Name: "proxy", RestartPolicy: &always}}, Containers: []corev1.Container{{Name: "app"}}},
				Status: corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{
					Name: "app", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: started}},
				}}},
			},
			{
				ObjectMeta: metav1.ObjectMeta{Name: "web-abc-2", Namespace: "shop", UID: "u2"},
				Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
					Name: "app", RestartCount: 1<<31 - 1, ContainerID: "containerd://2",
					State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
						ExitCode: 137, Reason: "OOMKilled", Message: "out of memory\n\x1b[31m", ContainerID: "containerd://2", FinishedAt: started,
					}},
				}}},
			},
			{ObjectMeta: metav1.ObjectMeta{Name: "web-abc-3", Namespace: "shop", UID: "u3"}},
		},
	}
}

// decode reads a whole answer.
func decode(body []byte, contentType string) (*checker.PodList, error) {
	return readPodList(bytes.NewReader(body), contentType)
}

// library is apimachinery's own coding of core/v1, put together in another way than the code under test does it.
var library = func() serializer.CodecFactory {
	scheme := runtime.NewScheme()
	utilruntime.Must(corev1.AddToScheme(scheme))
	return serializer.NewCodecFactory(scheme)
}()

// encode writes an object as an API server does.
func encode(t testing.TB, object runtime.Object, mediaType string) []byte {
	t.Helper()
	info, ok := runtime.SerializerInfoForMediaType(library.SupportedMediaTypes(), mediaType)
	if !ok {
		t.Fatalf("the library does not encode %s", mediaType)
	}
	body, err := runtime.Encode(library.EncoderForVersion(info.Serializer, corev1.SchemeGroupVersion), object)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// edited returns the sample list as JSON, with changes at its top level. A nil value takes a key out.
func edited(t testing.TB, changes map[string]any) []byte {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal(encode(t, samplePods(), mediaJSON), &object); err != nil {
		t.Fatal(err)
	}
	for key, value := range changes {
		if value == nil {
			delete(object, key)
			continue
		}
		object[key] = value
	}
	body, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return body
}
