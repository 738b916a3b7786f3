package simcluster

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// A Request is a request that has reached the server, faults included.
type Request struct {
	Time          time.Time // real, not simulated
	Method        string
	Path          string
	Query         url.Values
	Accept        string
	Authorization bool // whether there was such a header
}

// Requests are the requests that have reached the server so far, in their order.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

func (s *Server) record(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request := Request{
			Time: time.Now(), Method: r.Method, Path: r.URL.Path, Query: r.URL.Query(),
			Accept: r.Header.Get("Accept"), Authorization: r.Header.Get("Authorization") != "",
		}
		s.mu.Lock()
		s.requests = append(s.requests, request)
		s.mu.Unlock()
		next.ServeHTTP(w, r)
	})
}

// SetToken rotates the bearer token; without a token, every request is accepted.
func (s *Server) SetToken(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = token
}

func (s *Server) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		token := s.token
		s.mu.Unlock()
		if token != "" && r.Header.Get("Authorization") != "Bearer "+token {
			s.writeError(w, r, apierrors.NewUnauthorized("Unauthorized"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// CA is the certificate authority that verifies the server, in PEM; nil without TLS.
func (s *Server) CA() []byte { return slices.Clone(s.ca) }

// WriteKubeconfig writes a kubeconfig file whose current context is this server, with its CA, its current token and the
// given namespace.
func (s *Server) WriteKubeconfig(path, namespace string) error {
	s.mu.Lock()
	token := s.token
	s.mu.Unlock()
	const name = "simcluster"
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{Server: s.URL(), CertificateAuthorityData: s.ca}
	config.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: token}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name, Namespace: namespace}
	config.CurrentContext = name
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return fmt.Errorf("writing the kubeconfig: %w", err)
	}
	return nil
}
