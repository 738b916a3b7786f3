package faults

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/crashcheck/crashcheck/test/simcluster"
)

// from applies a fault to the n-th request and all later ones.
func from(n int64, fault simcluster.Middleware) simcluster.Middleware {
	var seen atomic.Int64
	return func(next http.Handler) http.Handler {
		faulty := fault(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if seen.Add(1) >= n {
				faulty.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// onlyFinalCheck are settings with which the second check is the final one.
var onlyFinalCheck = []string{"INTERVAL=1h"}

func timeRows() []row {
	return []row{
		{
			fault: "none: INTERVAL longer than the window", settings: onlyFinalCheck,
			verdict: "pass", exit: 0, requests: exactly(2 + 1), // the first check asks for both labels
		},
		{
			fault: "no response to the final check", settings: onlyFinalCheck,
			prepare: broken(from(3, simcluster.Hang())),
			verdict: "inconclusive", exit: 3, says: "no response within 10s",
		},
		{
			fault: "the final check fails, permanent", settings: onlyFinalCheck,
			prepare: func(b *bench) { b.server.Handle(from(3, b.server.Fail(503, 0))) },
			verdict: "inconclusive", exit: 3, says: "503 Service Unavailable",
		},
		{
			fault: "the final check fails twice, then succeeds", settings: []string{"INTERVAL=1h", "API_GRACE=30s"},
			prepare: func(b *bench) { b.server.Handle(from(3, simcluster.Times(2, b.server.Fail(503, 0)))) },
			verdict: "pass", exit: 0, says: "checks succeed again after 2 failures",
		},
		{
			fault: "no grace: one fault ends the run", settings: []string{"API_GRACE=0"},
			prepare: status(1, 503, 0), allowed: 10 * time.Second,
			verdict: "inconclusive", exit: 3, says: "INCONCLUSIVE .*: the pods were never observed", requests: [2]int{1, 2},
		},
		{
			fault: "COUNT is not reached before MAX_DURATION because of faults", settings: []string{"COUNT=100", "MAX_DURATION=1s", "DURATION="},
			prepare: status(-1, 503, 0),
			verdict: "inconclusive", exit: 3, says: "503 Service Unavailable",
		},
		{
			fault: "COUNT without MAX_DURATION, and the server hangs", settings: []string{"COUNT=2", "DURATION="},
			prepare: broken(simcluster.Hang()), allowed: 2 * (250*time.Millisecond + time.Second + 10*time.Second),
			verdict: "inconclusive", exit: 3, says: "no response within 10s",
		},
		{
			fault: "COUNT, and faults between checks: only successful checks count", settings: []string{"COUNT=3", "MAX_DURATION=30s", "DURATION=", "API_GRACE=30s"},
			prepare: func(b *bench) { b.server.Handle(every(3, b.server.Fail(503, 0))) },
			verdict: "pass", exit: 0, warnings: 3,
			check: func(b *bench) {
				if b.line.Checks != 3 || b.line.FailedChecks == 0 {
					b.Errorf("%d checks and %d failed ones", b.line.Checks, b.line.FailedChecks)
				}
			},
		},
		{
			fault: "a crash loop fails in spite of faults", settings: []string{"DURATION=30s", "API_GRACE=30s", "CRASH_LIMIT=2"},
			options: []simcluster.Option{simcluster.WithSpeed(10)},
			prepare: func(b *bench) {
				b.server.Deploy(simcluster.Release{Namespace: namespace, Name: "bad", Hash: "abc", App: simcluster.CrashLoop(time.Second, 1)})
				b.server.Handle(every(3, b.server.Fail(503, 0)))
			},
			verdict: "fail", exit: 1, says: "FAIL .*: ", warnings: 7,
		},
	}
}
