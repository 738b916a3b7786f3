package simcluster

import (
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer"
)

// A Server is the simulated API server. It listens on a loopback port from Start to Close.
type Server struct {
	options options
	clock   *clock
	store   *store
	address string
	ca      []byte
	handler http.Handler
	codecs  serializer.CodecFactory

	listening sync.Mutex       // guards http; not mu, since requests in flight may wait for mu while the server stops
	http      *httptest.Server // nil during an outage

	mu       sync.Mutex
	token    string
	fault    Middleware
	requests []Request
}

type options struct {
	tls      bool
	token    string
	speed    float64
	jsonOnly bool
}

// An Option says how a Server differs from the default: plain HTTP, no token, JSON and protobuf, time at its real speed.
type Option func(*options)

// WithTLS serves HTTPS. The certificate authority is in the Server's kubeconfig.
func WithTLS() Option { return func(o *options) { o.tls = true } }

// WithToken accepts only requests that carry the bearer token; others get 401.
func WithToken(token string) Option { return func(o *options) { o.token = token } }

// WithSpeed makes simulated time pass at a multiple of real time: at 60, a simulated minute takes a second.
// At 0 it stands still, and only Advance moves it.
func WithSpeed(factor float64) Option { return func(o *options) { o.speed = factor } }

// WithoutProtobuf serves only JSON, as an aggregated API server might.
func WithoutProtobuf() Option { return func(o *options) { o.jsonOnly = true } }

// Start starts a server without pods. Like httptest, it panics if there is no free loopback port.
func Start(opts ...Option) *Server {
	options := options{speed: 1}
	for _, set := range opts {
		set(&options)
	}
	s := &Server{options: options, token: options.token, clock: newClock(options.speed), store: &store{}, codecs: codecs()}
	s.handler = s.record(s.injectFault(s.authenticate(s.routes())))
	s.http = s.serve(nil)
	s.address = s.http.Listener.Addr().String()
	if cert := s.http.Certificate(); cert != nil {
		s.ca = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
	}
	return s
}

func (s *Server) serve(listener net.Listener) *httptest.Server {
	server := httptest.NewUnstartedServer(s.handler)
	if listener != nil {
		server.Listener.Close() // httptest opens one of its own
		server.Listener = listener
	}
	if s.options.tls {
		server.StartTLS()
	} else {
		server.Start()
	}
	return server
}

// URL is the server's base address. An outage does not change it.
func (s *Server) URL() string {
	if s.options.tls {
		return "https://" + s.address
	}
	return "http://" + s.address
}

// Close stops the server and the requests in flight.
func (s *Server) Close() { s.Stop() }

// Stop begins an outage: connections are closed, new ones are refused. Simulated time continues.
func (s *Server) Stop() {
	s.listening.Lock()
	defer s.listening.Unlock()
	if s.http == nil {
		return
	}
	s.http.Listener.Close() // first, or a client would reconnect before Close has closed it
	s.http.CloseClientConnections()
	s.http.Close()
	s.http = nil
}

// Restart ends an outage. It fails if another process has taken the port meanwhile.
func (s *Server) Restart() error {
	s.listening.Lock()
	defer s.listening.Unlock()
	if s.http != nil {
		return errors.New("restart: the server is running")
	}
	listener, err := net.Listen("tcp", s.address)
	if err != nil {
		return fmt.Errorf("restart: %w", err)
	}
	s.http = s.serve(listener)
	return nil
}

// Deploy adds a release, whose own time begins now.
func (s *Server) Deploy(release Release) {
	now := s.Now()
	if release.Created.IsZero() {
		release.Created = s.clock.wall(now)
	}
	s.store.add(release, now)
}

// Replay adds a trace, whose own time begins now. Its pods keep their recorded namespace and dates.
func (s *Server) Replay(trace Trace) {
	s.store.add(trace, s.Now())
}

// SetPods replaces everything by the given pods, which do not change. Without pods the cluster is empty.
func (s *Server) SetPods(pods ...corev1.Pod) {
	s.store.replace(fixedPods(pods), s.Now())
}

// Now is the simulated time since Start.
func (s *Server) Now() time.Duration { return s.clock.elapsed() }

// Advance moves simulated time forward by d, immediately.
func (s *Server) Advance(d time.Duration) { s.clock.advance(d) }
