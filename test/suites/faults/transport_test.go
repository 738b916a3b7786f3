package faults

import (
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/crashcheck/crashcheck/test/simcluster"
)

// partly sends the header and the first half of the body. What follows is up to rest.
func partly(rest func(w http.ResponseWriter, r *http.Request, body []byte)) simcluster.Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		recorder := httptest.NewRecorder()
		next.ServeHTTP(recorder, r)
		maps.Copy(w.Header(), recorder.Header())
		body := recorder.Body.Bytes()
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		rest(w, r, body[len(body)/2:])
	}
}

// changed changes the bodies of all responses. Their length is correct.
func changed(change func(body []byte) []byte) simcluster.Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		recorder := httptest.NewRecorder()
		next.ServeHTTP(recorder, r)
		w.Header().Set("Content-Type", recorder.Header().Get("Content-Type"))
		_, _ = w.Write(change(recorder.Body.Bytes()))
	}
}

// stall keeps the connection open and sends nothing.
func stall(_ http.ResponseWriter, r *http.Request, _ []byte) { <-r.Context().Done() }

// trickle sends one byte per second.
func trickle(w http.ResponseWriter, r *http.Request, body []byte) {
	for i := range body {
		_, _ = w.Write(body[i : i+1])
		_ = http.NewResponseController(w).Flush()
		select {
		case <-time.After(time.Second): // the fault itself takes time
		case <-r.Context().Done():
			return
		}
	}
}

// reset closes the connection with RST, not FIN.
func reset(w http.ResponseWriter, _ *http.Request, _ []byte) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
}

// closed closes the connection without a response.
func closed(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) }

// slowly delays every response. The fault itself takes time.
func slowly(delay time.Duration, then simcluster.Fault) simcluster.Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		select {
		case <-time.After(delay):
			then(w, r, next)
		case <-r.Context().Done():
		}
	}
}

func healthy(w http.ResponseWriter, r *http.Request, next http.Handler) { next.ServeHTTP(w, r) }

// firstConnectionDies gives no response to requests on the connection of the first request, from the n-th request on.
func firstConnectionDies(n int) simcluster.Fault {
	var mu sync.Mutex
	first, seen := "", 0
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		mu.Lock()
		if seen++; seen == 1 {
			first = r.RemoteAddr
		}
		dead := seen >= n && r.RemoteAddr == first
		mu.Unlock()
		if dead {
			<-r.Context().Done()
			return
		}
		next.ServeHTTP(w, r)
	}
}

// blackhole is an address whose connections are never established: its queue of unaccepted connections is full, so the
// kernel drops further ones. On a slow machine it may not be full; then one more connection is established, without a
// response.
func blackhole(t *testing.T) string {
	t.Helper()
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(socket) })
	if err := syscall.Bind(socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(socket, 0); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(socket)
	if err != nil {
		t.Fatal(err)
	}
	address := net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: name.(*syscall.SockaddrInet4).Port}
	for {
		conn, err := net.DialTimeout("tcp", address.String(), 500*time.Millisecond)
		if err != nil {
			return address.String()
		}
		t.Cleanup(func() { conn.Close() })
	}
}

func transportRows() []row {
	long := []string{"API_GRACE=30s"}
	stop := func(b *bench) { b.server.Stop() }
	tooLong := strings.Repeat("a", 64) // no name server is asked for such a name
	restart := func(b *bench) {
		if err := b.server.Restart(); err != nil {
			b.Error(err)
		}
	}
	return []row{
		{fault: "connections refused, then accepted again", settings: long, prepare: stop, during: logged("connection refused", restart),
			verdict: "pass", says: "checks succeed again after"},
		{fault: "connections refused, permanent", prepare: stop, verdict: "inconclusive", says: "connection refused"},
		{fault: "connections refused during the run, permanent", settings: []string{"DURATION=1h"}, allowed: time.Minute, during: found(stop), verdict: "inconclusive", says: "connection refused|EOF|reset"},
		{fault: "packets dropped before the connection is established", prepare: func(b *bench) { b.cluster().Server = "http://" + blackhole(b.T) },
			verdict: "inconclusive", says: "no response within 10s|dial tcp.*timeout"},
		{fault: "a name that does not resolve", prepare: func(b *bench) { b.cluster().Server = "http://" + tooLong + ".invalid:6443" },
			verdict: "inconclusive", says: "lookup " + tooLong + `\.invalid`},
		{fault: "no response", inject: simcluster.Hang(), verdict: "inconclusive", says: "no response within 10s"},
		{fault: "no response after a part of the body", inject: partly(stall),
			verdict: "inconclusive", says: `read the PodList after \d+ bytes: no response within 10s`},
		{fault: "one byte per second", inject: partly(trickle), verdict: "inconclusive", says: "no response within 10s"},
		{fault: "reset within the body, permanent", inject: partly(reset), verdict: "inconclusive", says: "reset by peer"},
		{fault: "reset within the body, once", settings: long, inject: simcluster.Times(1, partly(reset)),
			verdict: "pass", says: "reset by peer(?s:.*)checks succeed again after 1 failure;"},
		{fault: "closed before the response, permanent", inject: closed, verdict: "inconclusive", says: "EOF|reset by peer"},
		{fault: "responses slower than INTERVAL", settings: []string{"INTERVAL=50ms"}, inject: slowly(300*time.Millisecond, healthy), verdict: "pass"},
		{fault: "a dead connection that stays open (HTTP/1.1)", settings: long, inject: firstConnectionDies(3),
			verdict: "pass", says: "no response within 10s(?s:.*)checks succeed again after 1 failure;",
			check: func(b *bench) {
				if b.line.LongestGapSeconds < 9 {
					b.Errorf("the longest gap is %v s, without the dead time", b.line.LongestGapSeconds)
				}
			}},
		{fault: "every third request fails", settings: long, inject: simcluster.Every(3, simcluster.Fail(503, 0)),
			verdict: "pass", says: "503 Service Unavailable"},
	}
}
