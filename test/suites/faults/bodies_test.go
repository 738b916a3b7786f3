package faults

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/crashcheck/crashcheck/test/simcluster"
)

const asJSON = "application/json"

// rejects is a row in which every response is this. With MIN_PODS=0, an empty list would pass.
func rejects(fault string, code int, contentType, body, says string) row {
	return row{
		fault: fault, prepare: broken(simcluster.Answer(code, contentType, body)), settings: []string{"MIN_PODS=0"},
		verdict: "inconclusive", exit: 3, says: says,
	}
}

// podList is a complete PodList in JSON with this metadata and these items.
func podList(metadata, items string) string {
	return fmt.Sprintf(`{"kind":"PodList","apiVersion":"v1","metadata":{%s},"items":[%s]}`, metadata, items)
}

// crashed is a pod in JSON whose container has been restarted once.
const crashed = `{"metadata":{"name":"a","uid":"a"},"spec":{"containers":[{"name":"app"}]},"status":{"containerStatuses":[{"name":"app","restartCount":1,"state":{"running":{}}}]}}`

// changed changes the bodies of all responses. Their length is correct.
func changed(change func(header http.Header, body []byte) []byte) simcluster.Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			recorder := httptest.NewRecorder()
			next.ServeHTTP(recorder, r)
			w.Header().Set("Content-Type", recorder.Header().Get("Content-Type"))
			_, _ = w.Write(change(w.Header(), recorder.Body.Bytes()))
		})
	}
}

// firstHalf is a body of which only the first half arrives.
func firstHalf(_ http.Header, body []byte) []byte { return body[:len(body)/2] }

// zipped compresses a body, and then changes it.
func zipped(change func(body []byte) []byte) func(http.Header, []byte) []byte {
	return func(header http.Header, body []byte) []byte {
		header.Set("Content-Encoding", "gzip")
		var buffer bytes.Buffer
		writer := gzip.NewWriter(&buffer)
		_, _ = writer.Write(body) // writing to a buffer does not fail
		_ = writer.Close()
		return change(buffer.Bytes())
	}
}

// endless sends a text once, and another one again and again.
func endless(first string, repeated func(i int) string) simcluster.Middleware {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", asJSON)
			_, err := io.WriteString(w, first)
			for i := 0; err == nil && r.Context().Err() == nil; i++ {
				_, err = io.WriteString(w, repeated(i))
			}
		})
	}
}

// restarted is a pod whose only container is running, after this many restarts.
func restarted(name string, restarts int32) corev1.Pod {
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, UID: types.UID(name), Labels: map[string]string{"pod-template-hash": "abc"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app"}}},
		Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
			Name: "app", RestartCount: restarts, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
		}}},
	}
}

// crashes checks the number of crashes on standard output.
func crashes(want int64) func(*bench) {
	return func(b *bench) {
		if b.line.Crashes == nil || *b.line.Crashes != want {
			b.Errorf("the number of crashes is %v, want %d", b.line.Crashes, want)
		}
	}
}

func bodyRows() []row {
	const version = `"resourceVersion":"1"`
	rows := []row{
		rejects("{}", 200, asJSON, `{}`, "invalid PodList: no kind"),
		rejects("null", 200, asJSON, `null`, "invalid PodList: the response is not a JSON object"),
		rejects("an unrelated object", 200, asJSON, `{"status":"ok"}`, "invalid PodList: no kind"),
		rejects("another kind of list", 200, asJSON, `{"kind":"ServiceList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[]}`, `invalid PodList: kind "ServiceList"`),
		rejects("a Status of Success", 200, asJSON, `{"kind":"Status","apiVersion":"v1","status":"Success","code":200}`, `invalid PodList: kind "Status"`),
		rejects("a PodList without resourceVersion", 200, asJSON, podList(``, ``), "invalid PodList: no metadata.resourceVersion"),
		rejects("an HTML login page of a proxy", 200, "text/html", `<html><h1>Log in</h1></html>`, `unsupported content type "text/html"`),
		rejects("204 No Content", 204, asJSON, ``, "204 No Content"),
		rejects("an empty 200", 200, asJSON, ``, "empty response body"),
		rejects("a pod without UID", 200, asJSON, podList(version, `{"metadata":{"name":"a"}}`), `pod "a" has no UID`),
		rejects("a list with a continue token", 200, asJSON, podList(version+`,"continue":"next"`, crashed), "incomplete list"),
		rejects("data after the list", 200, asJSON, podList(version, ``)+`{}`, "invalid PodList: data after the end of the list"),
		{
			fault: "a list that becomes invalid after its first pod: that pod does not count", settings: []string{"CRASH_LIMIT=1"},
			prepare: broken(simcluster.Answer(200, asJSON, podList(version, crashed+`,{"metadata":{"name":"b"}}`))),
			verdict: "inconclusive", exit: 3, says: `pod "b" has no UID`, check: crashes(0),
		},
		{
			fault: "a list without end", settings: []string{"API_GRACE=0"},
			prepare: broken(endless(strings.TrimSuffix(podList(version, crashed), "]}"), func(i int) string {
				return fmt.Sprintf(`,{"metadata":{"name":"p","uid":"%d"}}`, i)
			})),
			verdict: "inconclusive", exit: 3, says: "more than 200000 pods|no response within", check: crashes(0),
		},
		{
			fault: "a body without end", settings: []string{"API_GRACE=0"},
			prepare: broken(endless("", func(int) string { return strings.Repeat(" ", 1<<20) })),
			verdict: "inconclusive", exit: 3, says: "more than 8 MiB without a complete pod|no response within",
		},
	}
	// The same list, incomplete in different ways.
	for _, test := range []struct {
		fault      string
		middleware simcluster.Middleware
		says       string
	}{
		{"the connection is closed within the list", simcluster.Truncate(700), "unexpected EOF"},
		{"the first half of a list", changed(firstHalf), "invalid PodList: .*(EOF|end|truncated)"},
		{"the first half of a compressed list", changed(zipped(func(body []byte) []byte { return body[:len(body)/2] })), "unexpected EOF"},
		{"a compressed list with a wrong byte", changed(zipped(func(body []byte) []byte { body[len(body)/2] ^= 0xff; return body })), "flate: corrupt input|gzip: invalid|invalid PodList"},
		{"a list that is not compressed as it says", changed(func(header http.Header, body []byte) []byte { header.Set("Content-Encoding", "gzip"); return body }), "gzip: invalid header"},
	} {
		for encoding, options := range map[string][]simcluster.Option{"protobuf": nil, "JSON": {simcluster.WithoutProtobuf()}} {
			rows = append(rows, row{
				fault: test.fault + " (" + encoding + ")", settings: []string{"MIN_PODS=0"}, options: options, prepare: broken(test.middleware),
				verdict: "inconclusive", exit: 3, says: test.says,
			})
		}
	}
	return append(rows,
		row{
			fault:   "the same pod twice in a list counts once",
			prepare: func(b *bench) { b.server.SetPods(restarted("a", 2), restarted("a", 2)) },
			verdict: "pass", exit: 0, check: func(b *bench) {
				crashes(2)(b)
				if b.line.Pods != 1 {
					b.Errorf("%d pods, want 1", b.line.Pods)
				}
			},
		},
		row{
			fault:   "the largest restartCount, in two pods",
			prepare: func(b *bench) { b.server.SetPods(restarted("a", 1<<31-1), restarted("b", 1<<31-1)) },
			verdict: "fail", exit: 1, says: "FAIL .*: 4294967294 crashes", check: crashes(2 * (1<<31 - 1)),
		},
		row{
			fault: "restartCount falls: earlier crashes still count", settings: []string{"DURATION=20s"},
			prepare: func(b *bench) { b.server.SetPods(restarted("a", 2)) },
			during:  func(b *bench) { b.untilLogged("crash 2/3"); b.server.SetPods(restarted("a", 1)) },
			verdict: "fail", exit: 1, says: "FAIL .*: 3 crashes", check: crashes(3),
		},
	)
}
