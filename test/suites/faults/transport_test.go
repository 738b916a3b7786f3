package faults

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/crashcheck/crashcheck/test/simcluster"
)

// through starts a proxy with a fault for its first connections (-1: for all).
func through(connections int64, fault behaviour) func(*bench) {
	return func(b *bench) { b.startProxy(connections, fault) }
}

func transportRows() []row {
	return []row{
		{
			fault: "connections refused, then accepted again", settings: []string{"API_GRACE=30s"},
			prepare: func(b *bench) { b.server.Stop() },
			during: func(b *bench) {
				if b.untilLogged("connection refused") {
					if err := b.server.Restart(); err != nil {
						b.Error(err)
					}
				}
			},
			verdict: "pass", exit: 0, says: "checks succeed again after",
		},
		{
			fault:   "connections refused, permanent",
			prepare: func(b *bench) { b.server.Stop() },
			verdict: "inconclusive", exit: 3, says: "connection refused", requests: [2]int{0, 0},
		},
		{
			fault:   "connections refused during the run, permanent",
			during:  func(b *bench) { b.untilRequests(2); b.server.Stop() },
			verdict: "inconclusive", exit: 3, says: "connection refused|EOF|reset",
			warnings: 2, // the closed connection, and the refused ones
		},
		{
			fault:   "packets dropped before the connection is established",
			prepare: func(b *bench) { b.pointAt("http://" + blackhole(b.T)) },
			verdict: "inconclusive", exit: 3, says: "no response within 10s|dial tcp.*timeout",
		},
		{
			fault:   "no response after the connection is established",
			prepare: through(-1, silent),
			verdict: "inconclusive", exit: 3, says: "no response within 10s",
		},
		{
			fault:   "no response after a part of the header",
			prepare: through(-1, stallAfter(20)),
			verdict: "inconclusive", exit: 3, says: "no response within 10s",
		},
		{
			fault:   "no response after a part of the body",
			prepare: through(-1, stallAfter(2000)),
			verdict: "inconclusive", exit: 3, says: `read the PodList after \d+ bytes: no response within 10s`,
		},
		{
			fault:   "reset within the body, permanent",
			prepare: through(-1, resetAfter(2000)),
			verdict: "inconclusive", exit: 3, says: "reset by peer",
		},
		{
			fault: "reset within the body, once", settings: []string{"API_GRACE=30s"},
			prepare: through(1, resetAfter(2000)),
			verdict: "pass", exit: 0, says: "reset by peer(?s:.*)checks succeed again after 1 failure;",
		},
		{
			fault:   "closed before the response, permanent",
			prepare: through(-1, closeAtOnce),
			verdict: "inconclusive", exit: 3, says: "EOF|reset by peer", warnings: 2, // either may come first
		},
		{
			fault:   "one byte per second",
			prepare: through(-1, trickle),
			verdict: "inconclusive", exit: 3, says: "no response within 10s",
		},
		{
			fault: "responses slower than INTERVAL", settings: []string{"INTERVAL=50ms"},
			prepare: func(b *bench) {
				b.server.Handle(func(next http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						select { // the fault itself takes time
						case <-time.After(300 * time.Millisecond):
							next.ServeHTTP(w, r)
						case <-r.Context().Done():
						}
					})
				})
			},
			verdict: "pass", exit: 0, requests: [2]int{2, 6},
		},
		{
			fault: "a dead connection that stays open (HTTP/1.1)", settings: []string{"API_GRACE=30s"},
			prepare: through(1, dieAfter(2)),
			verdict: "pass", exit: 0, says: "no response within 10s(?s:.*)checks succeed again after 1 failure;",
			check: func(b *bench) {
				if b.line.LongestGapSeconds < 9 {
					b.Errorf("the longest gap is %v s, without the dead time", b.line.LongestGapSeconds)
				}
			},
		},
		{
			fault:   "a name that does not resolve",
			prepare: func(b *bench) { b.pointAt("http://api.crashcheck.invalid:6443") },
			verdict: "inconclusive", exit: 3, says: `lookup api\.crashcheck\.invalid`, warnings: 2,
		},
		{
			fault: "every third request fails", settings: []string{"API_GRACE=30s"},
			prepare: func(b *bench) {
				b.server.Handle(every(3, b.server.Fail(503, 0)))
			},
			verdict: "pass", exit: 0, says: "503 Service Unavailable",
			warnings: 3, // each is a streak, and there is at most a warning every 5 s
		},
	}
}

// every applies a fault to the first request, and then to every n-th.
func every(n int64, fault simcluster.Middleware) simcluster.Middleware {
	var seen atomic.Int64
	return func(next http.Handler) http.Handler {
		faulty := fault(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if seen.Add(1)%n == 1 {
				faulty.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}
