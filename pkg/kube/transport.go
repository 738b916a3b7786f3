package kube

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"k8s.io/client-go/rest"

	certutil "k8s.io/client-go/util/cert"
)

// newHTTPClient returns a client with the cluster's credentials. It does not follow redirects.
func newHTTPClient(config *rest.Config) (*http.Client, error) {
	config = rest.CopyConfig(config)
	config.NextProtos = []string{"http/1.1"}
	if file := config.CAFile; file != "" && len(config.CAData) == 0 {
		// client-go treats an empty file as no file, and uses the system's root certificates.
		if _, err := certutil.NewPool(file); err != nil {
			return nil, fmt.Errorf("cannot use the CA certificates in %s: %w", file, err)
		}
	}
	if file := config.BearerTokenFile; file != "" {
		// client-go caches a token for a minute, and keeps it when the file no longer exists.
		config.BearerToken, config.BearerTokenFile = "", ""
		config.Wrap(func(next http.RoundTripper) http.RoundTripper { return tokenFile{file, next} })
	}
	transport, err := rest.TransportFor(config)
	if err != nil {
		return nil, fmt.Errorf("cannot use the cluster's credentials: %w", err)
	}
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// tokenFile adds the token in a file to each request.
type tokenFile struct {
	path string
	next http.RoundTripper
}

func (t tokenFile) RoundTrip(req *http.Request) (*http.Response, error) {
	token, err := readToken(t.path)
	if err != nil {
		return nil, err
	}
	req = req.Clone(req.Context()) // a RoundTripper must not change the request that it is given
	req.Header.Set("Authorization", "Bearer "+token)
	return t.next.RoundTrip(req)
}

func readToken(path string) (string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("cannot read the token: %w", err)
	}
	token := strings.TrimSpace(string(content))
	if token == "" {
		return "", errors.New("cannot read the token: " + path + " is empty")
	}
	return token, nil
}
