package simcluster

import (
	"cmp"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// A Server is the simulated API server. It listens on a loopback port from Start to Close.
type Server struct {
	options options
	started time.Time
	address string
	ca      []byte
	handler http.Handler

	listening sync.Mutex       // guards http; not mu, since requests in flight may wait for mu while the server stops
	http      *httptest.Server // nil during an outage

	mu       sync.Mutex    // guards what follows
	advanced time.Duration // the sum of Advance
	sources  []source
	token    string
	fault    Fault
	requests []time.Time
}

// A source has pods: a pure function of the time since begin.
type source struct {
	begin time.Duration
	of    interface {
		Pods(at time.Duration) []corev1.Pod
	}
}

type fixedPods []corev1.Pod

func (p fixedPods) Pods(time.Duration) []corev1.Pod { return p }

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
	s := &Server{options: options, started: time.Now(), token: options.token}
	s.handler = s.receive(s.routes())
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
		server.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes of clients that do not trust it fail on purpose
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

// Now is the simulated time since Start.
func (s *Server) Now() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now()
}

func (s *Server) now() time.Duration {
	return time.Duration(float64(time.Since(s.started))*s.options.speed) + s.advanced
}

// Advance moves simulated time forward by d, immediately.
func (s *Server) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.advanced += d
}

// Deploy adds a release, whose own time begins now.
func (s *Server) Deploy(release Release) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if release.Created.IsZero() {
		release.Created = s.started.Add(s.now())
	}
	s.sources = append(s.sources, source{s.now(), release})
}

// Replay adds a trace, whose own time begins now. Its pods keep their recorded namespace and dates.
func (s *Server) Replay(trace Trace) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sources = append(s.sources, source{s.now(), trace})
}

// SetPods replaces everything by the given pods, which do not change. Without pods the cluster is empty.
func (s *Server) SetPods(pods ...corev1.Pod) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sources = []source{{0, fixedPods(pods)}}
}

// pods are all pods, in the order of an API server.
func (s *Server) pods() (pods []corev1.Pod) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, from := range s.sources {
		pods = append(pods, from.of.Pods(s.now()-from.begin)...)
	}
	slices.SortStableFunc(pods, func(a, b corev1.Pod) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return pods
}

// releases are the releases that have a workload, as old as they are now.
func (s *Server) releases() (releases []Release) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, from := range s.sources {
		release, ok := from.of.(Release)
		if !ok || release.Workload.Kind == "" {
			continue
		}
		releases = append(releases, release.withDefaults().after(s.now()-from.begin))
	}
	return releases
}

// resourceVersion grows with the time, as that of a real cluster grows with its writes. It is never 0.
func (s *Server) resourceVersion() string { return strconv.FormatInt(s.Now().Milliseconds()+1, 10) }

// Requests are the real times of the requests that have reached the server so far, faults included.
func (s *Server) Requests() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// SetToken rotates the bearer token; without a token, every request is accepted.
func (s *Server) SetToken(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = token
}

// ConfigName is the name of the only cluster, user and context in a Server's kubeconfig.
const ConfigName = "simcluster"

// Kubeconfig is a kubeconfig whose current context is this server, with its CA, its current token and the given namespace.
func (s *Server) Kubeconfig(namespace string) *clientcmdapi.Config {
	s.mu.Lock()
	token := s.token
	s.mu.Unlock()
	config := clientcmdapi.NewConfig()
	config.Clusters[ConfigName] = &clientcmdapi.Cluster{Server: s.URL(), CertificateAuthorityData: s.ca}
	config.AuthInfos[ConfigName] = &clientcmdapi.AuthInfo{Token: token}
	config.Contexts[ConfigName] = &clientcmdapi.Context{Cluster: ConfigName, AuthInfo: ConfigName, Namespace: namespace}
	config.CurrentContext = ConfigName
	return config
}

// WriteKubeconfig writes the Kubeconfig to a file.
func (s *Server) WriteKubeconfig(path, namespace string) error {
	if err := clientcmd.WriteToFile(*s.Kubeconfig(namespace), path); err != nil {
		return fmt.Errorf("writing the kubeconfig: %w", err)
	}
	return nil
}
