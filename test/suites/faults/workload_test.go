package faults

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/crashcheck/crashcheck/test/simcluster"
)

// ofWorkload is a row that checks WORKLOAD=KIND/shop in a window of half a second: two pods, one minute old.
func ofWorkload(fault string, release simcluster.Release, settings ...string) row {
	release.Namespace, release.Name, release.Hash, release.Replicas, release.Age = namespace, "shop", "abc", 2, time.Minute
	return row{
		fault:    fault,
		settings: append([]string{"HASH=", "WORKLOAD=" + release.Workload.Kind + "/shop", "DURATION=500ms"}, settings...),
		prepare:  func(b *bench) { b.server.SetPods(); b.server.Deploy(release) },
	}
}

// with applies a fault from the start.
func (r row) with(fault simcluster.Middleware) row {
	prepare := r.prepare
	r.prepare = func(b *bench) { prepare(b); b.server.Handle(fault) }
	return r
}

func (r row) expect(verdict string, exit int, says string) row {
	r.verdict, r.exit, r.says = verdict, exit, says
	return r
}

// A step is one of the requests that a check of a workload makes beside the list of pods.
type step struct {
	name   string
	kind   string // of the workload
	path   string // a part of it
	nth    int64  // request with this path
	doing  string // what an error begins with
	object string // kind of the response
}

var steps = []step{
	{"the workload", "Deployment", "/deployments/", 1, "find the version of deployment/shop", "Deployment"},
	{"its ReplicaSets", "Deployment", "/replicasets", 1, "find the version of deployment/shop: list replicasets", "ReplicaSetList"},
	{"its ControllerRevisions", "DaemonSet", "/controllerrevisions", 1, "find the version of daemonset/shop: list controllerrevisions", "ControllerRevisionList"},
	{"the workload at the final check", "Deployment", "/deployments/", 2, "read deployment/shop again", "Deployment"},
}

// row is a row in which this step's responses are a fault.
func (s step) row(fault string, middleware simcluster.Middleware, settings ...string) row {
	r := ofWorkload(s.name+": "+fault, simcluster.Release{Workload: simcluster.Workload{Kind: s.kind}}, settings...)
	return r.with(simcluster.Only(s.path, from(s.nth, middleware)))
}

// permanent is a row in which the fault ends the run. With MIN_PODS=0, no pods would pass.
func (s step) permanent(fault string, middleware simcluster.Middleware, says string, settings ...string) row {
	r := s.row(fault, middleware, append([]string{"MIN_PODS=0"}, settings...)...)
	return r.expect("inconclusive", 3, "ERR INCONCLUSIVE .*: "+s.doing+": "+says)
}

// plainStatus answers with a status code and no Status of the API.
func plainStatus(code int) simcluster.Middleware {
	return simcluster.Answer(code, "text/plain", http.StatusText(code))
}

// stepRows apply the faults of the list of pods to the other requests.
func stepRows(s step) []row {
	apiVersion, items := `"apiVersion":"apps/v1"`, ""
	if strings.HasSuffix(s.object, "List") {
		items = `,"items":[]`
	}
	object := func(kind, metadata string) string {
		return fmt.Sprintf(`{"kind":%q,%s,"metadata":{%s}%s}`, kind, apiVersion, metadata, items)
	}
	invalid := "invalid " + s.object + ": "
	rows := []row{
		s.permanent("no response", simcluster.Hang(), "(request to \\S+: )?no response within 1?[0-9.]+s"),
		s.permanent("the connection is closed within the body", simcluster.Truncate(100), "read the "+s.object+" after 100 bytes: unexpected EOF"),
		s.permanent("the first half", changed(firstHalf), invalid+"unexpected end of JSON input"),
		s.permanent("{}", simcluster.Answer(200, asJSON, `{}`), invalid+"no kind"),
		s.permanent("null", simcluster.Answer(200, asJSON, `null`), invalid+"no kind"),
		s.permanent("another kind", simcluster.Answer(200, asJSON, object("Service", `"resourceVersion":"1"`)), invalid+`kind "Service"`),
		s.permanent("no resourceVersion", simcluster.Answer(200, asJSON, object(s.object, `"name":"shop","uid":"u"`)), invalid+"no metadata.resourceVersion"),
		s.permanent("an HTML login page of a proxy", simcluster.Answer(200, "text/html", `<html></html>`), invalid+`unsupported content type "text/html"`),
		s.permanent("204 No Content", simcluster.Answer(204, asJSON, ``), "204 No Content"),
		s.permanent("an empty 200", simcluster.Answer(200, asJSON, ``), invalid+"empty response body"),
		s.permanent("a body without end", endless("", func(int) string { return strings.Repeat(" ", 1<<20) }), invalid+"more than 8 MiB|no response within", "API_GRACE=0"),
		s.permanent("404 without a Status", plainStatus(404), "404 Not Found"),
		s.permanent("302 to another host", withHeader(302, "Location", "https://other.invalid/"), `redirects are refused, .*302 to host "other.invalid"`),
	}
	for _, code := range []int{410, 429, 500, 502, 503, 504} {
		rows = append(rows, s.permanent(fmt.Sprintf("%d, permanent", code), plainStatus(code), fmt.Sprintf("%d %s", code, http.StatusText(code))))
	}
	for _, code := range []int{403, 429, 503} {
		rows = append(rows, s.row(fmt.Sprintf("%d, twice", code), simcluster.Times(2, plainStatus(code)), "API_GRACE=8s").
			expect("pass", 0, fmt.Sprintf("%d %s(?s:.*)checks succeed again after 2 failures", code, http.StatusText(code))))
	}
	for _, code := range []int{400, 422} {
		r := s.row(fmt.Sprint(code), plainStatus(code), "API_GRACE=60s")
		rows = append(rows, r.expect("inconclusive", 3, fmt.Sprintf("ERR INCONCLUSIVE .*: the API server rejects the request: %s: %d ", s.doing, code)))
	}
	// Nothing has succeeded before, except at the final check.
	verb, denied := "get", "the API server denies access: "
	resource := strings.Trim(s.path, "/")
	if s.object != "Deployment" {
		verb = "list"
	}
	if s.nth > 1 {
		denied = "the pods were not observed in the last .*: "
	}
	for _, code := range []int{401, 403} {
		r := s.row(fmt.Sprintf("%d, permanent", code), plainStatus(code))
		rows = append(rows, r.expect("inconclusive", 3, fmt.Sprintf(
			`ERR INCONCLUSIVE .*: %s%s: %d .*permission to %s %s in namespace shop: .*\{apiGroups: \["apps"\], resources: \["%s"\], verbs: \["%s"\]\}`,
			denied, s.doing, code, verb, resource, resource, verb)))
	}
	if items != "" {
		rows = append(rows, s.permanent("a list with a continue token", simcluster.Answer(200, asJSON, object(s.object, `"resourceVersion":"1","continue":"next"`)), "incomplete "+s.object))
	}
	return rows
}

// supersededBy are changes of the workload during the run, after which there is no pass.
var supersededBy = []struct {
	title  string
	change func(w *simcluster.Workload, after time.Duration)
	kinds  []string
	reason string
}{
	{"a new version", func(w *simcluster.Workload, after time.Duration) { w.SupersededAfter = after },
		[]string{"Deployment", "StatefulSet", "DaemonSet", "Rollout"}, `superseded by (shop-)?next; checked (shop-)?abc`},
	{"scaled to 0", func(w *simcluster.Workload, after time.Duration) { w.ScaledToZeroAfter = after },
		[]string{"Deployment", "StatefulSet", "Rollout"}, `\w+ shop was scaled to 0; checked (shop-)?abc`},
	{"deleted", func(w *simcluster.Workload, after time.Duration) { w.DeletedAfter = after },
		[]string{"Deployment", "StatefulSet", "DaemonSet", "Rollout"}, `\w+ shop was deleted; checked (shop-)?abc`},
}

// changedDuring is a row in which a release changes two minutes after the first check has found its pods.
func changedDuring(fault string, release simcluster.Release, settings ...string) row {
	r := ofWorkload(fault, release, append([]string{"DURATION=3s"}, settings...)...)
	r.options = []simcluster.Option{simcluster.WithSpeed(0)}
	r.during = func(b *bench) {
		if b.untilLogged(" found: ") {
			b.server.Advance(2 * time.Minute)
		}
	}
	return r
}

func supersededRows() (rows []row) {
	const after = 2 * time.Minute
	for _, by := range supersededBy {
		for _, kind := range by.kinds {
			workload := simcluster.Workload{Kind: kind}
			by.change(&workload, after)
			stays, gone := simcluster.Release{Workload: workload}, simcluster.Release{Workload: workload, DeleteAfter: after}
			title, says := kind+": "+by.title, "ERR INCONCLUSIVE .*: "+by.reason
			early := changedDuring(title+", and its pods gone: at once", gone, "DURATION=10m", "MIN_PODS=0").expect("inconclusive", 3, says)
			early.allowed = time.Minute
			rows = append(rows, early,
				changedDuring(title+", while its pods stay", stays, "MIN_PODS=0").expect("inconclusive", 3, says),
				changedDuring(title+", while its pods stay, by COUNT", stays, "COUNT=12", "DURATION=", "MAX_DURATION=30s").expect("inconclusive", 3, says))
		}
	}
	crashing := simcluster.Release{App: simcluster.CrashLoop(time.Second, 1), Workload: simcluster.Workload{Kind: "Deployment", SupersededAfter: after}}
	unnamed := simcluster.Release{Workload: simcluster.Workload{Kind: "Deployment", SupersededAfter: after}}
	return append(rows,
		changedDuring("a new version, and the limit is reached at the final check", crashing, "CRASH_LIMIT=9", "INTERVAL=1h").expect("fail", 1, "ERR FAIL .*: 12 crashes"),
		changedDuring("the limit is reached at the final check, at which the workload cannot be read", crashing, "CRASH_LIMIT=9", "INTERVAL=1h").
			with(simcluster.Only("/deployments/", from(2, plainStatus(503)))).expect("fail", 1, "ERR FAIL .*: 12 crashes"),
		changedDuring("a new version that cannot be listed", unnamed).with(simcluster.Only("/replicasets", from(2, plainStatus(503)))).
			expect("inconclusive", 3, "ERR INCONCLUSIVE .*: deployment shop has a new pod template; checked abc"),
		changedDuring("a new version whose list gets no response", unnamed).with(simcluster.Only("/replicasets", from(2, simcluster.Hang()))).
			expect("inconclusive", 3, "ERR INCONCLUSIVE .*: deployment shop has a new pod template; checked abc"),
	)
}

// unknownRows are rows in which the version is not known at first, or until the end.
func unknownRows() []row {
	const never = 24 * time.Hour
	unknown := func(fault string, workload simcluster.Workload, reason string) []row {
		says := "WRN the version to check is not known yet: " + reason + "(?s:.*)ERR INCONCLUSIVE .*: the version to check is not known: " + reason
		release := simcluster.Release{Workload: workload}
		return []row{
			ofWorkload(fault, release, "MIN_PODS=0").expect("inconclusive", 3, says),
			ofWorkload(fault+", by COUNT", release, "MIN_PODS=0", "COUNT=3", "DURATION=", "MAX_DURATION=30s").expect("inconclusive", 3, says),
		}
	}
	rows := unknown("paused until the end", simcluster.Workload{Kind: "Deployment", Paused: true}, "deployment shop is paused: no ReplicaSet has its pod template")
	for _, kind := range []string{"Deployment", "StatefulSet", "DaemonSet", "Rollout"} {
		reason := fmt.Sprintf(`the controller of %s shop has not observed generation 2 yet \(last observed: 1\)`, strings.ToLower(kind))
		rows = append(rows, unknown(kind+": not observed until the end", simcluster.Workload{Kind: kind, ObservedAfter: never}, reason)...)
		rows = append(rows, unknown(kind+": not found until the end", simcluster.Workload{Kind: kind, DeletedAfter: 1}, strings.ToLower(kind)+" shop was not found in namespace shop")...)
	}

	found := func(kind string) row {
		r := ofWorkload(kind+": observed during the window", simcluster.Release{Workload: simcluster.Workload{Kind: kind, ObservedAfter: 2 * time.Minute}}, "DURATION=3s")
		r.options = []simcluster.Option{simcluster.WithSpeed(0)}
		r.during = func(b *bench) {
			if b.untilLogged("has not observed") {
				b.server.Advance(2 * time.Minute)
			}
		}
		return r.expect("pass", 0, "(?s)has not observed.*INF checking version (shop-)?abc.* INF PASS ")
	}
	created := ofWorkload("created during the window", simcluster.Release{Workload: simcluster.Workload{Kind: "Deployment"}}, "DURATION=3s")
	deploy := created.prepare
	created.prepare, created.during = func(b *bench) { b.server.SetPods() }, func(b *bench) {
		if b.untilLogged("was not found") {
			deploy(b)
		}
	}
	aborted := simcluster.Release{Workload: simcluster.Workload{Kind: "Rollout", Aborted: true}}
	return append(rows,
		found("Deployment"), found("StatefulSet"), found("DaemonSet"), found("Rollout"),
		created.expect("pass", 0, "(?s)was not found.*INF checking version abc.* INF PASS "),
		ofWorkload("a Rollout that was aborted: at once", aborted, "DURATION=10m").expect("inconclusive", 3, "ERR INCONCLUSIVE .*: rollout shop was aborted: RolloutAborted"),
		ofWorkload("a Rollout where Argo Rollouts is not installed", simcluster.Release{Workload: simcluster.Workload{Kind: "Rollout"}}).
			with(simcluster.Only("/rollouts/", simcluster.Answer(404, "text/plain", "404 page not found\n"))).
			expect("inconclusive", 3, `ERR INCONCLUSIVE .*404 page not found.*is Argo Rollouts installed in this cluster\?`),
	)
}

// slowly delays every response. The fault itself takes time.
func slowly(delay time.Duration) simcluster.Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(delay):
				next.ServeHTTP(w, r)
			case <-r.Context().Done():
			}
		})
	}
}

func workloadRows() []row {
	deployment := simcluster.Release{Workload: simcluster.Workload{Kind: "Deployment"}}
	var rows []row
	for _, s := range steps {
		rows = append(rows, stepRows(s)...)
	}
	rows = append(rows, unknownRows()...)
	rows = append(rows, supersededRows()...)
	return append(rows,
		// Each request is in time, the whole check is not.
		ofWorkload("a check of three requests that takes 12 s", deployment, "API_GRACE=0").with(slowly(4*time.Second)).
			expect("inconclusive", 3, "ERR INCONCLUSIVE .*: the pods were never observed .*no response within 9s"),
		ofWorkload("a check of three requests that takes 3 s", deployment).with(slowly(time.Second)).expect("pass", 0, "INF PASS "),
	)
}
