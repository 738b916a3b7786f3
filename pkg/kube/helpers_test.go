package kube

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"

	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
)

// selector selects the pods of the release "abc".
const selector = "pod-template-hash=abc"

var errSIGTERM = errors.New("interrupted by SIGTERM")

// serve starts a server and returns a client for namespace shop.
func serve(t testing.TB, handler http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections) // before Close, which waits for requests in flight
	return newClient(t, &rest.Config{Host: server.URL})
}

func newClient(t testing.TB, config *rest.Config) *Client {
	t.Helper()
	client, err := NewClient(t.Context(), Cluster{config: config}, "shop", "crashcheck/test")
	if err != nil {
		t.Fatalf("NewClient: %v", err)
	}
	t.Cleanup(client.http.CloseIdleConnections)
	return client
}

// inProcess is a transport to a handler in this process.
type inProcess http.HandlerFunc

func (handle inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	handle(recorder, r)
	response := recorder.Result()
	response.Request = r
	return response, nil
}

// serveInProcess is like serve, without connections.
func serveInProcess(t testing.TB, handler http.HandlerFunc) *Client {
	t.Helper()
	client := newClient(t, &rest.Config{Host: "http://127.0.0.1:1"})
	client.http.Transport = inProcess(handler)
	return client
}

// list returns the pods of a list, and the error.
func list(ctx context.Context, client *Client) ([]corev1.Pod, error) {
	var pods []corev1.Pod
	err := client.List(ctx, selector, collect(&pods))
	return pods, err
}

func collect(pods *[]corev1.Pod) func(*corev1.Pod) error {
	return func(pod *corev1.Pod) error {
		*pods = append(*pods, *pod.DeepCopy())
		return nil
	}
}

// decode decodes the body of a response.
func decode(body []byte, contentType string) ([]corev1.Pod, error) {
	var pods []corev1.Pod
	err := read(bytes.NewReader(body), contentType, collect(&pods))
	return pods, err
}

func read(body io.Reader, contentType string, visit func(*corev1.Pod) error) error {
	return (&listReader{body: &listBody{from: body, left: maxBytes}, visit: visit}).read(contentType)
}

func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// wantError fails the test unless the error's text contains all of these.
func wantError(t *testing.T, err error, wants ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range wants {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %q; it does not contain %q", err, want)
		}
	}
}

// answer sends this response to every request.
func answer(code int, contentType string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if contentType == "" {
			w.Header()["Content-Type"] = nil // otherwise net/http guesses one
		} else {
			w.Header().Set("Content-Type", contentType)
		}
		w.WriteHeader(code)
		_, _ = w.Write(body)
	}
}

// samplePods returns a healthy pod, one that crashes, and one without a status.
func samplePods() *corev1.PodList {
	started := metav1.NewTime(time.Date(2026, time.May, 4, 3, 2, 1, 0, time.UTC))
	always := corev1.ContainerRestartPolicyAlways
	return &corev1.PodList{
		ListMeta: metav1.ListMeta{ResourceVersion: "4711"},
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

// library is apimachinery's own codec for core/v1.
var library = func() serializer.CodecFactory {
	scheme := runtime.NewScheme()
	utilruntime.Must(corev1.AddToScheme(scheme))
	return serializer.NewCodecFactory(scheme)
}()

// encode encodes an object as an API server does.
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
