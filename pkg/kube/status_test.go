package kube

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// statusOf returns the code that the rest of the program acts on.
func statusOf(t *testing.T, err error) metav1.Status {
	t.Helper()
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		t.Fatalf("the error is no APIStatus: %v", err)
	}
	return status.Status()
}

func TestOtherStatusesAreErrorsOfTheirCode(t *testing.T) {
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
		"403 in protobuf says the same":         {403, mediaProtobuf, string(encode(t, forbidden, mediaProtobuf)), []string{"403 Forbidden", "system:serviceaccount:shop:gate", rule}},
		"403 without a Status says the rule":    {403, "", "", []string{"403 Forbidden", rule}},
		"400 says why":                          {400, mediaJSON, string(encode(t, &metav1.Status{Code: 400, Message: "unable to parse requirement"}, mediaJSON)), []string{"400 Bad Request", "unable to parse requirement"}},
		"404 of a proxy":                        {404, "text/plain", "404 page not found\n", []string{"404 Not Found", `text/plain: "404 page not found\n"`}},
		"406":                                   {406, "", "", []string{"406 Not Acceptable"}},
		"410":                                   {410, mediaJSON, string(encode(t, &metav1.Status{Code: 410, Reason: metav1.StatusReasonExpired, Message: "too old"}, mediaJSON)), []string{"410 Gone", "too old"}},
		"415":                                   {415, "", "", []string{"415 Unsupported Media Type"}},
		"422":                                   {422, "", "", []string{"422 Unprocessable Entity"}},
		"500 with HTML, on one line and cut":    {500, "text/html", "<h1>\nOops</h1>" + strings.Repeat("x", 50_000), []string{"500 Internal Server Error", `text/html: "<h1>\nOops</h1>xxx`}},
		"502":                                   {502, "", "", []string{"502 Bad Gateway"}},
		"503 with a truncated Status":           {503, mediaJSON, `{"kind":"Status","apiVersion":"v1","messa`, []string{"503 Service Unavailable"}},
		"504":                                   {504, "", "", []string{"504 Gateway Timeout"}},
		"a status that nobody knows":            {599, "", "", []string{"599"}},
		"a Status whose code is another":        {500, mediaJSON, string(encode(t, &metav1.Status{Status: metav1.StatusSuccess, Code: 200, Message: "fine"}, mediaJSON)), []string{"500 Internal Server Error", "fine"}},
		"a Status whose details are not there":  {429, mediaJSON, `{"kind":"Status","apiVersion":"v1","status":"Failure"}`, []string{"429 Too Many Requests"}},
		"a body with control characters":        {500, "text/plain", "\x1b[31mred\x00", []string{`\x1b[31mred\x00`}},
		"a redirect without a place to go":      {302, "", "", []string{"redirects are refused", "302"}},
		"304, which nobody has asked for":       {304, "", "", []string{"304"}},
		"a list of pods that comes with a 500":  {500, mediaJSON, string(encode(t, samplePods(), mediaJSON)), []string{"500 Internal Server Error"}},
		"a list of pods that comes with a 403":  {403, mediaProtobuf, string(encode(t, samplePods(), mediaProtobuf)), []string{"403 Forbidden", rule}},
		"a Status of another version, in a 503": {503, mediaJSON, `{"kind":"Status","apiVersion":"v9"}`, []string{"503 Service Unavailable"}},
	} {
		t.Run(claim, func(t *testing.T) {
			list, err := serve(t, answer(test.code, test.contentType, []byte(test.body))).List(t.Context(), options)
			if err == nil {
				t.Fatalf("it is believed: %d pods", len(list.Items))
			}
			if code := statusOf(t, err).Code; code != int32(test.code) {
				t.Errorf("the error's code is %d, want %d", code, test.code)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the message is %q; it does not hold %q", err, want)
				}
			}
			if strings.ContainsAny(err.Error(), "\n\x1b") || len(err.Error()) > 1000 {
				t.Errorf("the message is no short line: %q", err)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, time.May, 4, 3, 2, 1, 500e6, time.UTC)
	for value, want := range map[string]int{
		"":                               0,
		"0":                              0,
		"1":                              1,
		"120":                            120,
		"2147483648":                     1<<31 - 1,
		"99999999999999999999999999":     1<<31 - 1,
		"-1":                             0,
		"1.5":                            0,
		"soon":                           0,
		"Mon, 04 May 2026 03:02:05 GMT":  4, // 3.5 s, never too early
		"Mon, 04 May 2026 03:02:01 GMT":  0, // past
		"Mon, 04 May 1026 03:02:01 GMT":  0,
		"Mon, 04 May 9026 03:02:01 GMT":  1<<31 - 1,
		"Monday, 04-May-26 03:02:05 GMT": 4, // the two older forms of RFC 9110
		"Mon May  4 03:02:05 2026":       4,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("Retry-After: %s is %d seconds, want %d", value, got, want)
		}
	}
}

func TestThePauseThatTheServerAsksForIsInTheError(t *testing.T) {
	withPause := encode(t, &metav1.Status{Code: 429, Reason: metav1.StatusReasonTooManyRequests, Details: &metav1.StatusDetails{RetryAfterSeconds: 7}}, mediaJSON)
	for claim, test := range map[string]struct {
		header string
		body   []byte
		want   int
	}{
		"in a header":                             {"3", nil, 3},
		"in a header that is huge":                {"4294967296", nil, 1<<31 - 1},
		"in the Status":                           {"", withPause, 7},
		"in both: the header counts":              {"3", withPause, 3},
		"in a header, beside a Status without it": {"3", encode(t, &metav1.Status{Code: 429}, mediaJSON), 3},
		"nowhere": {"", nil, 0},
	} {
		t.Run(claim, func(t *testing.T) {
			_, err := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if test.header != "" {
					w.Header().Set("Retry-After", test.header)
				}
				answer(429, mediaJSON, test.body)(w, r)
			}).List(t.Context(), options)
			got, _ := apierrors.SuggestsClientDelay(err)
			if got != test.want {
				t.Errorf("%d seconds, want %d, in: %v", got, test.want, err)
			}
		})
	}
}

func TestNeitherARequestNorTheTokenFollowsARedirect(t *testing.T) {
	var strayed atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strayed.Add(1) }))
	defer elsewhere.Close()
	for _, code := range []int{301, 302, 303, 307, 308} {
		for where, location := range map[string]string{"another host": elsewhere.URL + "/login", "the same host": "/login"} {
			var requests atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				http.Redirect(w, r, location, code)
			}))
			_, err := lister(t, &rest.Config{Host: server.URL, BearerToken: "secret"}).List(t.Context(), options)
			server.Close()
			if err == nil || !strings.Contains(err.Error(), "redirects are refused") {
				t.Errorf("%d to %s: %v", code, where, err)
				continue
			}
			if got := statusOf(t, err).Code; got != int32(code) {
				t.Errorf("%d to %s: the error's code is %d", code, where, got)
			}
			if requests.Load() != 1 || strayed.Load() != 0 {
				t.Errorf("%d to %s: %d requests here and %d elsewhere, want 1 and 0", code, where, requests.Load(), strayed.Load())
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("%d to %s: the message holds the token: %v", code, where, err)
			}
		}
	}
}

func TestOneCallIsOneRequestForWhatItNames(t *testing.T) {
	var requests []*http.Request
	pods := serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests = append(requests, r) // one at a time
		answer(200, mediaProtobuf, encode(t, samplePods(), mediaProtobuf))(w, r)
	})
	page := metav1.ListOptions{LabelSelector: "a=b,c in (d,e)", Limit: 250, Continue: "t/+&=", ResourceVersion: "0"}
	if _, err := pods.List(t.Context(), page); err != nil {
		t.Fatal(err)
	}
	if len(requests) != 1 {
		t.Fatalf("%d requests", len(requests))
	}
	r := requests[0]
	if r.Method != http.MethodGet || r.URL.Path != "/api/v1/namespaces/shop/pods" {
		t.Errorf("it is %s %s", r.Method, r.URL.Path)
	}
	// No resourceVersion: "0" would let the server answer from any cache, however old.
	if got, want := r.URL.Query().Encode(), "continue=t%2F%2B%26%3D&labelSelector=a%3Db%2Cc+in+%28d%2Ce%29&limit=250"; got != want {
		t.Errorf("its query is\n%s, want\n%s", got, want)
	}
	if got := r.Header.Get("Accept"); got != mediaProtobuf+","+mediaJSON {
		t.Errorf("it accepts %q", got)
	}
	if got := r.Header.Get("User-Agent"); got != "crashcheck/test" {
		t.Errorf("its user agent is %q", got)
	}
	if r.ProtoMajor != 1 || r.Header.Get("Accept-Encoding") != "" {
		t.Errorf("it is %s, and asks for the encoding %q", r.Proto, r.Header.Get("Accept-Encoding"))
	}
}

func TestABaseAddressWithAPathKeepsIt(t *testing.T) {
	var path string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path = r.URL.Path
		answer(200, mediaJSON, encode(t, samplePods(), mediaJSON))(w, r)
	}))
	defer server.Close()
	if _, err := lister(t, &rest.Config{Host: server.URL + "/k8s/clusters/c-1/"}).List(t.Context(), options); err != nil {
		t.Fatal(err)
	}
	if want := "/k8s/clusters/c-1/api/v1/namespaces/shop/pods"; path != want {
		t.Errorf("the path is %s, want %s", path, want)
	}
}

func TestAListerWithoutANamespaceIsRefused(t *testing.T) {
	for _, namespace := range []string{"", " ", ".", "..", "a/b", "a/../..", "shop?x", "Shop", strings.Repeat("a", 64)} {
		if _, err := NewPodLister(t.Context(), Cluster{config: &rest.Config{Host: "http://127.0.0.1:1"}}, namespace, "test"); err == nil {
			t.Errorf("namespace %q is accepted", namespace)
		}
	}
}
