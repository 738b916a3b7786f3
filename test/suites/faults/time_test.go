package faults

import (
	"time"

	"github.com/crashcheck/crashcheck/test/simcluster"
)

// With INTERVAL=1h, the second check is the final one. The first check asks for both labels, the final one for one.
func timeRows() []row {
	return []row{
		{fault: "none: INTERVAL longer than the window", settings: []string{"INTERVAL=1h"}, verdict: "pass", check: requests(2 + 1)},
		{fault: "no response to the final check", settings: []string{"INTERVAL=1h"}, inject: simcluster.From(3, simcluster.Hang()),
			verdict: "inconclusive", says: `no response within (10|\d\.\d|\d)s`},
		{fault: "the final check fails, permanent", settings: []string{"INTERVAL=1h"}, inject: simcluster.From(3, simcluster.Fail(503, 0)),
			verdict: "inconclusive", says: "503 Service Unavailable"},
		{fault: "the final check fails twice, then succeeds", settings: []string{"INTERVAL=1h", "API_GRACE=30s"},
			inject:  simcluster.From(3, simcluster.Times(2, simcluster.Fail(503, 0))),
			verdict: "pass", says: "checks succeed again after 2 failures"},
		{fault: "no grace: one fault ends the run", settings: []string{"API_GRACE=0"}, inject: simcluster.Times(1, simcluster.Fail(503, 0)), allowed: 10 * time.Second,
			verdict: "inconclusive", says: "INCONCLUSIVE .*: the pods were never observed"},
		{fault: "COUNT is not reached before MAX_DURATION because of faults", settings: []string{"COUNT=100", "MAX_DURATION=1s", "DURATION="}, inject: simcluster.Fail(503, 0),
			verdict: "inconclusive", says: "503 Service Unavailable"},
		{fault: "COUNT without MAX_DURATION, and the server hangs", settings: []string{"COUNT=2", "DURATION="}, inject: simcluster.Hang(),
			allowed: 2 * (250*time.Millisecond + time.Second + 10*time.Second),
			verdict: "inconclusive", says: "no response within 10s"},
		{fault: "COUNT, and faults between checks: only successful checks count", settings: []string{"COUNT=3", "MAX_DURATION=30s", "DURATION=", "API_GRACE=30s"},
			inject:  simcluster.Every(3, simcluster.Fail(503, 0)),
			verdict: "pass",
			check: func(b *bench) {
				if b.line.Checks != 3 || b.line.FailedChecks == 0 {
					b.Errorf("%d checks and %d failed ones", b.line.Checks, b.line.FailedChecks)
				}
			}},
		{fault: "BASELINE=start, and only the final check succeeds", settings: []string{"INTERVAL=1h", "BASELINE=start", "API_GRACE=30s"},
			inject:  simcluster.Times(2, simcluster.Fail(503, 0)),
			verdict: "inconclusive", says: "INCONCLUSIVE .*: only the final check could list the pods"},
		{fault: "a crash loop fails in spite of faults", settings: []string{"DURATION=30s", "API_GRACE=30s", "CRASH_LIMIT=2"},
			options: []simcluster.Option{simcluster.WithSpeed(10)}, inject: simcluster.Every(3, simcluster.Fail(503, 0)),
			prepare: func(b *bench) {
				b.server.Deploy(simcluster.Release{Namespace: namespace, Name: "bad", Hash: "abc", App: simcluster.CrashLoop(time.Second, 1)})
			},
			verdict: "fail", says: "FAIL .*: "},
	}
}
