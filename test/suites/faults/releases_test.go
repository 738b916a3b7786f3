package faults

import (
	"time"

	"github.com/crashcheck/crashcheck/test/simcluster"
)

// stillCluster is a cluster whose time stands still until a row advances it.
var stillCluster = []simcluster.Option{simcluster.WithSpeed(0)}

// simulated is a row on a release of two pods, one minute old. Once the first check has found them, time advances. If good is
// true, there is a healthy pod of the same version on another node.
func simulated(fault string, release simcluster.Release, advance time.Duration, good bool, settings ...string) row {
	release.Namespace, release.Name, release.Hash, release.Replicas, release.Age = namespace, "bad", "abc", 2, time.Minute
	r := row{fault: fault, settings: append([]string{"DURATION=6s"}, settings...), options: stillCluster}
	r.prepare = func(b *bench) {
		b.server.SetPods()
		b.server.Deploy(release)
		if good {
			b.server.Deploy(simcluster.Release{Namespace: namespace, Name: "good", Hash: "abc", Node: "node2", Age: time.Hour})
		}
	}
	if advance > 0 {
		r.during = found(func(b *bench) { b.server.Advance(advance) })
	}
	return r
}

func (r row) expect(verdict, says string) row {
	r.verdict, r.says = verdict, says
	return r
}

// gone are events after which no pod of the release is left that has run and is observed, so a run may pass only if another pod
// is fine, or MIN_PODS is 0.
var gone = []struct {
	title   string
	release simcluster.Release
	advance time.Duration // in simulated time, once the first check has found the pods; 0: no event

	inconclusive string // reason, in a regular expression
	caveat       string // of a pass with a good pod beside: a part of its reason
}{
	{"every image cannot be pulled", simcluster.Release{App: simcluster.CannotPull()}, 0,
		`no pod ran; bad-abc-\w+/app cannot start: ImagePullBackOff: Back-off pulling image "registry.example/app:1": .*not found \(1 more cannot start\)`,
		`bad-abc-\w+/app cannot start: ImagePullBackOff: .*\(1 more cannot start\)`},
	{"scaled to 0 during the window, pods being deleted", simcluster.Release{DeleteAfter: 2 * time.Minute}, 70 * time.Second,
		`no running pods remained at the final check \(none since \d\d:\d\d:\d\d; 2 being deleted`, ""},
	{"scaled to 0 during the window, pods gone", simcluster.Release{DeleteAfter: 2 * time.Minute}, 2 * time.Minute,
		`no pods remained at the final check \(none since \d\d:\d\d:\d\d\)`, ""},
	{"the node stops reporting during the window", simcluster.Release{NodeLostAfter: 2 * time.Minute}, 2 * time.Minute,
		"the node of 2 of 2 pods has stopped reporting: node1", "the node of 2 of 3 pods has stopped reporting: node1"},
}

func releaseRows() []row {
	const minutes = 2 * time.Minute
	var rows []row
	for _, e := range gone {
		pass := "INF PASS "
		if e.caveat != "" {
			pass = "WRN PASS .*" + e.caveat
		}
		rows = append(rows,
			simulated(e.title, e.release, e.advance, false).expect("inconclusive", "ERR INCONCLUSIVE .*: "+e.inconclusive),
			simulated(e.title+", by COUNT", e.release, e.advance, false, "COUNT=12", "DURATION=").expect("inconclusive", "ERR INCONCLUSIVE .*: "+e.inconclusive),
			simulated(e.title+", MIN_PODS=0", e.release, e.advance, false, "MIN_PODS=0").expect("pass", "WRN PASS "),
			simulated(e.title+", one good pod beside", e.release, e.advance, true).expect("pass", pass))
	}
	// A container that has crashed 4 times after a minute, 5 after two, 6 after 160 s.
	crashLoop := simcluster.CrashLoop(time.Second, 1)
	scaledDown := simcluster.Release{App: crashLoop, DeleteAfter: 140 * time.Second}
	replaced := simulated("pods replaced during the window", simcluster.Release{DeleteAfter: minutes}, minutes, false)
	replaced.during = found(func(b *bench) {
		b.server.Advance(minutes)
		b.server.Deploy(simcluster.Release{Namespace: namespace, Name: "new", Hash: "abc", Replicas: 2, Age: time.Minute})
	})
	return append(rows,
		simulated("every image cannot be pulled, and a sidecar crashes", simcluster.Release{App: simcluster.CannotPull(), Sidecar: &crashLoop}, 0, false, "CRASH_LIMIT=8").
			expect("fail", "ERR FAIL .*: 8 crashes"),
		simulated("scaled to 0 during the window, limit reached", scaledDown, 105*time.Second, false, "CRASH_LIMIT=9").
			expect("fail", "ERR FAIL .*: 10 crashes"),
		simulated("the node stops reporting, limit reached", simcluster.Release{App: crashLoop, NodeLostAfter: minutes}, minutes, false, "CRASH_LIMIT=9").
			expect("fail", "ERR FAIL .*: 10 crashes"),
		simulated("pods evicted for their own use, limit reached", simcluster.Release{EvictAfter: minutes}, minutes, false, "CRASH_LIMIT=2").
			expect("fail", "Evicted: Pod ephemeral local storage(?s:.*)ERR FAIL .*: 2 crashes"),
		simulated("pods evicted because of their node, and replaced", simcluster.Release{EvictAfter: minutes, NodePressure: true}, minutes, false, "CRASH_LIMIT=1").
			expect("pass", "Evicted: The node was low on resource: memory.*not counted as a crash"),
		replaced.expect("pass", "2 pods gone(?s:.*)INF PASS .*: no crashes"),
		simulated("pods that cannot be scheduled", simcluster.Release{Unschedulable: "0/3 nodes are available: 3 Insufficient memory."}, 0, false).
			expect("inconclusive", "ERR INCONCLUSIVE .*: no pod ran; .*Unschedulable: 0/3 nodes are available"),
		simulated("pods whose init container never completes", simcluster.Release{Init: &simcluster.Life{CrashAfter: time.Hour}}, 0, false).
			expect("inconclusive", "ERR INCONCLUSIVE .*: no pod ran; .* were still starting at the final check"),
		simulated("fewer pods than MIN_PODS", simcluster.Release{}, 0, false, "MIN_PODS=3").
			expect("inconclusive", "ERR INCONCLUSIVE .*: at most 2 pods ran at the same time, MIN_PODS is 3"),
		simulated("as many pods as MIN_PODS", simcluster.Release{}, 0, true, "MIN_PODS=3").expect("pass", "INF PASS "),
		row{fault: "no pod matches", prepare: func(b *bench) { b.server.SetPods() },
			verdict: "inconclusive", says: "no pod matched rollouts-pod-template-hash=abc or pod-template-hash=abc"},
	)
}
