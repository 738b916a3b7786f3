package faults

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/crashcheck/crashcheck/test/simcluster"
)

const asJSON = "application/json"

// believesNot is a row in which every answer is this.
func believesNot(fault string, code int, contentType, body, says string) row {
	return row{
		fault: fault, prepare: broken(simcluster.Answer(code, contentType, body)), settings: []string{"MIN_PODS=0"}, // an empty list would pass
		verdict: "inconclusive", exit: 3, says: says,
	}
}

// pages serves pages of JSON, by continue token.
func pages(page func(token string) corev1.PodList) simcluster.Middleware {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			list := page(r.URL.Query().Get("continue"))
			list.Kind, list.APIVersion, list.ResourceVersion = "PodList", "v1", "1"
			w.Header().Set("Content-Type", asJSON)
			_ = json.NewEncoder(w).Encode(list) // a client that is gone needs no answer
		})
	}
}

// restarted is a pod whose only container runs, after so many restarts.
func restarted(name string, restarts int32) corev1.Pod {
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, UID: types.UID(name), Labels: map[string]string{"pod-template-hash": "abc"}},
		Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
			Name: "app", RestartCount: restarts, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
		}}},
	}
}

// crashes checks the count on standard output.
func crashes(want int64) func(*bench) {
	return func(b *bench) {
		if b.line.Crashes == nil || *b.line.Crashes != want {
			b.Errorf("the count of crashes is %v, want %d", b.line.Crashes, want)
		}
	}
}

func bodyRows() []row {
	var token atomic.Int64
	return []row{
		believesNot("{}", 200, asJSON, `{}`, "no list of pods"),
		believesNot("null", 200, asJSON, `null`, "no list of pods"),
		believesNot("an unrelated object", 200, asJSON, `{"status":"ok"}`, "no list of pods"),
		believesNot("another kind of list", 200, asJSON, `{"kind":"ServiceList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[]}`, `of kind "ServiceList"`),
		believesNot("a ConfigMap", 200, asJSON, `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"resourceVersion":"1"}}`, `of kind "ConfigMap"`),
		believesNot("a Status that says Success", 200, asJSON, `{"kind":"Status","apiVersion":"v1","status":"Success","code":200}`, `of kind "Status"`),
		believesNot("a PodList without resourceVersion", 200, asJSON, `{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[]}`, "it has no resourceVersion"),
		believesNot("HTML, the login page of a proxy", 200, "text/html", `<html><h1>Log in</h1></html>`, `content type "text/html"`),
		believesNot("204 No Content", 204, asJSON, ``, "204 No Content"),
		believesNot("an empty 200", 200, asJSON, ``, "it is empty"),
		believesNot("a pod without UID", 200, asJSON, `{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"a"}}]}`, "pod without UID"),
		believesNot("a repeated continue token", 200, asJSON, `{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1","continue":"again"},"items":[]}`, "repeats a continue token"),
		{
			fault: "continue tokens without end", settings: []string{"MIN_PODS=0", "API_GRACE=0"},
			prepare: broken(pages(func(string) corev1.PodList {
				return corev1.PodList{ListMeta: metav1.ListMeta{Continue: fmt.Sprint(token.Add(1))}}
			})),
			verdict: "inconclusive", exit: 3, says: "the list has no end|no answer within|no time is left",
		},
		{
			fault: "a body without end", settings: []string{"API_GRACE=0"},
			prepare: broken(func(http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Type", asJSON)
					blank := make([]byte, 1<<20)
					for i := range blank {
						blank[i] = ' '
					}
					for r.Context().Err() == nil {
						if _, err := w.Write(blank); err != nil {
							return
						}
					}
				})
			}),
			verdict: "inconclusive", exit: 3, says: "larger than 64 MiB|no answer within 10s",
		},
		{
			fault: "a list broken off in protobuf", settings: []string{"MIN_PODS=0"}, prepare: broken(simcluster.Truncate(700)),
			verdict: "inconclusive", exit: 3, says: "unexpected EOF",
		},
		{
			fault: "a list broken off in JSON", settings: []string{"MIN_PODS=0"}, options: []simcluster.Option{simcluster.WithoutProtobuf()}, prepare: broken(simcluster.Truncate(700)),
			verdict: "inconclusive", exit: 3, says: "unexpected EOF",
		},
		{
			fault: "a fault in page 2: page 1 counts for nothing", settings: []string{"CRASH_LIMIT=1"},
			prepare: broken(func(http.Handler) http.Handler {
				first := pages(func(string) corev1.PodList {
					return corev1.PodList{ListMeta: metav1.ListMeta{Continue: "2"}, Items: []corev1.Pod{restarted("a", 1)}}
				})(nil)
				return simcluster.Only("continue=", simcluster.Answer(500, asJSON, "oops"))(first)
			}),
			verdict: "inconclusive", exit: 3, says: "500 Internal Server Error", check: crashes(0),
		},
		{
			fault: "the same pod on two pages counts once",
			prepare: broken(pages(func(token string) corev1.PodList {
				list := corev1.PodList{Items: []corev1.Pod{restarted("a", 2)}}
				if token == "" {
					list.Continue = "2"
				}
				return list
			})),
			verdict: "pass", exit: 0, says: "1 pod seen", check: crashes(2),
		},
		{
			fault: "pods without any status",
			prepare: broken(pages(func(string) corev1.PodList {
				return corev1.PodList{Items: []corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Name: "a", Namespace: namespace, UID: "a"}}}}
			})),
			verdict: "pass", exit: 0, says: "1 pod seen",
		},
		{
			fault:   "restartCount at its largest, in two pods",
			prepare: func(b *bench) { b.server.SetPods(restarted("a", 1<<31-1), restarted("b", 1<<31-1)) },
			verdict: "fail", exit: 1, says: "FAIL .*: 4294967294 crashes", check: crashes(2 * (1<<31 - 1)),
		},
		{
			fault: "restartCount falls: what was counted stays", settings: []string{"DURATION=20s"},
			prepare: func(b *bench) { b.server.SetPods(restarted("a", 2)) },
			during:  func(b *bench) { b.untilLogged("crashes 2/3"); b.server.SetPods(restarted("a", 1)) },
			verdict: "fail", exit: 1, says: "FAIL .*: 3 crashes", check: crashes(3),
		},
		{
			fault:   "no pod matches",
			prepare: func(b *bench) { b.server.SetPods() },
			verdict: "inconclusive", exit: 3, says: "no pod ever matched rollouts-pod-template-hash=abc or pod-template-hash=abc",
		},
	}
}
