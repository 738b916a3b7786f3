package faults

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/crashcheck/crashcheck/test/simcluster"
)

// broken applies this fault to every request.
func broken(fault simcluster.Middleware) func(*bench) {
	return func(b *bench) { b.server.Handle(fault) }
}

// status makes the server answer the first n requests with a status (-1: all of them).
func status(n, code int, retryAfter time.Duration) func(*bench) {
	return func(b *bench) {
		fault := b.server.Fail(code, retryAfter)
		if n >= 0 {
			fault = simcluster.Times(n, fault)
		}
		b.server.Handle(fault)
	}
}

// withHeader answers with a status and a header.
func withHeader(code int, name, value string) simcluster.Middleware {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(name, value)
			w.WriteHeader(code)
		})
	}
}

// pauseBefore2 checks the shortest time between the first two requests, which does not depend on the machine.
func pauseBefore2(least time.Duration) func(*bench) {
	return func(b *bench) {
		requests := b.server.Requests()
		if len(requests) < 2 {
			b.Errorf("%d requests", len(requests))
			return
		}
		if pause := requests[1].Time.Sub(requests[0].Time); pause < least {
			b.Errorf("the second request came after %v, want at least %v", pause, least)
		}
	}
}

// redirect answers with a redirect to another server, which must not receive a request.
func redirect(code int) row {
	var other *simcluster.Server
	return row{
		fault:   fmt.Sprintf("%d to another host", code),
		options: []simcluster.Option{simcluster.WithTLS(), simcluster.WithToken("secret")},
		prepare: func(b *bench) {
			other = simcluster.Start()
			b.Cleanup(other.Close)
			b.user().Token = "secret"
			b.server.Handle(withHeader(code, "Location", other.URL()+"/api/v1/namespaces/shop/pods"))
		},
		verdict: "inconclusive", exit: 3, says: "redirects are refused",
		check: func(b *bench) {
			if n := len(other.Requests()); n > 0 {
				b.Errorf("the other host received %d requests", n)
			}
		},
	}
}

// rejected is a status that does not change when the request is repeated.
func rejected(code int) row {
	return row{
		fault: fmt.Sprintf("%d", code), settings: []string{"API_GRACE=60s"},
		prepare: status(-1, code, 0), allowed: 10 * time.Second,
		verdict: "inconclusive", exit: 3, says: fmt.Sprintf("INCONCLUSIVE .*: the API server rejects the request: .*%d", code), requests: exactly(1),
	}
}

func statusRows() []row {
	rows := []row{
		{
			fault: "429 without Retry-After, twice", settings: []string{"API_GRACE=30s"},
			prepare: status(2, 429, 0),
			verdict: "pass", exit: 0, says: "429 Too Many Requests(?s:.*)checks succeed again after 2 failures",
		},
		{
			fault: "429 with a Retry-After of 1 s, once", settings: []string{"API_GRACE=30s", "INTERVAL=50ms"},
			prepare: status(1, 429, time.Second), check: pauseBefore2(time.Second),
			verdict: "pass", exit: 0, says: "429 Too Many Requests",
		},
		{
			fault: "429 with a Retry-After of ten years", settings: []string{"API_GRACE=2s"},
			prepare: status(-1, 429, 10*365*24*time.Hour),
			verdict: "inconclusive", exit: 3, says: "429 Too Many Requests", requests: exactly(2), // the last attempt is made when the grace ends
		},
		{
			fault: "429 with an invalid Retry-After, once", settings: []string{"API_GRACE=30s"},
			prepare: broken(simcluster.Times(1, withHeader(429, "Retry-After", "soon"))),
			verdict: "pass", exit: 0, says: "429 Too Many Requests",
		},
		{
			fault:   "429, permanent",
			prepare: status(-1, 429, 0),
			verdict: "inconclusive", exit: 3, says: "429 Too Many Requests",
		},
	}
	for _, code := range []int{410, 500, 502, 503, 504} {
		rows = append(rows, row{
			fault: fmt.Sprintf("%d, three times", code), settings: []string{"API_GRACE=30s"},
			prepare: status(3, code, 0),
			verdict: "pass", exit: 0, says: fmt.Sprintf("%d %s(?s:.*)checks succeed again after 3 failures", code, http.StatusText(code)),
		}, row{
			fault:   fmt.Sprintf("%d, permanent", code),
			prepare: status(-1, code, 0),
			verdict: "inconclusive", exit: 3, says: fmt.Sprintf("INCONCLUSIVE .*: .*%d %s", code, http.StatusText(code)),
		})
	}
	rows = append(rows,
		row{
			fault: "500 and 502 in turn, permanent", settings: []string{"INTERVAL=20ms"},
			prepare: func(b *bench) {
				second := b.server.Fail(502, 0)
				first := every(2, b.server.Fail(500, 0))
				b.server.Handle(func(next http.Handler) http.Handler { return first(second(next)) })
			},
			verdict: "inconclusive", exit: 3, says: "500 Internal Server Error",
		},
		row{
			fault: "502 with another text each time, permanent", settings: []string{"INTERVAL=20ms"},
			prepare: broken(func(http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					http.Error(w, "request "+rand.Text(), http.StatusBadGateway)
				})
			}),
			verdict: "inconclusive", exit: 3, says: "502 Bad Gateway",
		},
		row{
			fault: "503 every third time, at a check every 10 ms", settings: []string{"INTERVAL=10ms", "API_GRACE=30s"},
			prepare: func(b *bench) { b.server.Handle(every(3, b.server.Fail(503, 0))) },
			verdict: "pass", exit: 0, says: "503 Service Unavailable",
			check: func(b *bench) {
				if lines := strings.Count(b.stderr.String(), "\n"); lines > 12 {
					b.Errorf("the log has %d lines", lines)
				}
			},
		},
		redirect(301), redirect(302), redirect(307),
		row{
			fault:   "404",
			prepare: status(-1, 404, 0),
			verdict: "inconclusive", exit: 3, says: "404 Not Found",
		},
		rejected(400), rejected(406), rejected(415), rejected(422),
	)
	return rows
}

// exactly is an exact number of requests.
func exactly(n int) [2]int { return [2]int{n, n} }

// none means that no request is made. (A maximum of 0 means any number.)
var none = [2]int{0, -1}
