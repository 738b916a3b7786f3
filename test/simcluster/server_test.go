package simcluster

import (
	"context"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// start starts a server whose time stands still.
func start(t *testing.T, opts ...Option) *Server {
	t.Helper()
	server := Start(append([]Option{WithSpeed(0)}, opts...)...)
	t.Cleanup(server.Close)
	return server
}

// client is a REST client made from the server's kubeconfig, as a user's would be.
func client(t *testing.T, server *Server, accept string) *rest.RESTClient {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := server.WriteKubeconfig(path, "shop"); err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	config.APIPath, config.GroupVersion = "/api", &corev1.SchemeGroupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	config.AcceptContentTypes = accept
	config.QPS = -1 // no limit
	client, err := rest.RESTClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

const (
	asJSON     = runtime.ContentTypeJSON
	asProtobuf = runtime.ContentTypeProtobuf
	asEither   = asProtobuf + "," + asJSON
)

// list asks for pods of namespace shop; params are name and value, in turn.
func list(t *testing.T, client *rest.RESTClient, params ...string) (*corev1.PodList, error) {
	t.Helper()
	request := client.Get().Namespace("shop").Resource("pods").MaxRetries(0)
	for pair := range slices.Chunk(params, 2) {
		request = request.Param(pair[0], pair[1])
	}
	pods := &corev1.PodList{}
	err := request.Do(t.Context()).Into(pods)
	return pods, err
}

func mustList(t *testing.T, client *rest.RESTClient, params ...string) *corev1.PodList {
	t.Helper()
	pods, err := list(t, client, params...)
	if err != nil {
		t.Fatalf("listing with %q: %v", params, err)
	}
	return pods
}

func shop(hash string, replicas int) Release {
	return Release{Namespace: "shop", Name: "web", Hash: hash, Replicas: replicas, Age: time.Minute}
}

func names(list *corev1.PodList) []string {
	var names []string
	for _, pod := range list.Items {
		names = append(names, pod.Name)
	}
	return names
}

func TestResourceVersionGrowsWithTimeAndWithWrites(t *testing.T) {
	server := start(t)
	client := client(t, server, asEither)
	previous := 0
	for i, change := range []func(){func() {}, func() { server.Deploy(shop("abc", 2)) }, func() { server.Advance(time.Second) }, func() { server.SetPods() }} {
		change()
		version, err := strconv.Atoi(mustList(t, client).ResourceVersion)
		if err != nil || version <= previous {
			t.Errorf("after change %d: resourceVersion %d (%v), want more than %d", i, version, err, previous)
		}
		previous = version
	}
}

func TestSelectors(t *testing.T) {
	server := start(t)
	server.Deploy(shop("abc", 2))
	server.Deploy(Release{Namespace: "shop", Name: "canary", Hash: "abc", HashLabel: "rollouts-pod-template-hash"})
	server.Deploy(Release{Namespace: "elsewhere", Hash: "abc"})
	client := client(t, server, asEither)
	for selector, want := range map[string]int{
		"":                                      3,
		"pod-template-hash=abc":                 2,
		"rollouts-pod-template-hash=abc":        1,
		"pod-template-hash=ab":                  0,
		"pod-template-hash=abc,app in (web)":    2,
		"pod-template-hash=abc,app notin (web)": 0,
	} {
		pods := mustList(t, client, "labelSelector", selector)
		if len(pods.Items) != want || pods.ResourceVersion == "" {
			t.Errorf("selector %q: got %d pods at resourceVersion %q, want %d", selector, len(pods.Items), pods.ResourceVersion, want)
		}
	}
}

func TestProtobufEqualsJSON(t *testing.T) {
	server := start(t)
	server.Deploy(Release{Namespace: "shop", Hash: "abc", Replicas: 40, Age: time.Minute, App: OOMKilled(time.Second), Init: &Life{}, Sidecar: &Life{}})
	fromJSON, fromProtobuf := mustList(t, client(t, server, asJSON)), mustList(t, client(t, server, asProtobuf))
	if len(fromJSON.Items) != 40 || !equality.Semantic.DeepEqual(fromJSON.Items, fromProtobuf.Items) || fromJSON.ListMeta != fromProtobuf.ListMeta {
		t.Error("a list differs between JSON and protobuf")
	}
	requests := server.Requests()
	if requests[0].Accept != asJSON || requests[1].Accept != asProtobuf {
		t.Errorf("recorded requests: got %+v", requests)
	}
}

func TestAnswers(t *testing.T) {
	const pods = "/api/v1/namespaces/shop/pods"
	for _, test := range []struct {
		claim, path, accept string
		opts                []Option
		wantCode            int
		wantType, wantBody  string
	}{
		{"a list names its kind", pods, "", nil, 200, asJSON, `"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[]`},
		{"protobuf is served when asked for", pods, asEither, nil, 200, asProtobuf, "k8s\x00"},
		{"a server without protobuf falls back to JSON", pods, asEither, []Option{WithoutProtobuf()}, 200, asJSON, `"kind":"PodList"`},
		{"a server without protobuf rejects a client without JSON", pods, asProtobuf, []Option{WithoutProtobuf()}, 406, asJSON, `"code":406`},
		{"kubectl's request for a table is ignored", pods, asJSON + ";as=Table;v=v1;g=meta.k8s.io," + asJSON, nil, 200, asJSON, `"kind":"PodList"`},
		{"without a token there is no list", pods, "", []Option{WithToken("secret")}, 401, asJSON, `"reason":"Unauthorized"`},
		{"other resources are not served", "/api/v1/namespaces/shop/secrets", "", nil, 404, "text/plain; charset=utf-8", "404 page not found"},
		{"other paths are not served", "/", "", nil, 404, "text/plain; charset=utf-8", "404 page not found"},
		{"a malformed selector is a bad request", pods + "?labelSelector=a%3D%3D%3Db", "", nil, 400, asJSON, `"reason":"BadRequest"`},
		{"paging is not simulated", pods + "?limit=500", "", nil, 400, asJSON, "not simulated"},
		{"a watch is not simulated", pods + "?watch=true", "", nil, 400, asJSON, "not simulated"},
	} {
		t.Run(test.claim, func(t *testing.T) {
			code, mediaType, body := get(t, start(t, test.opts...), test.path, test.accept)
			if code != test.wantCode || mediaType != test.wantType || !strings.Contains(body, test.wantBody) {
				t.Errorf("got %d %s %s\nwant %d %s …%s…", code, mediaType, body, test.wantCode, test.wantType, test.wantBody)
			}
		})
	}
}

func get(t *testing.T, server *Server, path, accept string) (code int, mediaType, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if accept != "" {
		request.Header.Set("Accept", accept)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header.Get("Content-Type"), string(text)
}

func TestTokenIsRequired(t *testing.T) {
	server := start(t, WithTLS(), WithToken("first"))
	outdated := client(t, server, asEither)
	mustList(t, outdated)
	server.SetToken("second")
	if _, err := list(t, outdated); !apierrors.IsUnauthorized(err) {
		t.Errorf("the old token after a rotation: got %v, want 401", err)
	}
	mustList(t, client(t, server, asEither))
	for _, request := range server.Requests() {
		if !request.Authorization {
			t.Errorf("a request came without authorization: %+v", request)
		}
	}
}

func TestOnlyTheKubeconfigsCAVerifiesTheServer(t *testing.T) {
	server := start(t, WithTLS())
	mustList(t, client(t, server, asEither))
	if _, err := http.Get(server.URL()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("with the system's roots: got %v, want an error about the certificate", err)
	}
}

func TestOutage(t *testing.T) {
	server := start(t, WithTLS())
	server.Deploy(shop("abc", 1))
	client := client(t, server, asEither)
	mustList(t, client)
	server.Stop()
	if _, err := list(t, client); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("during the outage: got %v, want a refused connection", err)
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	if pods := mustList(t, client); len(pods.Items) != 1 {
		t.Errorf("after the outage: got %d pods, want 1", len(pods.Items))
	}
	if err := server.Restart(); err == nil {
		t.Error("a second restart: got no error")
	}
}

func TestStopBreaksRequestsInFlight(t *testing.T) {
	server := start(t)
	reached := make(chan struct{})
	server.Handle(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(reached)
			Hang()(next).ServeHTTP(w, r)
		})
	})
	go func() {
		<-reached
		server.Stop()
	}()
	if _, err := list(t, client(t, server, asEither)); err == nil {
		t.Error("a request that hangs while the server stops: got no error")
	}
}

func TestFaults(t *testing.T) {
	server := start(t)
	server.Deploy(shop("abc", 2))
	client := client(t, server, asEither)

	server.Handle(Times(2, server.Fail(http.StatusTooManyRequests, 3*time.Second)))
	for range 2 {
		_, err := list(t, client)
		if seconds, asked := apierrors.SuggestsClientDelay(err); !apierrors.IsTooManyRequests(err) || !asked || seconds != 3 {
			t.Errorf("got %v, want 429 with a delay of 3 s", err)
		}
	}
	mustList(t, client)

	server.Handle(Truncate(100))
	if _, err := list(t, client); err == nil {
		t.Error("a truncated answer: got no error")
	}

	server.Handle(Answer(http.StatusOK, "text/html", "<html>"))
	if code, mediaType, body := get(t, server, "/api/v1/namespaces/shop/pods", ""); code != 200 || mediaType != "text/html" || body != "<html>" {
		t.Errorf("got %d %s %s", code, mediaType, body)
	}

	server.Handle(Only("/log", server.Fail(http.StatusForbidden, 0)))
	mustList(t, client)
	if code, _, _ := get(t, server, "/api/v1/namespaces/shop/pods/any/log", ""); code != 403 {
		t.Errorf("a log: got %d, want 403", code)
	}

	server.Handle(Hang())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := client.Get().Namespace("shop").Resource("pods").Do(ctx).Error(); !errors.Is(err, context.Canceled) {
		t.Errorf("a request that the client cancels: got %v", err)
	}

	server.Handle(nil)
	mustList(t, client)
}

func TestLogs(t *testing.T) {
	server := start(t)
	crash := CrashLoop(time.Second, 7)
	crash.Message = "panic: no database"
	server.Deploy(Release{Namespace: "shop", Hash: "abc", Age: 150 * time.Second, App: crash})
	pod := mustList(t, client(t, server, asJSON)).Items[0]
	path := "/api/v1/namespaces/shop/pods/" + pod.Name + "/log"
	finished := pod.Status.ContainerStatuses[0].LastTerminationState.Terminated.FinishedAt.UTC().Format(time.RFC3339)

	code, mediaType, body := get(t, server, path+"?container=app&previous=true&tailLines=2", "")
	want := "panic: no database\n" + finished + " fatal: exiting with code 7\n"
	if code != 200 || mediaType != "text/plain" || body != want {
		t.Errorf("got %d %s %q, want %q", code, mediaType, body, want)
	}
	if code, _, _ := get(t, server, path+"?container=proxy&previous=true", ""); code != 400 {
		t.Errorf("log of an unknown container: got %d, want 400", code)
	}
	if code, _, _ := get(t, server, "/api/v1/namespaces/shop/pods/other/log", ""); code != 404 {
		t.Errorf("log of an unknown pod: got %d, want 404", code)
	}
}

func TestSetPodsReplacesEverything(t *testing.T) {
	server := start(t)
	server.Deploy(shop("abc", 3))
	pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "alone", UID: "1"}}
	server.SetPods(pod)
	if got := names(mustList(t, client(t, server, asEither))); !slices.Equal(got, []string{"alone"}) {
		t.Errorf("got %v, want [alone]", got)
	}
}

func TestSpeed(t *testing.T) {
	server := Start(WithSpeed(1e9))
	defer server.Close()
	before := server.Now()
	mustList(t, client(t, server, asEither))
	if passed := server.Now() - before; passed < time.Hour {
		t.Errorf("at a thousand million times the real speed, %v passed", passed)
	}
}
