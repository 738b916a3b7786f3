package faults

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/crashcheck/crashcheck/test/simcluster"
)

// through puts a proxy with a fault before the server, for its first connections (-1: for all).
func through(connections int64, fault behaviour) func(*bench) {
	return func(b *bench) { b.startProxy(connections, fault) }
}

func transportRows() []row {
	return []row{
		{
			fault: "connections refused, then the server comes back", settings: []string{"API_GRACE=30s"},
			prepare: func(b *bench) { b.server.GoAway() },
			during: func(b *bench) {
				if b.untilLogged("connection refused") {
					if err := b.server.ComeBack(); err != nil {
						b.Error(err)
					}
				}
			},
			verdict: "pass", exit: 0, says: "checks succeed again,? after",
		},
		{
			fault:   "connections refused for good",
			prepare: func(b *bench) { b.server.GoAway() },
			verdict: "inconclusive", exit: 3, says: "connection refused", requests: [2]int{0, 0},
		},
		{
			fault:   "connections refused in mid-run, for good",
			during:  func(b *bench) { b.untilRequests(2); b.server.GoAway() },
			verdict: "inconclusive", exit: 3, says: "connection refused|EOF|reset",
			warnings: 2, // the one that breaks, and those that are refused
		},
		{
			fault:   "blackholed before the connection is established",
			prepare: func(b *bench) { b.pointAt("http://" + blackhole(b.T)) },
			verdict: "inconclusive", exit: 3, says: "no answer within 10s|dial tcp.*timeout",
		},
		{
			fault:   "blackholed after the connection is established",
			prepare: through(-1, silent),
			verdict: "inconclusive", exit: 3, says: "no answer within 10s",
		},
		{
			fault:   "silent from the middle of the header on",
			prepare: through(-1, stallAfter(20)),
			verdict: "inconclusive", exit: 3, says: "no answer within 10s",
		},
		{
			fault:   "silent from the middle of the body on",
			prepare: through(-1, stallAfter(2000)),
			verdict: "inconclusive", exit: 3, says: `read the list after \d+ bytes: no answer within 10s`,
		},
		{
			fault:   "reset in mid-body, for good",
			prepare: through(-1, resetAfter(2000)),
			verdict: "inconclusive", exit: 3, says: "reset by peer",
		},
		{
			fault: "reset in mid-body, once", settings: []string{"API_GRACE=30s"},
			prepare: through(1, resetAfter(2000)),
			verdict: "pass", exit: 0, says: "reset by peer(?s:.*)checks succeed again,? after 1 failed attempt",
		},
		{
			fault:   "closed before the answer, for good",
			prepare: through(-1, closeAtOnce),
			verdict: "inconclusive", exit: 3, says: "EOF|reset by peer", warnings: 2, // either may come first
		},
		{
			fault:   "one byte a second",
			prepare: through(-1, trickle),
			verdict: "inconclusive", exit: 3, says: "no answer within 10s",
		},
		{
			fault: "answers slower than INTERVAL", settings: []string{"INTERVAL=50ms"},
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
			fault: "a connection that dies and stays open (HTTP/1.1)", settings: []string{"API_GRACE=30s"},
			prepare: through(1, dieAfter(2)),
			verdict: "pass", exit: 0, says: "no answer within 10s(?s:.*)checks succeed again,? after 1 failed attempt",
			check: func(b *bench) {
				if b.line.LongestGapSeconds < 9 {
					b.Errorf("the longest gap is %v s: the dead time is not in it", b.line.LongestGapSeconds)
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
			warnings: 3, // each is a streak of its own, but a warning every 5 s is enough
		},
	}
}

// every lets a fault happen to the first request, and then to every n-th.
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
