package kube

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
)

// edits are changes of an object, by the path of the field. The value nil removes it.
type edits map[string]any

// shop returns the workload shop of this kind, in version new.
func shop(kind string, changes edits) map[string]any {
	all := edits{
		"kind": kind, "apiVersion": "apps/v1",
		"metadata": map[string]any{
			"name": "shop", "namespace": "shop", "uid": "u1", "resourceVersion": "7", "generation": 10,
			"annotations": map[string]any{"rollout.argoproj.io/workload-generation": "3"},
		},
		"spec.replicas": 2,
		"spec.selector": map[string]any{
			"matchLabels":      map[string]any{"app": "shop"},
			"matchExpressions": []any{map[string]any{"key": "tier", "operator": "NotIn", "values": []any{"cache"}}},
		},
		"spec.template":             shopTemplate("shop:2"),
		"status.observedGeneration": 10,
	}
	switch kind {
	case "StatefulSet":
		all["status.currentRevision"], all["status.updateRevision"] = "shop-old", "shop-new"
	case "DaemonSet":
		all["spec.replicas"] = nil
	case "Rollout":
		all["apiVersion"] = "argoproj.io/v1alpha1"
		all["status.observedGeneration"], all["status.stableRS"], all["status.currentPodHash"] = "10", "old", "new"
	}
	maps.Copy(all, changes)
	object := map[string]any{}
	for _, field := range slices.Sorted(maps.Keys(all)) { // outer fields first
		var value any
		text, _ := json.Marshal(all[field])
		_ = json.Unmarshal(text, &value)
		steps := strings.Split(field, ".")
		if value == nil {
			unstructured.RemoveNestedField(object, steps...)
		} else if err := unstructured.SetNestedField(object, value, steps...); err != nil {
			panic(err)
		}
	}
	return object
}

// listOf returns a list of the API group apps.
func listOf(kind string, items any) map[string]any {
	return map[string]any{"kind": kind + "List", "apiVersion": "apps/v1", "metadata": map[string]any{"resourceVersion": "9"}, "items": items}
}

func asJSON(t *testing.T, object any) []byte {
	t.Helper()
	body, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// objects are what an API server has, by the last part of their path: an object of the API, or an http.HandlerFunc.
type objects map[string]any

var notFound = answer(404, mediaJSON, []byte(`{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",`+
	`"message":"deployments.apps \"shop\" not found","reason":"NotFound","details":{"name":"shop","group":"apps","kind":"deployments"},"code":404}`))

// apiServer has objects, and records the requests.
type apiServer struct {
	t        *testing.T
	objects  objects
	requests []*http.Request
}

func (s *apiServer) respond(w http.ResponseWriter, r *http.Request) {
	s.requests = append(s.requests, r)
	switch object := s.objects[path.Base(r.URL.Path)].(type) {
	case nil:
		notFound(w, r)
	case http.HandlerFunc:
		object(w, r)
	default:
		answer(200, mediaJSON, asJSON(s.t, object))(w, r)
	}
}

// serveWorkload returns the workload shop of this kind, on a server with these objects.
func serveWorkload(t *testing.T, kind string, all objects, extra labels.Selector) (*Workload, *apiServer) {
	t.Helper()
	server := &apiServer{t: t, objects: maps.Clone(all)}
	return serveInProcess(t, server.respond).Workload(strings.ToLower(kind), "shop", extra), server
}

// resolve calls Resolve. Time passes at once.
func resolve(t *testing.T, workload *Workload) (version Version, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { version, err = workload.Resolve(t.Context()) })
	return version, err
}

// wantVersion fails the test unless the version of a workload is this.
func wantVersion(t *testing.T, kind string, all objects, want found) *apiServer {
	t.Helper()
	workload, server := serveWorkload(t, kind, all, nil)
	version, err := resolve(t, workload)
	if err != nil {
		t.Fatal(err)
	}
	if got := (found{version.Name, version.Source, version.Pending, version.Aborted}); got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if known := version.Selector != nil; known != (want.name != "") {
		t.Errorf("the selector is %v", version.Selector)
	}
	return server
}

var (
	deploymentIs = objects{"shop": shop("Deployment", nil), "replicasets": listOf("ReplicaSet", []appsv1.ReplicaSet{oldSet, newSet})}
	daemonSetIs  = objects{"shop": shop("DaemonSet", nil), "controllerrevisions": listOf("ControllerRevision", []appsv1.ControllerRevision{revision("u1", "new", 1)})}
)

func TestTheRequestsOfEachKind(t *testing.T) {
	const argo = "/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/shop"
	const apps, query = "/apis/apps/v1/namespaces/shop/", "?labelSelector=app%3Dshop%2Ctier+notin+%28cache%29"
	for kind, test := range map[string]struct {
		objects  objects
		label    string
		requests []string
	}{
		"deployment":  {deploymentIs, "pod-template-hash=new", []string{apps + "deployments/shop", apps + "replicasets" + query}},
		"statefulset": {objects{"shop": shop("StatefulSet", nil)}, "controller-revision-hash=shop-new", []string{apps + "statefulsets/shop"}},
		"daemonset":   {daemonSetIs, "controller-revision-hash=new", []string{apps + "daemonsets/shop", apps + "controllerrevisions" + query}},
		"rollout":     {objects{"shop": shop("Rollout", nil)}, "rollouts-pod-template-hash=new", []string{argo, argo}},
	} {
		t.Run(kind, func(t *testing.T) {
			workload, server := serveWorkload(t, kind, test.objects, nil)
			version, err := resolve(t, workload)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := version.Selector.String(), "app=shop,"+test.label+",tier notin (cache)"; got != want {
				t.Errorf("the selector is %s, want %s", got, want)
			}
			if text, err := workload.Superseded(t.Context()); text != "" || err != nil {
				t.Errorf("superseded: %q, %v", text, err)
			}
			var requests []string
			for _, r := range server.requests {
				requests = append(requests, r.URL.RequestURI())
				if accept := r.Header.Get("Accept"); r.Method != http.MethodGet || accept != mediaJSON {
					t.Errorf("the request is %s, and accepts %s", r.Method, accept)
				}
			}
			if want := append(test.requests, test.requests[0]); !slices.Equal(requests, want) {
				t.Errorf("\n got: %q\nwant: %q", requests, want)
			}
			if workload.String() != kind+"/shop" {
				t.Errorf("it is called %s", workload)
			}
		})
	}
}

func TestAWorkloadIsSuperseded(t *testing.T) {
	next := replicaSet("u1", "next", 3, "shop:3")
	list := func(sets ...appsv1.ReplicaSet) any { return listOf("ReplicaSet", sets) }
	changed := func(changes edits) objects {
		all := edits{"metadata.generation": 11}
		maps.Copy(all, changes)
		return objects{"shop": shop("Deployment", all)}
	}
	released := func(sets any) objects { // a new template, which the controller has observed
		all := changed(edits{"spec.template": shopTemplate("shop:3"), "status.observedGeneration": 11})
		all["replicasets"] = sets
		return all
	}
	unavailable := answer(503, mediaJSON, nil)
	statefulSet := func(edits edits) objects { return objects{"shop": shop("StatefulSet", edits)} }
	rollout := func(edits edits) objects { return objects{"shop": shop("Rollout", edits)} }
	nextDaemonSet := objects{
		"shop":                shop("DaemonSet", edits{"spec.template": shopTemplate("shop:3")}),
		"controllerrevisions": listOf("ControllerRevision", []appsv1.ControllerRevision{revision("u1", "new", 1), revision("u1", "next", 2)}),
	}
	for claim, test := range map[string]struct {
		kind     string
		then     objects
		now      objects // what is different later
		want     string  // the end is "; the checked version was NAME"
		err      string
		requests int // for the second reading
	}{
		"a number of replicas alone":                         {"deployment", deploymentIs, changed(edits{"spec.replicas": 9}), "", "", 1},
		"no number of replicas means 1":                      {"deployment", deploymentIs, changed(edits{"spec.replicas": nil}), "", "", 1},
		"a template that has not been observed":              {"deployment", deploymentIs, changed(edits{"spec.template": shopTemplate("shop:3")}), "deployment shop has a new pod template", "", 1},
		"a template without its ReplicaSet":                  {"deployment", deploymentIs, released(list(newSet)), "deployment shop has a new pod template", "", 2},
		"a template with its ReplicaSet":                     {"deployment", deploymentIs, released(list(newSet, next)), "superseded by version next", "", 2},
		"a template whose ReplicaSet is not told":            {"deployment", deploymentIs, released(unavailable), "deployment shop has a new pod template", "", 2},
		"a template that the API server completed otherwise": {"deployment", deploymentIs, released(list(replicaSet("u1", "new", 2, "shop:3"))), "", "", 2},
		"scaled to 0":                            {"deployment", deploymentIs, changed(edits{"spec.replicas": 0}), "deployment shop was scaled to 0", "", 1},
		"deleted":                                {"deployment", deploymentIs, objects{"shop": nil}, "deployment shop was deleted", "", 1},
		"being deleted":                          {"deployment", deploymentIs, changed(edits{"metadata.deletionTimestamp": "2026-05-04T03:02:01Z"}), "deployment shop is being deleted", "", 1},
		"another UID":                            {"deployment", deploymentIs, changed(edits{"metadata.uid": "u2"}), "deployment shop was deleted and created again", "", 1},
		"another UID, not scaled up yet":         {"deployment", deploymentIs, changed(edits{"metadata.uid": "u2", "spec.replicas": 0}), "deployment shop was deleted and created again", "", 1},
		"a failed re-read":                       {"deployment", deploymentIs, objects{"shop": unavailable}, "", "503 Service Unavailable", 1},
		"a proxy's 404":                          {"deployment", deploymentIs, objects{"shop": answer(404, "text/plain", []byte("404 page not found"))}, "", "404 Not Found", 1},
		"another revision of a StatefulSet":      {"statefulset", statefulSet(nil), statefulSet(edits{"status.updateRevision": "shop-next"}), "superseded by version shop-next", "", 1},
		"a StatefulSet that is not observed yet": {"statefulset", statefulSet(nil), statefulSet(edits{"metadata.generation": 11}), "", "the controller of statefulset shop has not observed generation 11 yet", 1},
		"another template of a DaemonSet":        {"daemonset", daemonSetIs, nextDaemonSet, "superseded by version next", "", 2},
		"another hash of a Rollout":              {"rollout", rollout(nil), rollout(edits{"status.currentPodHash": "next"}), "superseded by version next", "", 1},
		"a Rollout that was promoted":            {"rollout", rollout(nil), rollout(edits{"status.stableRS": "new"}), "", "", 1},
		"a Rollout that was aborted":             {"rollout", rollout(nil), rollout(edits{"status.abort": true}), "rollout shop was aborted", "", 1},
	} {
		t.Run(claim, func(t *testing.T) {
			workload, server := serveWorkload(t, test.kind, test.then, nil)
			version, err := resolve(t, workload)
			if err != nil || version.Name == "" {
				t.Fatalf("%+v, %v", version, err)
			}
			server.requests = nil
			maps.Copy(server.objects, test.now)
			got, err := workload.Superseded(t.Context())
			want := test.want
			if want != "" {
				want += "; the checked version was " + version.Name
			}
			if got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			if test.err != "" {
				wantError(t, err, test.err)
			} else if err != nil {
				t.Error(err)
			}
			if len(server.requests) != test.requests {
				t.Errorf("%d requests, want %d", len(server.requests), test.requests)
			}
		})
	}
}

func TestAWorkloadThatIsNotFoundIsPending(t *testing.T) {
	wantVersion(t, "deployment", objects{}, found{pending: "deployment shop was not found in namespace shop"})
}

// TestAnInvalidResponseAboutAWorkloadIsAnError sends each response to one of the requests, or to each of them.
func TestAnInvalidResponseAboutAWorkloadIsAnError(t *testing.T) {
	object, list := string(asJSON(t, deploymentIs["shop"])), string(asJSON(t, deploymentIs["replicasets"]))
	ok := func(body string) http.HandlerFunc { return answer(200, mediaJSON, []byte(body)) }
	changed := func(body, from, to string) http.HandlerFunc {
		if !strings.Contains(body, from) {
			t.Fatalf("no %s in %s", from, body)
		}
		return ok(strings.Replace(body, from, to, 1))
	}
	status := func(code int, reason string) http.HandlerFunc {
		return answer(code, mediaJSON, []byte(`{"kind":"Status","apiVersion":"v1","message":"oops","reason":"`+reason+`","code":`+strconv.Itoa(code)+`}`))
	}
	rule := func(resource, verb string) string {
		return `{apiGroups: ["apps"], resources: ["` + resource + `"], verbs: ["` + verb + `"]}`
	}
	type row struct {
		claim    string
		response http.HandlerFunc
		want     string // part of the error
	}
	both := []row{
		{"an empty object", ok(`{}`), "no kind"},
		{"an array", ok(`[]`), "cannot unmarshal array"},
		{"no body", ok(``), "empty response body"},
		{"HTML", answer(200, "text/html", []byte(`<html>Log in</html>`)), `content type "text/html"`},
		{"HTML that claims to be JSON", ok(`<html>Log in</html>`), "invalid character '<'"},
		{"the largest body, of another kind", ok(`{"x":"` + strings.Repeat("x", maxBytes-8) + `"}`), "no kind"},
		{"a body that is larger", ok(`{"x":"` + strings.Repeat("x", maxBytes-7) + `"}`), "more than 8 MiB"},
		{"404 of a proxy", answer(404, "text/plain", []byte("404 page not found\n")), "404 Not Found"},
		{"404 of a proxy, in JSON", answer(404, mediaJSON, []byte(`{"error":"not found"}`)), "404 Not Found"},
		{"404 of a Status without a reason", status(404, ""), "404 Not Found"},
		{"410 of a Status that says NotFound", status(410, "NotFound"), "410 Gone: oops"},
	}
	for name, rows := range map[string][]row{
		"shop": append(both,
			row{"a list of Deployments", ok(`{"kind":"DeploymentList","apiVersion":"apps/v1","metadata":{"resourceVersion":"1"},"items":[]}`), `kind "DeploymentList"`},
			row{"another API version", changed(object, "apps/v1", "apps/v1beta1"), `apiVersion "apps/v1beta1"`},
			row{"no resourceVersion", changed(object, `"resourceVersion":"7"`, `"x":"7"`), "invalid Deployment: no metadata.resourceVersion"},
			row{"no UID", changed(object, `"uid":"u1"`, `"x":"u1"`), `invalid Deployment: it has name "shop" and UID ""`},
			row{"another name", changed(object, `"name":"shop","namespace"`, `"name":"web","namespace"`), `it has name "web"`},
			row{"data after the object", ok(object + `{}`), "invalid Deployment: invalid character '{'"},
			row{"replicas that are text", changed(object, `"replicas":2`, `"replicas":"2"`), "invalid Deployment: json: cannot unmarshal string"},
			row{"keys in another letter case", changed(object, `"kind"`, `"Kind"`), "no kind"},
			row{"403", status(403, ""), rule("deployments", "get")},
		),
		"replicasets": append(both,
			row{"one ReplicaSet", ok(`{"kind":"ReplicaSet","apiVersion":"apps/v1","metadata":{"resourceVersion":"1"}}`), `kind "ReplicaSet"`},
			row{"no resourceVersion", changed(list, `"resourceVersion":"9"`, `"x":"9"`), "invalid ReplicaSetList: no metadata.resourceVersion"},
			row{"a continue token", changed(list, `"resourceVersion":"9"`, `"resourceVersion":"9","continue":"next"`), "incomplete ReplicaSetList"},
			row{"too many objects", changed(list, `"items":[`, `"items":[`+strings.Repeat("{},", maxObjects-1)), "invalid ReplicaSetList: more than 2000 objects"},
			row{"404", notFound, "list replicasets: 404 Not Found"},
			row{"403", status(403, ""), rule("replicasets", "list")},
		),
	} {
		for _, row := range rows {
			t.Run(name+"/"+row.claim, func(t *testing.T) {
				all := maps.Clone(deploymentIs)
				all[name] = row.response
				workload, _ := serveWorkload(t, "deployment", all, nil)
				version, err := resolve(t, workload)
				wantError(t, err, row.want)
				if version != (Version{}) {
					t.Errorf("beside the error, the version is %+v", version)
				}
			})
		}
	}
}

// API servers answer so for a resource that they do not serve: k8s.io/apiserver/pkg/util/notfoundhandler.
func TestAClusterWithoutArgoRolloutsIsAnError(t *testing.T) {
	workload, _ := serveWorkload(t, "rollout", objects{"shop": answer(404, "text/plain; charset=utf-8", []byte("404 page not found\n"))}, nil)
	_, err := resolve(t, workload)
	wantError(t, err, `404 Not Found: the server sent text/plain: "404 page not found\n": is Argo Rollouts installed in this cluster?`)
	if code := statusIn(t, err).Code; code != 404 {
		t.Errorf("the error's code is %d", code)
	}
}

func TestARequestAboutAWorkloadEnds(t *testing.T) {
	for claim, test := range map[string]struct {
		kind   string
		silent string // the request without a response
		limit  time.Duration
		want   string
		took   time.Duration
	}{
		"after 10 s":                     {"deployment", "shop", time.Minute, "no response within 10s", 10 * time.Second},
		"after 10 s, in the second":      {"deployment", "replicasets", time.Minute, "list replicasets: request to 127.0.0.1:1: no response within 10s", 10 * time.Second},
		"with its context":               {"deployment", "shop", 3 * time.Second, "the check has ended", 3 * time.Second},
		"before a Rollout is read again": {"rollout", "", time.Second, "the check has ended", time.Second},
		"while a Rollout is read again":  {"rollout", "again", 4 * time.Second, "the check has ended", 4 * time.Second},
	} {
		t.Run(claim, func(t *testing.T) {
			hang := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
			all := maps.Clone(deploymentIs)
			switch test.silent {
			case "":
				all["shop"] = shop("Rollout", nil)
			case "again":
				first := answer(200, mediaJSON, asJSON(t, shop("Rollout", nil)))
				all["shop"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { first(w, r); first = hang })
			default:
				all[test.silent] = hang
			}
			workload, _ := serveWorkload(t, test.kind, all, nil)
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				ctx, cancel := context.WithTimeoutCause(t.Context(), test.limit, errors.New("the check has ended"))
				defer cancel()
				_, err := workload.Resolve(ctx)
				wantError(t, err, test.want)
				if took := time.Since(began); took != test.took {
					t.Errorf("it took %v, want %v", took, test.took)
				}
			})
		})
	}
}
