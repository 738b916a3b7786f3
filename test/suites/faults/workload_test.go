package faults

import (
	"fmt"
	"strings"
	"time"

	"github.com/crashcheck/crashcheck/test/simcluster"
)

const minutes = 2 * time.Minute

// ofWorkload is a row that checks WORKLOAD=KIND/shop in a window of half a second: two pods, one minute old.
func ofWorkload(fault string, release simcluster.Release, settings ...string) row {
	release.Namespace, release.Name, release.Hash, release.Replicas, release.Age = namespace, "shop", "abc", 2, time.Minute
	return row{
		fault:    fault,
		settings: append([]string{"HASH=", "WORKLOAD=" + release.Workload.Kind + "/shop", "DURATION=500ms"}, settings...),
		prepare:  func(b *bench) { b.server.SetPods(); b.server.Deploy(release) },
	}
}

// advancing is such a row in which two minutes pass once the log contains a text.
func advancing(text, fault string, release simcluster.Release, settings ...string) row {
	r := ofWorkload(fault, release, append([]string{"DURATION=6s"}, settings...)...)
	r.options = stillCluster
	r.during = logged(text, func(b *bench) { b.server.Advance(minutes) })
	return r
}

func (r row) with(fault simcluster.Fault) row {
	r.inject = fault
	return r
}

// stepRows are faults of the requests that a check of a workload makes beside the list of pods. The tests of pkg/kube show
// which responses are errors.
func stepRows() (rows []row) {
	for _, step := range []struct {
		name, kind    string
		path          string // a part of it
		nth           int64  // request with this path
		doing, denied string // parts of the reason
	}{
		{"the workload", "Deployment", "/deployments/", 1, "find the version of deployment/shop", "the API server denies access: "},
		{"its ReplicaSets", "Deployment", "/replicasets", 1, "find the version of deployment/shop: list replicasets", "the API server denies access: "},
		{"its ControllerRevisions", "DaemonSet", "/controllerrevisions", 1, "find the version of daemonset/shop: list controllerrevisions", "the API server denies access: "},
		// Checks have succeeded before.
		{"the workload at the final check", "Deployment", "/deployments/", 2, "read deployment/shop again", "the pods were not observed in the last .*: "},
	} {
		add := func(fault string, inject simcluster.Fault, verdict, says string, settings ...string) {
			release := simcluster.Release{Workload: simcluster.Workload{Kind: step.kind}}
			rows = append(rows, ofWorkload(step.name+": "+fault, release, settings...).
				with(simcluster.Only(step.path, simcluster.From(step.nth, inject))).expect(verdict, says))
		}
		reason := "ERR INCONCLUSIVE .*: " + step.doing + ": "
		// With MIN_PODS=0, no pods would pass.
		add("no response", simcluster.Hang(), "inconclusive", reason+"(request to \\S+: )?no response within 1?[0-9.]+s", "MIN_PODS=0")
		add("closed within the body", simcluster.Truncate(100), "inconclusive", reason+"read the \\w+ after 100 bytes: unexpected EOF", "MIN_PODS=0")
		add("{}", simcluster.Answer(200, asJSON, "{}"), "inconclusive", reason+"invalid \\w+: no kind", "MIN_PODS=0")
		add("404 without a Status", simcluster.Answer(404, "text/plain", "404 page not found"), "inconclusive", reason+"404 Not Found", "MIN_PODS=0")
		add("503, permanent", simcluster.Fail(503, 0), "inconclusive", reason+"503 Service Unavailable", "MIN_PODS=0")
		add("503, twice", simcluster.Times(2, simcluster.Fail(503, 0)), "pass", "503 Service Unavailable(?s:.*)checks succeed again after 2 failures", "API_GRACE=8s")
		add("400", simcluster.Fail(400, 0), "inconclusive", "ERR INCONCLUSIVE .*: the API server rejects the request: "+step.doing+": 400 ", "API_GRACE=60s")
		add("403, permanent", simcluster.Fail(403, 0), "inconclusive", fmt.Sprintf(
			`ERR INCONCLUSIVE .*: %s%s: 403 .*permission to \w+ %s in namespace shop: .*\{apiGroups: \["apps"\], resources: \["%[3]s"\], verbs: `,
			step.denied, step.doing, strings.Trim(step.path, "/")))
	}
	return rows
}

// unknownRows are rows in which the version is not known at first, or until the end.
func unknownRows() (rows []row) {
	unknown := func(fault string, workload simcluster.Workload, reason string) row {
		says := "WRN the version to check is not known yet: " + reason + "(?s:.*)ERR INCONCLUSIVE .*: the version to check is not known: " + reason
		return ofWorkload(fault, simcluster.Release{Workload: workload}, "MIN_PODS=0").expect("inconclusive", says)
	}
	for _, kind := range []string{"Deployment", "StatefulSet", "DaemonSet", "Rollout"} {
		name := strings.ToLower(kind) + " shop"
		later := simcluster.Workload{Kind: kind, ObservedAfter: minutes}
		rows = append(rows,
			unknown(kind+": not observed until the end", later, "the controller of "+name+` has not observed generation 2 yet \(last observed: 1\)`),
			unknown(kind+": not found until the end", simcluster.Workload{Kind: kind, DeletedAfter: 1}, name+" was not found in namespace shop"),
			advancing("has not observed", kind+": observed during the window", simcluster.Release{Workload: later}).
				expect("pass", "(?s)has not observed.*INF checking version (shop-)?abc.* INF PASS "))
	}
	deployment := simcluster.Release{Workload: simcluster.Workload{Kind: "Deployment"}}
	created := ofWorkload("created during the window", deployment, "DURATION=6s")
	deploy := created.prepare
	created.prepare, created.during = func(b *bench) { b.server.SetPods() }, logged("was not found", deploy)
	paused := simcluster.Workload{Kind: "Deployment", Paused: true}
	byCount := unknown("paused until the end, by COUNT", paused, "deployment shop is paused: no ReplicaSet has its pod template")
	byCount.settings = append(byCount.settings, "COUNT=3", "DURATION=", "MAX_DURATION=30s")
	return append(rows,
		unknown("paused until the end", paused, "deployment shop is paused: no ReplicaSet has its pod template"),
		byCount,
		created.expect("pass", "(?s)was not found.*INF checking version abc.* INF PASS "),
		ofWorkload("a Rollout that was aborted: at once", simcluster.Release{Workload: simcluster.Workload{Kind: "Rollout", Aborted: true}}, "DURATION=10m").
			expect("inconclusive", "ERR INCONCLUSIVE .*: rollout shop was aborted: RolloutAborted"),
	)
}

func supersededRows() (rows []row) {
	for _, kind := range []string{"Deployment", "StatefulSet", "DaemonSet", "Rollout"} {
		for _, by := range []struct {
			title    string
			workload simcluster.Workload
			reason   string
		}{
			{"a new version", simcluster.Workload{Kind: kind, SupersededAfter: minutes}, `superseded by version (shop-)?next; the checked version was (shop-)?abc`},
			{"scaled to 0", simcluster.Workload{Kind: kind, ScaledToZeroAfter: minutes}, `\w+ shop was scaled to 0; the checked version was (shop-)?abc`},
			{"deleted", simcluster.Workload{Kind: kind, DeletedAfter: minutes}, `\w+ shop was deleted; the checked version was (shop-)?abc`},
		} {
			if kind == "DaemonSet" && by.title == "scaled to 0" {
				continue
			}
			title, says := kind+": "+by.title, "ERR INCONCLUSIVE .*: "+by.reason
			early := advancing(" found: ", title+", and its pods gone: at once", simcluster.Release{Workload: by.workload, DeleteAfter: minutes}, "DURATION=10m", "MIN_PODS=0")
			early.allowed = time.Minute
			rows = append(rows, early.expect("inconclusive", says),
				advancing(" found: ", title+", while its pods stay", simcluster.Release{Workload: by.workload}, "MIN_PODS=0").expect("inconclusive", says))
		}
	}
	superseded := simcluster.Workload{Kind: "Deployment", SupersededAfter: minutes}
	stays := simcluster.Release{Workload: superseded}
	crashing := simcluster.Release{App: simcluster.CrashLoop(time.Second, 1), Workload: superseded}
	unavailable := func(path string) simcluster.Fault {
		return simcluster.Only(path, simcluster.From(2, simcluster.Fail(503, 0)))
	}
	return append(rows,
		advancing(" found: ", "a new version, while its pods stay, by COUNT", stays, "COUNT=12", "DURATION=", "MAX_DURATION=30s").
			expect("inconclusive", "ERR INCONCLUSIVE .*: superseded by version next; the checked version was abc"),
		advancing(" found: ", "a new version, and the limit is reached at the final check", crashing, "CRASH_LIMIT=9", "INTERVAL=1h").
			expect("fail", "ERR FAIL .*: 12 crashes"),
		advancing(" found: ", "the limit is reached at the final check, at which the workload cannot be read", crashing, "CRASH_LIMIT=9", "INTERVAL=1h").
			with(unavailable("/deployments/")).expect("fail", "ERR FAIL .*: 12 crashes"),
		advancing(" found: ", "a new version that cannot be listed", stays).with(unavailable("/replicasets")).
			expect("inconclusive", "ERR INCONCLUSIVE .*: deployment shop has a new pod template; the checked version was abc"),
		advancing(" found: ", "a new version whose list gets no response", stays).with(simcluster.Only("/replicasets", simcluster.From(2, simcluster.Hang()))).
			expect("inconclusive", "ERR INCONCLUSIVE .*: deployment shop has a new pod template; the checked version was abc"),
	)
}

func workloadRows() []row {
	deployment := simcluster.Release{Workload: simcluster.Workload{Kind: "Deployment"}}
	rows := append(stepRows(), unknownRows()...)
	rows = append(rows, supersededRows()...)
	return append(rows,
		// Each request is in time, the whole check is not.
		ofWorkload("a check of three requests that takes 12 s", deployment, "API_GRACE=0").with(slowly(4*time.Second, healthy)).
			expect("inconclusive", "ERR INCONCLUSIVE .*: the pods were never observed .*no response within 9s"),
		ofWorkload("a check of three requests that takes 3 s", deployment).with(slowly(time.Second, healthy)).expect("pass", "INF PASS "),
	)
}
