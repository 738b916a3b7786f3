package simcluster

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestAnswers(t *testing.T) {
	const (
		pods   = "/api/v1/namespaces/shop/pods"
		either = "application/vnd.kubernetes.protobuf,application/json"
	)
	for _, test := range []struct {
		claim, path, accept string
		opts                []Option
		code                int
		mediaType, body     string
	}{
		{"an empty list has a kind and a resourceVersion", pods + "?labelSelector=app%3Dnone", "", nil, 200, "application/json",
			`{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[]}`},
		{"a selector selects", pods + "?labelSelector=app%3Dweb,pod-template-hash+in+(abc)", "", nil, 200, "application/json", `"labels":{"app":"web"`},
		{"protobuf is served when asked for", pods, either, nil, 200, "application/vnd.kubernetes.protobuf", "k8s\x00"},
		{"a server without protobuf falls back to JSON", pods, either, []Option{WithoutProtobuf()}, 200, "application/json", `"kind":"PodList"`},
		{"without a token there is no list", pods, "", []Option{WithToken("secret")}, 401, "application/json", `"reason":"Unauthorized"`},
		{"a malformed selector is a bad request", pods + "?labelSelector=a%3D%3D%3Db", "", nil, 400, "application/json", `"reason":"BadRequest"`},
		{"paging is not simulated", pods + "?limit=500", "", nil, 400, "application/json", "limit=500 is not simulated"},
		{"a workload has a kind and a resourceVersion", "/apis/apps/v1/namespaces/shop/deployments/web", "", nil, 200, "application/json", `"resourceVersion":"1"`},
		{"a Rollout has a string as observedGeneration", "/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/argo", "", nil, 200, "application/json", `"observedGeneration":"2"`},
		{"a workload that does not exist is a Status", "/apis/apps/v1/namespaces/shop/statefulsets/web", "", nil, 404, "application/json",
			`"message":"statefulsets.apps \"web\" not found","reason":"NotFound","details":{"name":"web","group":"apps","kind":"statefulsets"},"code":404}`},
		{"a path that is not served is no Status", "/api/v1/namespaces/shop/secrets", "", nil, 404, "text/plain; charset=utf-8", "404 page not found"},
	} {
		t.Run(test.claim, func(t *testing.T) {
			server := Start(append(test.opts, WithSpeed(0))...)
			defer server.Close()
			server.Deploy(Release{Namespace: "shop", Name: "web", Hash: "abc", Age: time.Minute, Workload: Workload{Kind: "Deployment"}})
			server.Deploy(Release{Namespace: "shop", Name: "argo", Hash: "abc", Age: time.Minute, Workload: Workload{Kind: "Rollout"}})
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL()+test.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Accept", test.accept)
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			mediaType := response.Header.Get("Content-Type")
			if response.StatusCode != test.code || mediaType != test.mediaType || !strings.Contains(string(body), test.body) {
				t.Errorf("got %d %s %s\nwant %d %s …%s…", response.StatusCode, mediaType, body, test.code, test.mediaType, test.body)
			}
		})
	}
}
