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

// A Middleware wraps the server's own handler, which is next, and may answer in its place.
type Middleware func(next http.Handler) http.Handler

// Handle sends every request through the fault from now on. It replaces an earlier one; nil ends it.
func (s *Server) Handle(fault Middleware) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

func (s *Server) injectFault(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		fault := s.fault
		s.mu.Unlock()
		handler := next
		if fault != nil {
			handler = fault(next)
		}
		handler.ServeHTTP(w, r)
	})
}

// Fail answers every request with the HTTP status code and a metav1.Status. If retryAfter (whole seconds) is not 0, the
// answer asks for a pause of that length.
func (s *Server) Fail(code int, retryAfter time.Duration) Middleware {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.writeError(w, r, apierrors.NewGenericServerResponse(
				code, "list", corev1.Resource("pods"), "", "a simulated fault", int(retryAfter/time.Second), false))
		})
	}
}

// Answer answers every request with the given code, content type and body.
func Answer(code int, contentType, body string) Middleware {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(code)
			io.WriteString(w, body)
		})
	}
}

// Hang answers no request; it holds each one until the client gives up or the server stops.
func Hang() Middleware {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	}
}

// Truncate closes the connection after the given number of bytes of an answer's body.
func Truncate(bytes int) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(&truncated{ResponseWriter: w, left: bytes}, r)
		})
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

// Times applies a fault to the first n requests from now on; the server answers the later ones.
func Times(n int, fault Middleware) Middleware {
	var seen atomic.Int64
	return func(next http.Handler) http.Handler {
		faulty := fault(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if seen.Add(1) <= int64(n) {
				faulty.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// Only applies a fault to the requests whose path or raw query contains part, for example "/log".
func Only(part string, fault Middleware) Middleware {
	return func(next http.Handler) http.Handler {
		faulty := fault(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.RequestURI(), part) {
				faulty.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}
