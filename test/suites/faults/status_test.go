package faults

import (
	"fmt"
	"net/http"
	"time"

	"github.com/crashcheck/crashcheck/test/simcluster"
)

// redirect is a row in which every response is a redirect to another server, which must not receive a request.
func redirect() row {
	var other *simcluster.Server
	return row{
		fault: "a redirect to another host", options: []simcluster.Option{simcluster.WithTLS(), simcluster.WithToken("secret")},
		prepare: func(b *bench) {
			other = simcluster.Start()
			b.Cleanup(other.Close)
			b.server.Handle(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
				http.Redirect(w, r, other.URL()+r.URL.RequestURI(), http.StatusTemporaryRedirect)
			})
		},
		verdict: "inconclusive", says: "redirects are refused",
		check: func(b *bench) {
			if n := len(other.Requests()); n > 0 {
				b.Errorf("the other host received %d requests", n)
			}
		},
	}
}

func statusRows() []row {
	rows := []row{
		redirect(),
		{fault: "429 with a Retry-After of 1 s, once", settings: []string{"API_GRACE=30s", "INTERVAL=50ms"}, inject: simcluster.Times(1, simcluster.Fail(429, time.Second)),
			verdict: "pass", says: "429 Too Many Requests",
			check: func(b *bench) { // the shortest time does not depend on the machine
				if all := b.server.Requests(); len(all) < 2 || all[1].Sub(all[0]) < time.Second {
					b.Errorf("the requests were made at %v", all)
				}
			}},
		{fault: "429 with a Retry-After of ten years", settings: []string{"API_GRACE=2s"}, inject: simcluster.Fail(429, 10*365*24*time.Hour),
			verdict: "inconclusive", says: "429 Too Many Requests", check: requests(2)}, // the last attempt is made when the grace ends
		{fault: "503, three times", settings: []string{"API_GRACE=30s"}, inject: simcluster.Times(3, simcluster.Fail(503, 0)),
			verdict: "pass", says: "503 Service Unavailable(?s:.*)checks succeed again after 3 failures"},
	}
	for _, code := range []int{404, 410, 429, 500, 502, 503, 504} {
		rows = append(rows, row{fault: fmt.Sprintf("%d, permanent", code), inject: simcluster.Fail(code, 0),
			verdict: "inconclusive", says: fmt.Sprintf("INCONCLUSIVE .*: .*%d %s", code, http.StatusText(code))})
	}
	for _, code := range []int{400, 406, 415, 422} {
		rows = append(rows, row{fault: fmt.Sprint(code), settings: []string{"API_GRACE=60s"}, inject: simcluster.Fail(code, 0), allowed: 10 * time.Second,
			verdict: "inconclusive", says: fmt.Sprintf("INCONCLUSIVE .*: the API server rejects the request: .*%d", code), check: requests(1)})
	}
	return rows
}
