package kube

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// statusIn returns the Status in an error.
func statusIn(t *testing.T, err error) metav1.Status {
	t.Helper()
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		t.Fatalf("the error is not an APIStatus: %v", err)
	}
	return status.Status()
}

func TestAnotherStatusIsAnErrorWithItsCode(t *testing.T) {
	forbidden := &metav1.Status{
		Status: metav1.StatusFailure, Code: 403, Reason: metav1.StatusReasonForbidden,
		Message: `pods is forbidden: User "system:serviceaccount:shop:gate" cannot list resource "pods" in API group "" in the namespace "shop"`,
	}
	const rule = `permission to list pods in namespace shop: bind it there to a Role or ClusterRole with the rule {apiGroups: [""], resources: ["pods"], verbs: ["list"]}`
	for claim, test := range map[string]struct {
		code        int
		contentType string
		body        string
		want        []string
	}{
		"401 names credentials, permission, namespace and rule": {401, mediaJSON, string(encode(t, &metav1.Status{Status: "Failure", Code: 401, Message: "Unauthorized"}, mediaJSON)),
			[]string{"401 Unauthorized", "credentials", rule}},
		"403 names user, permission, namespace and rule": {403, mediaJSON, string(encode(t, forbidden, mediaJSON)),
			[]string{"403 Forbidden", "system:serviceaccount:shop:gate", rule}},
		"403 in protobuf says the same":        {403, mediaProtobuf, string(encode(t, forbidden, mediaProtobuf)), []string{"403 Forbidden", "system:serviceaccount:shop:gate", rule}},
		"403 without a Status says the rule":   {403, "", "", []string{"403 Forbidden", rule}},
		"400 says why":                         {400, mediaJSON, string(encode(t, &metav1.Status{Code: 400, Message: "unable to parse requirement"}, mediaJSON)), []string{"400 Bad Request", "unable to parse requirement"}},
		"404 of a proxy":                       {404, "text/plain", "404 page not found\n", []string{"404 Not Found", `the server sent text/plain: "404 page not found\n"`}},
		"500 with HTML, shortened to one line": {500, "text/html", "<h1>\nOops</h1>" + strings.Repeat("x", 50_000), []string{"500 Internal Server Error", `text/html: "<h1>\nOops</h1>xxx`}},
		"503 with a truncated Status":          {503, mediaJSON, `{"kind":"Status","apiVersion":"v1","messa`, []string{"503 Service Unavailable"}},
		"an unknown status":                    {599, "", "", []string{"599"}},
		"a Status with another code":           {500, mediaJSON, string(encode(t, &metav1.Status{Status: metav1.StatusSuccess, Code: 200, Message: "fine"}, mediaJSON)), []string{"500 Internal Server Error", "fine"}},
		"a body with control characters":       {500, "text/plain", "\x1b[31mred\x00", []string{`\x1b[31mred\x00`}},
		"a redirect without a location":        {302, "", "", []string{"redirects are refused", "302"}},
		"the lowest redirect":                  {300, "", "", []string{"redirects are refused", "300"}},
		"an empty body":                        {502, "text/html", "", []string{"502 Bad Gateway", "the server gave no reason"}},
		"a Status of another version":          {503, mediaJSON, `{"kind":"Status","apiVersion":"v9"}`, []string{"503 Service Unavailable", "the server sent application/json"}},
	} {
		t.Run(claim, func(t *testing.T) {
			_, err := list(t.Context(), serve(t, answer(test.code, test.contentType, []byte(test.body))))
			wantError(t, err, test.want...)
			if code := statusIn(t, err).Code; code != int32(test.code) {
				t.Errorf("the error's code is %d, want %d", code, test.code)
			}
			if strings.ContainsAny(err.Error(), "\n\x1b") || len(err.Error()) > 1000 {
				t.Errorf("the error is not one short line: %q", err)
			}
		})
	}
}

func TestTheDelayThatTheServerRequestsIsInTheError(t *testing.T) {
	withDelay := encode(t, &metav1.Status{Code: 429, Reason: metav1.StatusReasonTooManyRequests, Details: &metav1.StatusDetails{Kind: "pods", RetryAfterSeconds: 7}}, mediaJSON)
	for claim, test := range map[string]struct {
		header string
		body   []byte
		want   int
	}{
		"in the header": {"3", nil, 3},
		"in a header that is larger than any type": {"99999999999999999999999999", nil, 1<<31 - 1},
		"in the Status":                     {"", withDelay, 7},
		"in both: the header counts":        {"3", withDelay, 3},
		"nowhere":                           {"", nil, 0},
		"of a date, which counts as absent": {"Mon, 04 May 9026 03:02:05 GMT", nil, 0},
		"of another text":                   {"soon", withDelay, 7},
	} {
		t.Run(claim, func(t *testing.T) {
			_, err := list(t.Context(), serve(t, func(w http.ResponseWriter, r *http.Request) {
				if test.header != "" {
					w.Header().Set("Retry-After", test.header)
				}
				answer(429, mediaJSON, test.body)(w, r)
			}))
			if got, _ := apierrors.SuggestsClientDelay(err); got != test.want {
				t.Errorf("%d seconds, want %d, in: %v", got, test.want, err)
			}
			if details := statusIn(t, err).Details; test.body != nil && details.Kind != "pods" {
				t.Errorf("the other details are lost: %v", details)
			}
		})
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	for _, code := range []int{301, 302, 303, 307, 308} {
		for location, host := range map[string]string{"https://elsewhere:1/login": "elsewhere:1", "/login": "127.0.0.1:1"} {
			requests := 0
			_, err := list(t.Context(), serveInProcess(t, func(w http.ResponseWriter, r *http.Request) {
				requests++
				http.Redirect(w, r, location, code)
			}))
			wantError(t, err, "redirects are refused", fmt.Sprintf("%d to host %q", code, host))
			if got := statusIn(t, err).Code; got != int32(code) || requests != 1 {
				t.Errorf("%d to %s: the error's code is %d after %d requests", code, host, got, requests)
			}
		}
	}
}

func TestAListIsOneRequest(t *testing.T) {
	var requests []*http.Request
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests = append(requests, r) // one at a time
		answer(200, mediaProtobuf, encode(t, samplePods(), mediaProtobuf))(w, r)
	})
	if err := client.List(t.Context(), "a=b,c in (d,e)", func(*corev1.Pod) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if len(requests) != 1 {
		t.Fatalf("%d requests", len(requests))
	}
	r := requests[0]
	if r.Method != http.MethodGet || r.URL.Path != "/api/v1/namespaces/shop/pods" {
		t.Errorf("the request is %s %s", r.Method, r.URL.Path)
	}
	// No limit, and no resourceVersion: with "0", the server may answer from any cache, however old.
	if got, want := r.URL.RawQuery, "labelSelector=a%3Db%2Cc+in+%28d%2Ce%29"; got != want {
		t.Errorf("the query is %s, want %s", got, want)
	}
	for name, want := range map[string]string{"Accept": mediaProtobuf + "," + mediaJSON, "Accept-Encoding": "gzip", "User-Agent": "crashcheck/test"} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestTheServersAddressKeepsItsPathAndLosesItsQuery(t *testing.T) {
	var received *url.URL
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		received = r.URL
		answer(200, mediaJSON, encode(t, samplePods(), mediaJSON))(w, r)
	}))
	defer server.Close()
	for address, path := range map[string]string{
		"/k8s/clusters/c-1/":   "/k8s/clusters/c-1",
		"/k8s/a%2Fb":           "/k8s/a%2Fb",
		"/?x=y":                "", // a query must not replace the selector
		"/k8s?labelSelector=y": "/k8s",
	} {
		if _, err := list(t.Context(), newClient(t, &rest.Config{Host: server.URL + address})); err != nil {
			t.Fatal(err)
		}
		if want := path + "/api/v1/namespaces/shop/pods?labelSelector=pod-template-hash%3Dabc"; received.RequestURI() != want {
			t.Errorf("with the address %s, the request is for %s, want %s", address, received.RequestURI(), want)
		}
	}
}

func TestANameCannotNameAnotherResource(t *testing.T) {
	client := serve(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("a request for %s", r.URL) })
	for _, name := range []string{"", ".", "..", "../secrets", "a%2Fb", "web?x", "Web"} {
		_, err := client.Log(t.Context(), name, "app", false, 1, 1)
		wantError(t, err, "invalid name", "in pods")
		_, err = client.Workload("deployment", name, nil).Resolve(t.Context())
		wantError(t, err, "invalid name", "in deployments")
	}
	for _, namespace := range []string{"", " ", ".", "..", "a/b", "a/../..", "shop?x", "Shop", strings.Repeat("a", 64)} {
		_, err := NewClient(t.Context(), Cluster{config: &rest.Config{Host: "http://127.0.0.1:1"}}, namespace, "test")
		wantError(t, err, "invalid namespace")
	}
}
