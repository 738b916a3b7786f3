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

// newHTTPClient returns a client with the cluster's credentials that follows no redirects: the token must not travel.
func newHTTPClient(config *rest.Config) (*http.Client, error) {
	config = rest.CopyConfig(config)
	config.NextProtos = []string{"http/1.1"}
	config.DisableCompression = true // it saves bytes, but costs the API server a tenth more CPU: see test/bench
	config.Dial = dialGathering
	if file := config.CAFile; file != "" && len(config.CAData) == 0 {
		// client-go takes an empty file for no file, and trusts the system's roots then.
		if _, err := certutil.NewPool(file); err != nil {
			return nil, fmt.Errorf("use the CA certificates in %s: %w", file, err)
		}
	}
	if file := config.BearerTokenFile; file != "" {
		// client-go keeps a token for a minute, and an old one when the file is gone.
		config.BearerToken, config.BearerTokenFile = "", ""
		config.Wrap(func(next http.RoundTripper) http.RoundTripper { return tokenFile{file, next} })
	}
	transport, err := rest.TransportFor(config)
	if err != nil {
		return nil, fmt.Errorf("use the cluster's credentials: %w", err)
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
	req = req.Clone(req.Context()) // a RoundTripper must not change the request it is given
	req.Header.Set("Authorization", "Bearer "+token)
	return t.next.RoundTrip(req)
}

func readToken(path string) (string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	token := strings.TrimSpace(string(content))
	if token == "" {
		return "", errors.New("read the token: " + path + " is empty")
	}
	return token, nil
}
