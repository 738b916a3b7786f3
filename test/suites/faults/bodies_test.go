package faults

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/crashcheck/crashcheck/test/simcluster"
)

const asJSON = "application/json"

// podList is a complete PodList in JSON with this metadata and these items.
func podList(metadata, items string) string {
	return fmt.Sprintf(`{"kind":"PodList","apiVersion":"v1","metadata":{%s},"items":[%s]}`, metadata, items)
}

// crashed is a pod in JSON whose container has been restarted once.
const crashed = `{"metadata":{"name":"a","uid":"a"},"spec":{"containers":[{"name":"app"}]},"status":{"containerStatuses":[{"name":"app","restartCount":1,"state":{"running":{}}}]}}`

// half sends the first half of the body as if it were all of it.
func half(w http.ResponseWriter, r *http.Request, next http.Handler) {
	changed(func(body []byte) []byte { return body[:len(body)/2] })(w, r, next)
}

// endless sends a text once, and then more and more pods.
func endless(w http.ResponseWriter, r *http.Request, _ http.Handler) {
	w.Header().Set("Content-Type", asJSON)
	_, err := io.WriteString(w, strings.TrimSuffix(podList(`"resourceVersion":"1"`, crashed), "]}"))
	for i := 0; err == nil && r.Context().Err() == nil; i++ {
		_, err = fmt.Fprintf(w, `,{"metadata":{"name":"p","uid":"%d"}}`, i)
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

func bodyRows() []row {
	const version = `"resourceVersion":"1"`
	json := []simcluster.Option{simcluster.WithoutProtobuf()}
	rows := []row{
		{fault: "a list that becomes invalid after its first pod: that pod does not count", settings: []string{"CRASH_LIMIT=1"},
			inject:  simcluster.Answer(200, asJSON, podList(version, crashed+`,{"metadata":{"name":"b"}}`)),
			verdict: "inconclusive", says: `pod "b" has no UID`, check: crashes(0)},
		{fault: "a list without end", settings: []string{"API_GRACE=0"}, inject: endless,
			verdict: "inconclusive", says: "more than 200000 pods|no response within", check: crashes(0)},
		{fault: "the largest restartCount, in two pods",
			prepare: func(b *bench) { b.server.SetPods(restarted("a", 1<<31-1), restarted("b", 1<<31-1)) },
			verdict: "fail", says: "FAIL .*: 4294967294 crashes", check: crashes(2 * (1<<31 - 1))},
	}
	// With MIN_PODS=0, an empty list would pass.
	for _, r := range []row{
		{fault: "{}", inject: simcluster.Answer(200, asJSON, `{}`), says: "invalid PodList: no kind"},
		{fault: "null", inject: simcluster.Answer(200, asJSON, `null`), says: "invalid PodList: the response is not a JSON object"},
		{fault: "another kind of list", inject: simcluster.Answer(200, asJSON, `{"kind":"ServiceList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[]}`), says: `invalid PodList: kind "ServiceList"`},
		{fault: "a PodList without resourceVersion", inject: simcluster.Answer(200, asJSON, podList(``, ``)), says: "invalid PodList: no metadata.resourceVersion"},
		{fault: "an HTML login page of a proxy", inject: simcluster.Answer(200, "text/html", `<html><h1>Log in</h1></html>`), says: `unsupported content type "text/html"`},
		{fault: "204 No Content", inject: simcluster.Answer(204, asJSON, ``), says: "204 No Content"},
		{fault: "an empty 200", inject: simcluster.Answer(200, asJSON, ``), says: "empty response body"},
		{fault: "a list with a continue token", inject: simcluster.Answer(200, asJSON, podList(version+`,"continue":"next"`, crashed)), says: "incomplete list|incomplete PodList"},
		{fault: "the connection is closed within the list (protobuf)", inject: simcluster.Truncate(700), says: "unexpected EOF"},
		{fault: "the connection is closed within the list (JSON)", inject: simcluster.Truncate(700), options: json, says: "unexpected EOF"},
		{fault: "the first half of a list (protobuf)", inject: half, says: "invalid PodList: .*(EOF|end|truncated)"},
		{fault: "the first half of a list (JSON)", inject: half, options: json, says: "invalid PodList: .*(EOF|end|truncated)"},
		{fault: "a list that is not compressed as it says", says: "gzip: invalid header",
			inject: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				w.Header().Set("Content-Encoding", "gzip")
				next.ServeHTTP(w, r)
			}},
	} {
		r.settings, r.verdict = []string{"MIN_PODS=0"}, "inconclusive"
		rows = append(rows, r)
	}
	return rows
}
