package faults

import (
	"time"

	"github.com/crashcheck/crashcheck/test/simcluster"
)

// event is something that happens to the watched release, by itself or during the window. No pod of it is left that has
// run and is observed, so a run may pass only if another pod is fine, or MIN_PODS is 0.
type event struct {
	title   string
	release simcluster.Release
	advance time.Duration // in simulated time, once the first check has found the pods; 0: no event
	after   func(b *bench)

	inconclusive string // reason, in a regular expression
	caveat       string // of a pass with a good pod beside: a part of its reason
}

func events() []event {
	const minute = time.Minute
	newVersion := func(b *bench) {
		b.server.Deploy(simcluster.Release{Namespace: namespace, Name: "next", Hash: "def", Replicas: 2})
	}
	return []event{
		{
			title: "every image cannot be pulled", release: simcluster.Release{App: simcluster.CannotPull()},
			inconclusive: `no pod ran; bad-abc-\w+/app cannot start: ImagePullBackOff: Back-off pulling image "registry.example/app:1": .*not found \(and 1 more\)`,
			caveat:       `bad-abc-\w+/app cannot start: ImagePullBackOff: .*\(and 1 more\)`,
		},
		{
			title: "scaled to 0 during the window, pods being deleted", release: simcluster.Release{DeleteAfter: 2 * minute}, advance: 70 * time.Second,
			inconclusive: `no running pods remained at the final check, since \d\d:\d\d:\d\d \(2 being deleted`,
		},
		{
			title: "scaled to 0 during the window, pods gone", release: simcluster.Release{DeleteAfter: 2 * minute}, advance: 2 * minute,
			inconclusive: `no pods remained at the final check, since \d\d:\d\d:\d\d`,
		},
		{
			title: "a new version during the window", release: simcluster.Release{DeleteAfter: 2 * minute}, advance: 2 * minute, after: newVersion,
			inconclusive: `no pods remained at the final check, since \d\d:\d\d:\d\d`,
		},
		{
			title: "the node stops reporting during the window", release: simcluster.Release{NodeLostAfter: 2 * minute}, advance: 2 * minute,
			inconclusive: "the node of 2 of 2 pods has stopped reporting: node1",
			caveat:       "the node of 2 of 3 pods has stopped reporting: node1",
		},
	}
}

// simulated is a row on a cluster whose time stands still, with only this event.
func simulated(e event, variant string, settings ...string) row {
	r := row{
		fault: e.title + variant, settings: append([]string{"DURATION=3s"}, settings...), options: []simcluster.Option{simcluster.WithSpeed(0)},
		prepare: func(b *bench) { b.server.SetPods(); deploy(b, e.release) },
	}
	if e.advance > 0 {
		r.during = func(b *bench) {
			if b.untilLogged(" found: ") {
				b.server.Advance(e.advance)
				if e.after != nil {
					e.after(b)
				}
			}
		}
	}
	return r
}

// deploy deploys the watched release: two pods, one minute old.
func deploy(b *bench, release simcluster.Release) {
	release.Namespace, release.Name, release.Hash, release.Replicas, release.Age = namespace, "bad", "abc", 2, time.Minute
	b.server.Deploy(release)
}

// andGoodPod adds a healthy pod of the same version, on another node.
func andGoodPod(r row) row {
	prepare := r.prepare
	r.prepare = func(b *bench) {
		prepare(b)
		b.server.Deploy(simcluster.Release{Namespace: namespace, Name: "good", Hash: "abc", Node: "node2", Age: time.Hour})
	}
	return r
}

func releaseRows() []row {
	expect := func(r row, verdict string, exit int, says string) row {
		r.verdict, r.exit, r.says = verdict, exit, says
		return r
	}
	var rows []row
	for _, e := range events() {
		pass := "INF PASS "
		if e.caveat != "" {
			pass = "WRN PASS .*" + e.caveat
		}
		rows = append(rows,
			expect(simulated(e, ""), "inconclusive", 3, "ERR INCONCLUSIVE .*: "+e.inconclusive),
			expect(simulated(e, ", by COUNT", "COUNT=12", "DURATION="), "inconclusive", 3, "ERR INCONCLUSIVE .*: "+e.inconclusive),
			expect(simulated(e, ", MIN_PODS=0", "MIN_PODS=0"), "pass", 0, "WRN PASS "),
			expect(andGoodPod(simulated(e, ", one good pod beside")), "pass", 0, pass),
		)
	}
	return append(rows, otherReleaseRows(expect)...)
}

// otherReleaseRows are rows in which the limit is reached, whatever happens to the release, and rows about pods that are
// replaced, do not start, or are too few.
func otherReleaseRows(expect func(r row, verdict string, exit int, says string) row) []row {
	const minute = time.Minute
	crashLoop := simcluster.CrashLoop(time.Second, 1) // of a container that has crashed 4 times after a minute, 5 after two, 6 after 160 s
	return []row{
		expect(simulated(event{title: "every image cannot be pulled, and a sidecar crashes",
			release: simcluster.Release{App: simcluster.CannotPull(), Sidecar: &crashLoop}}, ", limit reached", "CRASH_LIMIT=8"), "fail", 1, "ERR FAIL .*: 8 crashes"),
		expect(simulated(event{title: "scaled to 0 during the window",
			release: simcluster.Release{App: crashLoop, DeleteAfter: 140 * time.Second}, advance: 105 * time.Second}, ", limit reached", "CRASH_LIMIT=9"), "fail", 1, "ERR FAIL .*: 10 crashes"),
		expect(simulated(event{title: "the node stops reporting during the window",
			release: simcluster.Release{App: crashLoop, NodeLostAfter: 2 * minute}, advance: 2 * minute}, ", limit reached", "CRASH_LIMIT=9"), "fail", 1, "ERR FAIL .*: 10 crashes"),
		expect(simulated(event{title: "pods evicted for their own use",
			release: simcluster.Release{EvictAfter: 2 * minute}, advance: 2 * minute}, ", limit reached", "CRASH_LIMIT=2"), "fail", 1, "Evicted: Pod ephemeral local storage(?s:.*)ERR FAIL .*: 2 crashes"),
		expect(simulated(event{title: "pods evicted because of their node, and replaced",
			release: simcluster.Release{EvictAfter: 2 * minute, NodePressure: true}, advance: 2 * minute}, "", "CRASH_LIMIT=1"), "pass", 0, "Evicted: The node was low on resource: memory.*not counted as a crash"),
		expect(simulated(event{title: "pods replaced during the window",
			release: simcluster.Release{ReplaceAfter: 2 * minute}, advance: 2 * minute}, ""), "pass", 0, "2 pods gone(?s:.*)INF PASS .*: no crashes"),
		expect(simulated(event{title: "pods that cannot be scheduled",
			release: simcluster.Release{Unschedulable: "0/3 nodes are available: 3 Insufficient memory."}}, ""), "inconclusive", 3, "ERR INCONCLUSIVE .*: no pod ran; .*Unschedulable: 0/3 nodes are available"),
		expect(simulated(event{title: "pods whose init container never completes",
			release: simcluster.Release{Init: &simcluster.Life{CrashAfter: time.Hour}}}, ""), "inconclusive", 3, "ERR INCONCLUSIVE .*: no pod ran; .* were still starting at the final check"),
		expect(simulated(event{title: "fewer pods than MIN_PODS"}, "", "MIN_PODS=3"), "inconclusive", 3, "ERR INCONCLUSIVE .*: at most 2 pods ran at the same time, MIN_PODS is 3"),
		expect(andGoodPod(simulated(event{title: "as many pods as MIN_PODS"}, "", "MIN_PODS=3")), "pass", 0, "INF PASS "),
		{
			fault: "no pod matches", prepare: func(b *bench) { b.server.SetPods() },
			verdict: "inconclusive", exit: 3, says: "no pod matched rollouts-pod-template-hash=abc or pod-template-hash=abc",
		},
	}
}
