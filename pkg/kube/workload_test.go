package kube

import (
	"context"
	"errors"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/rest"
)

// objects are what an API server has, by the last part of their path: an object of the API, or an http.HandlerFunc. The value nil
// is an object that does not exist.
type objects map[string]any

// apiServer serves objects, and records the requests.
type apiServer struct {
	responses map[string]http.HandlerFunc
	requests  []*http.Request // one at a time
}

func (s *apiServer) set(t *testing.T, all objects) {
	t.Helper()
	for name, object := range all {
		if handler, ok := object.(http.HandlerFunc); ok {
			s.responses[name] = handler
		} else if object != nil {
			s.responses[name] = answer(200, mediaJSON, asJSON(t, object))
		} else {
			delete(s.responses, name)
		}
	}
}

func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests = append(s.requests, r)
	respond, found := s.responses[path.Base(r.URL.Path)]
	if !found {
		respond = answer(404, mediaJSON, []byte(notFound))
	}
	respond(w, r)
}

const notFound = `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"deployments.apps \"shop\" not found",` +
	`"reason":"NotFound","details":{"name":"shop","group":"apps","kind":"deployments"},"code":404}`

func replicaSetList(sets ...appsv1.ReplicaSet) *appsv1.ReplicaSetList {
	return &appsv1.ReplicaSetList{TypeMeta: metav1.TypeMeta{Kind: "ReplicaSetList", APIVersion: "apps/v1"}, ListMeta: metav1.ListMeta{ResourceVersion: "9"}, Items: sets}
}

func revisionList(hashes ...string) *appsv1.ControllerRevisionList {
	list := &appsv1.ControllerRevisionList{TypeMeta: metav1.TypeMeta{Kind: "ControllerRevisionList", APIVersion: "apps/v1"}, ListMeta: metav1.ListMeta{ResourceVersion: "9"}}
	for i, hash := range hashes {
		list.Items = append(list.Items, appsv1.ControllerRevision{ObjectMeta: ownedBy("u1", "shop-"+hash, "controller-revision-hash", hash, 1), Revision: int64(i)})
	}
	return list
}

// serveWorkload returns the workload kind/shop on a server with these objects.
func serveWorkload(t *testing.T, kind string, all objects) (*Workload, *apiServer) {
	t.Helper()
	server := &apiServer{responses: map[string]http.HandlerFunc{}}
	server.set(t, all)
	workload := serve(t, server.ServeHTTP).Workload(kind, "shop", labels.SelectorFromSet(labels.Set{"track": "canary"}))
	workload.settles = 0
	return workload, server
}

func TestTheVersionOfEachKindAndItsRequests(t *testing.T) {
	const argo = "/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/"
	const apps, query = "/apis/apps/v1/namespaces/shop/", "?labelSelector=app%3Dshop%2Ctier+notin+%28cache%29"
	for kind, test := range map[string]struct {
		objects  objects
		name     string
		selector string
		requests []string
	}{
		"deployment": {objects{"shop": shopDeployment(), "replicasets": replicaSetList(replicaSet("u1", "old", 1, withImage("shop:1")), replicaSet("u1", "new", 2))},
			"new", "app=shop,pod-template-hash=new,tier notin (cache),track=canary", []string{apps + "deployments/shop", apps + "replicasets" + query}},
		"statefulset": {objects{"shop": shopStatefulSet()},
			"shop-new", "app=shop,controller-revision-hash=shop-new,tier notin (cache),track=canary", []string{apps + "statefulsets/shop"}},
		"daemonset": {objects{"shop": shopDaemonSet(), "controllerrevisions": revisionList("old", "new")},
			"new", "app=shop,controller-revision-hash=new,tier notin (cache),track=canary", []string{apps + "daemonsets/shop", apps + "controllerrevisions" + query}},
		"rollout": {objects{"shop": shopRollout(nil, nil)},
			"new", "app=shop,rollouts-pod-template-hash=new,tier notin (cache),track=canary", []string{argo + "shop", argo + "shop"}},
	} {
		t.Run(kind, func(t *testing.T) {
			workload, server := serveWorkload(t, kind, test.objects)
			version, err := workload.Resolve(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if version.Name != test.name || version.Source == "" || version.Pending != "" || version.Selector == nil || version.Selector.String() != test.selector {
				t.Errorf("the version is %+v, want %s with %s", version, test.name, test.selector)
			}
			text, err := workload.Superseded(t.Context())
			if text != "" || err != nil {
				t.Errorf("superseded: %q, %v", text, err)
			}
			var requests []string
			for _, r := range server.requests {
				requests = append(requests, r.URL.String())
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

func TestAVersionThatIsNotKnownYet(t *testing.T) {
	reference := shopRollout(map[string]any{"selector": nil}, nil)
	aborted := map[string]any{"abort": true, "message": "RolloutAborted: 2", "observedGeneration": "4"}
	for claim, test := range map[string]struct {
		kind     string
		objects  objects
		pending  string
		requests int
	}{
		"not found":                       {"deployment", objects{}, "deployment shop was not found in namespace shop", 1},
		"not observed: nothing is listed": {"deployment", objects{"shop": shopDeployment(func(d *appsv1.Deployment) { d.Generation = 6 })}, "the controller of deployment shop has not observed generation 6 yet (last observed: 5)", 1},
		"no ReplicaSet":                   {"deployment", objects{"shop": shopDeployment(), "replicasets": replicaSetList()}, "deployment shop has no ReplicaSet with its pod template yet", 2},
		"no revision":                     {"daemonset", objects{"shop": shopDaemonSet(), "controllerrevisions": revisionList()}, "daemonset shop has no ControllerRevision yet", 2},
		"no selector":                     {"rollout", objects{"shop": reference}, "rollout shop has no label selector yet", 1},
		"aborted before the current spec": {"rollout", objects{"shop": shopRollout(nil, aborted)}, "the controller of rollout shop has not observed generation 5 yet (last observed: 4)", 1},
	} {
		t.Run(claim, func(t *testing.T) {
			workload, server := serveWorkload(t, test.kind, test.objects)
			version, err := workload.Resolve(t.Context())
			if want := (Version{Pending: test.pending}); err != nil || version != want {
				t.Errorf("got %+v, %v, want %+v", version, err, want)
			}
			if len(server.requests) != test.requests {
				t.Errorf("%d requests, want %d", len(server.requests), test.requests)
			}
		})
	}
}

func TestAVersionThatWillNeverBeKnown(t *testing.T) {
	workload, _ := serveWorkload(t, "rollout", objects{"shop": shopRollout(nil, map[string]any{"abort": true, "message": "RolloutAborted: 2"})})
	version, err := workload.Resolve(t.Context())
	if want := (Version{Aborted: "rollout shop was aborted: RolloutAborted: 2"}); err != nil || version != want {
		t.Errorf("got %+v, %v, want %+v", version, err, want)
	}
}

// Argo Rollouts can update status.observedGeneration before the rest of the status.
func TestTheStatusOfARolloutThatIsChangingIsReadAgain(t *testing.T) {
	rollout := func(status map[string]any) http.HandlerFunc {
		return answer(200, mediaJSON, asJSON(t, shopRollout(nil, status)))
	}
	stale, aborted, current := rollout(map[string]any{"currentPodHash": "old"}), rollout(map[string]any{"abort": true}), rollout(nil)
	for claim, responses := range map[string][]http.HandlerFunc{
		"the hash is the old one at first":    {stale, current, current, current},
		"the old version was aborted":         {aborted, current, current, current},
		"it changes while it is read again":   {stale, aborted, stale, current, current, current},
		"it is not observed while it is read": {current, rollout(map[string]any{"observedGeneration": "4"}), current, current},
		"it is deleted while it is read":      {current, answer(404, mediaJSON, []byte(notFound)), current, current},
	} {
		t.Run(claim, func(t *testing.T) {
			requests := 0
			workload, _ := serveWorkload(t, "rollout", objects{"shop": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				responses[requests](w, r)
				requests++
			})})
			for requests < len(responses)-2 {
				if version, err := workload.Resolve(t.Context()); err != nil || version.Pending == "" {
					t.Fatalf("after %d requests: %+v, %v", requests, version, err)
				}
			}
			if version, err := workload.Resolve(t.Context()); err != nil || version.Name != "new" || requests != len(responses) {
				t.Errorf("after %d requests: %+v, %v", requests, version, err)
			}
		})
	}
	t.Run("two seconds later, unless the check ends before", func(t *testing.T) {
		server := &apiServer{responses: map[string]http.HandlerFunc{"shop": current}}
		workload := serve(t, server.ServeHTTP).Workload("rollout", "shop", nil)
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("the check has ended"))
		defer cancel()
		_, err := workload.Resolve(ctx)
		wantError(t, err, "the check has ended")
		if len(server.requests) != 1 {
			t.Errorf("%d requests, want 1", len(server.requests))
		}
	})
}

func TestAWorkloadIsSuperseded(t *testing.T) {
	oldSet, newSet := replicaSet("u1", "old", 1, withImage("shop:1")), replicaSet("u1", "new", 2)
	next := replicaSet("u1", "next", 3, withImage("shop:3"))
	deployment := func(edit func(*appsv1.Deployment)) *appsv1.Deployment {
		return shopDeployment(func(d *appsv1.Deployment) { d.Generation++ }, edit)
	}
	image := func(d *appsv1.Deployment) { withImage("shop:3")(&d.Spec.Template) }
	observed := func(d *appsv1.Deployment) { d.Status.ObservedGeneration = d.Generation; image(d) }
	scaled := func(n int32) func(*appsv1.Deployment) {
		return func(d *appsv1.Deployment) { d.Spec.Replicas = &n }
	}
	daemonSet := shopDaemonSet(func(s *appsv1.DaemonSet) { withImage("shop:3")(&s.Spec.Template) })
	unavailable := answer(503, mediaJSON, nil)
	invalid := map[string]any{"conditions": []map[string]any{{"type": "InvalidSpec", "status": "True", "message": "no such Service"}}}
	deploymentIs := objects{"shop": shopDeployment(), "replicasets": replicaSetList(oldSet, newSet)}
	statefulSetIs, rolloutIs := objects{"shop": shopStatefulSet()}, objects{"shop": shopRollout(nil, nil)}
	for claim, test := range map[string]struct {
		kind     string
		then     objects
		now      objects // what is different later
		want     string
		err      string
		requests int // for the second reading
	}{
		"a number of replicas alone":                         {"deployment", deploymentIs, objects{"shop": deployment(scaled(9))}, "", "", 1},
		"a template that has not been observed":              {"deployment", deploymentIs, objects{"shop": deployment(image)}, "deployment shop has a new pod template; checked new", "", 1},
		"a template without its ReplicaSet":                  {"deployment", deploymentIs, objects{"shop": deployment(observed)}, "deployment shop has a new pod template; checked new", "", 2},
		"a template with its ReplicaSet":                     {"deployment", deploymentIs, objects{"shop": deployment(observed), "replicasets": replicaSetList(newSet, next)}, "superseded by next; checked new", "", 2},
		"a template whose ReplicaSet is not told":            {"deployment", deploymentIs, objects{"shop": deployment(observed), "replicasets": unavailable}, "deployment shop has a new pod template; checked new", "", 2},
		"a template that the API server completed otherwise": {"deployment", deploymentIs, objects{"shop": deployment(observed), "replicasets": replicaSetList(replicaSet("u1", "new", 2, withImage("shop:3")))}, "", "", 2},
		"scaled to 0":                            {"deployment", deploymentIs, objects{"shop": deployment(scaled(0))}, "deployment shop was scaled to 0; checked new", "", 1},
		"deleted":                                {"deployment", deploymentIs, objects{"shop": nil}, "deployment shop was deleted; checked new", "", 1},
		"another UID":                            {"deployment", deploymentIs, objects{"shop": deployment(func(d *appsv1.Deployment) { d.UID = "u2" })}, "deployment shop was deleted and created again; checked new", "", 1},
		"a failed re-read":                       {"deployment", deploymentIs, objects{"shop": unavailable}, "", "503 Service Unavailable", 1},
		"a proxy's 404":                          {"deployment", deploymentIs, objects{"shop": answer(404, "text/plain", []byte("404 page not found"))}, "", "404 Not Found", 1},
		"another revision of a StatefulSet":      {"statefulset", statefulSetIs, objects{"shop": shopStatefulSet(func(s *appsv1.StatefulSet) { s.Status.UpdateRevision = "shop-next" })}, "superseded by shop-next; checked shop-new", "", 1},
		"a StatefulSet that is not observed yet": {"statefulset", statefulSetIs, objects{"shop": shopStatefulSet(func(s *appsv1.StatefulSet) { s.Generation = 6 })}, "", "the controller of statefulset shop has not observed generation 6 yet", 1},
		"another template of a DaemonSet":        {"daemonset", objects{"shop": shopDaemonSet(), "controllerrevisions": revisionList("new")}, objects{"shop": daemonSet, "controllerrevisions": revisionList("new", "next")}, "superseded by next; checked new", "", 2},
		"another hash of a Rollout":              {"rollout", rolloutIs, objects{"shop": shopRollout(nil, map[string]any{"currentPodHash": "next"})}, "superseded by next; checked new", "", 1},
		"a Rollout that was promoted":            {"rollout", rolloutIs, objects{"shop": shopRollout(nil, map[string]any{"stableRS": "new"})}, "", "", 1},
		"a Rollout that was aborted":             {"rollout", rolloutIs, objects{"shop": shopRollout(nil, map[string]any{"abort": true})}, "rollout shop was aborted; checked new", "", 1},
		"a Rollout that is not observed yet":     {"rollout", rolloutIs, objects{"shop": shopRollout(nil, map[string]any{"observedGeneration": "4", "currentPodHash": "next"})}, "", "the controller of rollout shop has not observed generation 5 yet", 1},
		"a Rollout that is invalid":              {"rollout", rolloutIs, objects{"shop": shopRollout(nil, invalid)}, "", "the spec of rollout shop is invalid: no such Service", 1},
	} {
		t.Run(claim, func(t *testing.T) {
			workload, server := serveWorkload(t, test.kind, test.then)
			if version, err := workload.Resolve(t.Context()); err != nil || version.Name == "" {
				t.Fatalf("%+v, %v", version, err)
			}
			server.requests = nil
			server.set(t, test.now)
			got, err := workload.Superseded(t.Context())
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
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

// TestAnInvalidResponseAboutAWorkloadIsAnError sends each response to each of the requests.
func TestAnInvalidResponseAboutAWorkloadIsAnError(t *testing.T) {
	object, list := string(asJSON(t, shopDeployment())), string(asJSON(t, replicaSetList(replicaSet("u1", "new", 2))))
	incomplete := replicaSetList()
	incomplete.Continue = "next"
	forbidden := `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"User \"gate\" cannot do that","reason":"Forbidden","code":403}`
	rule := func(resource, verb string) string {
		return `needs permission to ` + verb + ` ` + resource + ` in namespace shop: bind it there to a Role or ClusterRole with the rule {apiGroups: ["apps"], resources: ["` + resource + `"], verbs: ["` + verb + `"]}`
	}
	endless := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", mediaJSON)
		_, _ = w.Write(make([]byte, maxWorkloadBytes+1))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
	status := func(code int) http.HandlerFunc {
		return answer(code, mediaJSON, []byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","message":"oops","code":`+strconv.Itoa(code)+`}`))
	}
	ok := func(body string) http.HandlerFunc { return answer(200, mediaJSON, []byte(body)) }
	cutOff := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", mediaJSON)
		w.Header().Set("Content-Length", strconv.Itoa(len(object)))
		_, _ = w.Write([]byte(object[:len(object)/2]))
	}
	type row struct {
		response http.HandlerFunc
		want     string // part of the error
		wantCode int32  // of the status in it; 0: none
	}
	both := map[string]row{
		"an empty object":                    {ok(`{}`), "no kind", 0},
		"null":                               {ok(`null`), "no kind", 0},
		"an array":                           {ok(`[]`), "cannot unmarshal array", 0},
		"no body":                            {ok(``), "empty response body", 0},
		"HTML":                               {answer(200, "text/html", []byte(`<html>Log in</html>`)), `content type "text/html"`, 0},
		"HTML that claims to be JSON":        {ok(`<html>Log in</html>`), "invalid character '<'", 0},
		"protobuf":                           {answer(200, mediaProtobuf, []byte("k8s\x00")), `content type "` + mediaProtobuf + `"`, 0},
		"a Status that says Success":         {ok(`{"kind":"Status","apiVersion":"v1","metadata":{"resourceVersion":"1"}}`), `kind "Status"`, 0},
		"a Table":                            {ok(`{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":"1"}}`), `kind "Table"`, 0},
		"a body that is cut off":             {cutOff, "unexpected EOF", 0},
		"a body that is too large":           {endless, "more than 8 MiB", 0},
		"204":                                {answer(204, "", nil), "204 No Content", 204},
		"206":                                {answer(206, mediaJSON, []byte(object)), "206 Partial Content", 206},
		"a redirect":                         {answer(302, "", nil), "redirects are refused", 302},
		"400":                                {status(400), "400 Bad Request: oops", 400},
		"404 of a proxy":                     {answer(404, "text/plain", []byte("404 page not found\n")), "404 Not Found", 404},
		"404 of a proxy, in JSON":            {answer(404, mediaJSON, []byte(`{"error":"not found"}`)), "404 Not Found", 404},
		"404 of a Status without a reason":   {status(404), "404 Not Found", 404},
		"500 of a Status that says NotFound": {answer(500, mediaJSON, []byte(notFound)), "500 Internal Server Error", 500},
		"410":                                {status(410), "410 Gone: oops", 410},
		"429":                                {status(429), "429 Too Many Requests: oops", 429},
		"500":                                {status(500), "500 Internal Server Error: oops", 500},
		"502 with HTML":                      {answer(502, "text/html", []byte(`<h1>Bad</h1>`)), "502 Bad Gateway", 502},
		"503":                                {status(503), "503 Service Unavailable: oops", 503},
	}
	onlyObject := map[string]row{
		"a list of Deployments":       {ok(`{"kind":"DeploymentList","apiVersion":"apps/v1","metadata":{"resourceVersion":"1"},"items":[]}`), `kind "DeploymentList"`, 0},
		"another API version":         {ok(strings.Replace(object, "apps/v1", "apps/v1beta1", 1)), `apiVersion "apps/v1beta1"`, 0},
		"no resourceVersion":          {ok(strings.Replace(object, `"resourceVersion":"7"`, `"x":"7"`, 1)), "invalid Deployment: no metadata.resourceVersion", 0},
		"no UID":                      {ok(strings.Replace(object, `"uid":"u1"`, `"x":"u1"`, 1)), `invalid Deployment: it has name "shop" and UID ""`, 0},
		"another name":                {ok(strings.Replace(object, `"name":"shop"`, `"name":"web"`, 1)), `it has name "web"`, 0},
		"data after the object":       {ok(object + `{}`), "invalid Deployment: invalid character '{'", 0},
		"replicas that are text":      {ok(strings.Replace(object, `"replicas":2`, `"replicas":"2"`, 1)), "invalid Deployment: json: cannot unmarshal string", 0},
		"keys in another letter case": {ok(strings.Replace(object, `"kind"`, `"Kind"`, 1)), "no kind", 0},
		"401":                         {status(401), rule("deployments", "get"), 401},
		"403":                         {answer(403, mediaJSON, []byte(forbidden)), `User "gate" cannot do that; the ServiceAccount or user ` + rule("deployments", "get"), 403},
	}
	onlyList := map[string]row{
		"one ReplicaSet":      {ok(`{"kind":"ReplicaSet","apiVersion":"apps/v1","metadata":{"resourceVersion":"1"}}`), `kind "ReplicaSet"`, 0},
		"no resourceVersion":  {ok(strings.Replace(list, `"resourceVersion":"9"`, `"x":"9"`, 1)), "invalid ReplicaSetList: no metadata.resourceVersion", 0},
		"a continue token":    {ok(string(asJSON(t, incomplete))), "incomplete ReplicaSetList: metadata.continue is set", 0},
		"data after the list": {ok(list + `]`), "invalid ReplicaSetList: invalid character ']'", 0},
		"too many objects":    {ok(strings.Replace(list, `"items":[`, `"items":[`+strings.Repeat("{},", maxObjects), 1)), "invalid ReplicaSetList: more than 2000 objects", 0},
		"items not a list":    {ok(`{"kind":"ReplicaSetList","apiVersion":"apps/v1","metadata":{"resourceVersion":"1"},"items":{}}`), "invalid ReplicaSetList: items is not a list", 0},
		"a 404":               {answer(404, mediaJSON, []byte(notFound)), "list replicasets: 404 Not Found", 404},
		"401":                 {status(401), rule("replicasets", "list"), 401},
		"403":                 {answer(403, mediaJSON, []byte(forbidden)), rule("replicasets", "list"), 403},
	}
	test := func(name string, rows map[string]row) {
		for claim, row := range rows {
			t.Run(name+"/"+claim, func(t *testing.T) {
				all := objects{"shop": shopDeployment(), "replicasets": replicaSetList()}
				all[name] = row.response
				workload, _ := serveWorkload(t, "deployment", all)
				version, err := workload.Resolve(t.Context())
				wantError(t, err, row.want)
				if version != (Version{}) {
					t.Errorf("beside the error, the version is %+v", version)
				}
				if row.wantCode != 0 && statusOf(t, err).Code != row.wantCode {
					t.Errorf("the error's code is %d, want %d", statusOf(t, err).Code, row.wantCode)
				}
				if len(err.Error()) > 1000 || strings.Contains(err.Error(), "\n") {
					t.Errorf("the error is not one short line: %q", err)
				}
			})
		}
	}
	for _, name := range []string{"shop", "replicasets"} {
		test(name, both)
	}
	test("shop", onlyObject)
	test("replicasets", onlyList)
}

func TestDeniedNamesTheRuleOfEachKind(t *testing.T) {
	for kind, rule := range map[string]string{
		"deployment":  `{apiGroups: ["apps"], resources: ["deployments"], verbs: ["get"]}`,
		"statefulset": `{apiGroups: ["apps"], resources: ["statefulsets"], verbs: ["get"]}`,
		"daemonset":   `{apiGroups: ["apps"], resources: ["daemonsets"], verbs: ["get"]}`,
		"rollout":     `{apiGroups: ["argoproj.io"], resources: ["rollouts"], verbs: ["get"]}`,
	} {
		workload, _ := serveWorkload(t, kind, objects{"shop": answer(403, "", nil)})
		_, err := workload.Resolve(t.Context())
		wantError(t, err, rule)
	}
	workload, _ := serveWorkload(t, "daemonset", objects{"shop": shopDaemonSet(), "controllerrevisions": answer(403, "", nil)})
	_, err := workload.Resolve(t.Context())
	wantError(t, err, `{apiGroups: ["apps"], resources: ["controllerrevisions"], verbs: ["list"]}`)
}

// API servers answer so for a resource that they do not serve: k8s.io/apiserver/pkg/util/notfoundhandler.
func TestAClusterWithoutArgoRolloutsIsAnError(t *testing.T) {
	workload, _ := serveWorkload(t, "rollout", objects{"shop": answer(404, "text/plain; charset=utf-8", []byte("404 page not found\n"))})
	_, err := workload.Resolve(t.Context())
	wantError(t, err, `404 Not Found: the server sent text/plain: "404 page not found\n": is Argo Rollouts installed in this cluster?`)
	if code := statusOf(t, err).Code; code != 404 {
		t.Errorf("the error's code is %d", code)
	}
}

func TestAWorkloadsNameCannotNameAnotherResource(t *testing.T) {
	client := serve(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("a request for %s", r.URL) })
	for _, name := range []string{"", ".", "..", "../secrets", "a%2Fb", "web?x", "Web"} {
		_, err := client.Workload("deployment", name, nil).Resolve(t.Context())
		wantError(t, err, "invalid deployment name")
	}
	_, err := client.Workload("secret", "shop", nil).Resolve(t.Context())
	wantError(t, err, `unknown kind of workload "secret"`)
}

// TestARequestAboutAWorkloadEndsWithItsContext: in each request, while the response begins, and within it.
func TestARequestAboutAWorkloadEndsWithItsContext(t *testing.T) {
	for _, silent := range []string{"shop", "replicasets"} {
		for begins, begin := range map[string]string{"before the response": "", "in the response": `{"kind":"`} {
			t.Run(silent+" "+begins, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				hang := func(w http.ResponseWriter, r *http.Request) {
					if begin != "" {
						w.Header().Set("Content-Type", mediaJSON)
						_, _ = w.Write([]byte(begin))
						_ = http.NewResponseController(w).Flush()
					}
					cancel(errSIGTERM)
					<-r.Context().Done()
				}
				all := objects{"shop": shopDeployment(), "replicasets": replicaSetList()}
				all[silent] = http.HandlerFunc(hang)
				workload, _ := serveWorkload(t, "deployment", all)
				if _, err := workload.Resolve(ctx); !errors.Is(err, errSIGTERM) {
					t.Errorf("the error is %v", err)
				}
			})
		}
	}
}

// silentTransport never responds.
type silentTransport struct{}

func (silentTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, context.Cause(r.Context())
}

func TestARequestAboutAWorkloadHasADeadline(t *testing.T) {
	client := newClient(t, &rest.Config{Host: "http://127.0.0.1:1"})
	client.http.Transport = silentTransport{}
	synctest.Test(t, func(t *testing.T) {
		_, err := client.Workload("deployment", "shop", nil).Resolve(t.Context())
		wantError(t, err, "no response within 10s")
	})
}
