package simcluster

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// A Fault answers a request in place of the server's own handler, which is next.
type Fault func(w http.ResponseWriter, r *http.Request, next http.Handler)

// Handle sends every request through the fault from now on. It replaces an earlier one; nil ends it.
func (s *Server) Handle(fault Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

// receive records each request and lets the fault, if there is one, answer it.
func (s *Server) receive(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, time.Now())
		fault := s.fault
		s.mu.Unlock()
		if fault == nil {
			next.ServeHTTP(w, r)
			return
		}
		fault(w, r, next)
	})
}

// Fail answers with the HTTP status code and a metav1.Status. If retryAfter (whole seconds) is not 0, the answer asks for a
// pause of that length.
func Fail(code int, retryAfter time.Duration) Fault {
	err := apierrors.NewGenericServerResponse(code, "list", corev1.Resource("pods"), "", "a simulated fault", int(retryAfter/time.Second), false)
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) { writeError(w, r, err) }
}

// Answer answers with the given code, content type and body.
func Answer(code int, contentType, body string) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(code)
		io.WriteString(w, body)
	}
}

// Hang gives no answer; it holds the request until the client gives up or the server stops.
func Hang() Fault {
	return func(_ http.ResponseWriter, r *http.Request, _ http.Handler) { <-r.Context().Done() }
}

// Truncate closes the connection after the given number of bytes of an answer's body.
func Truncate(bytes int) Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		next.ServeHTTP(&truncated{ResponseWriter: w, left: bytes}, r)
	}
}

type truncated struct {
	http.ResponseWriter
	left int
}

func (t *truncated) Write(body []byte) (int, error) {
	if len(body) <= t.left {
		t.left -= len(body)
		return t.ResponseWriter.Write(body)
	}
	t.ResponseWriter.Write(body[:t.left])
	http.NewResponseController(t.ResponseWriter).Flush()
	panic(http.ErrAbortHandler) // net/http closes the connection
}

// Times applies a fault to the first n requests from now on.
func Times(n int64, fault Fault) Fault { return when(func(i int64) bool { return i <= n }, fault) }

// From applies a fault to the n-th request from now on, and to all later ones.
func From(n int64, fault Fault) Fault { return when(func(i int64) bool { return i >= n }, fault) }

// Every applies a fault to the first request from now on, and then to every n-th.
func Every(n int64, fault Fault) Fault { return when(func(i int64) bool { return i%n == 1 }, fault) }

func when(holds func(i int64) bool, fault Fault) Fault {
	var seen atomic.Int64
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if holds(seen.Add(1)) {
			fault(w, r, next)
			return
		}
		next.ServeHTTP(w, r)
	}
}

// Only applies a fault to the requests whose path or raw query contains part, for example "/log".
func Only(part string, fault Fault) Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if strings.Contains(r.URL.RequestURI(), part) {
			fault(w, r, next)
			return
		}
		next.ServeHTTP(w, r)
	}
}
