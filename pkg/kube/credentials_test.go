package kube

import (
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
)

// guarded returns a server that records the Authorization header of each request.
func guarded(t *testing.T) (server *httptest.Server, headers *[]string) {
	t.Helper()
	headers = &[]string{}
	body := encode(t, samplePods(), mediaJSON)
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*headers = append(*headers, r.Header.Get("Authorization")) // requests come one at a time
		answer(200, mediaJSON, body)(w, r)
	}))
	t.Cleanup(server.Close)
	return server, headers
}

func TestTheTokenFileIsReadForEachRequest(t *testing.T) {
	server, headers := guarded(t)
	file := write(t, filepath.Join(t.TempDir(), "token"), "first\n")
	client := newClient(t, &rest.Config{Host: server.URL, BearerToken: "old", BearerTokenFile: file})
	list := func() error {
		_, err := list(t.Context(), client)
		return err
	}
	if err := list(); err != nil {
		t.Fatal(err)
	}

	write(t, file, "second")
	if err := list(); err != nil {
		t.Fatal(err)
	}

	// The kubelet replaces a symbolic link.
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(write(t, filepath.Join(t.TempDir(), "token"), "third"), file); err != nil {
		t.Fatal(err)
	}
	if err := list(); err != nil {
		t.Fatal(err)
	}

	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := list(); err == nil || !strings.Contains(err.Error(), "read the token: open "+file) {
		t.Errorf("without the file, the error is %v", err)
	}
	for _, blank := range []string{"", " \n"} {
		write(t, file, blank)
		if err := list(); err == nil || !strings.Contains(err.Error(), "read the token: "+file+" is empty") {
			t.Errorf("with %q in the file, the error is %v", blank, err)
		}
	}
	write(t, file, "fourth")
	if err := list(); err != nil {
		t.Errorf("once the file is back: %v", err)
	}
	// Without a token, no request is made.
	want := []string{"Bearer first", "Bearer second", "Bearer third", "Bearer fourth"}
	if got := strings.Join(*headers, ", "); got != strings.Join(want, ", ") {
		t.Errorf("the server received %q, want %q", *headers, want)
	}
}

func TestATokenThatIsNotAHeaderValueIsNotPrinted(t *testing.T) {
	server, headers := guarded(t)
	file := write(t, filepath.Join(t.TempDir(), "token"), "se\ncret")
	_, err := list(t.Context(), newClient(t, &rest.Config{Host: server.URL, BearerTokenFile: file}))
	if err == nil || len(*headers) > 0 {
		t.Fatalf("a token of two lines is sent: %q", *headers)
	}
	if strings.Contains(err.Error(), "cret") {
		t.Errorf("the error contains the token: %v", err)
	}
}

// secure returns a TLS server, and the file of its CA certificate.
func secure(t *testing.T) (server *httptest.Server, caFile string) {
	t.Helper()
	server = httptest.NewUnstartedServer(answer(200, mediaJSON, encode(t, samplePods(), mediaJSON)))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // some handshakes fail on purpose
	server.StartTLS()
	t.Cleanup(server.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return server, write(t, filepath.Join(t.TempDir(), "ca.crt"), string(ca))
}

func TestTheServerIsVerifiedWithTheCAFile(t *testing.T) {
	server, caFile := secure(t)
	if _, err := list(t.Context(), newClient(t, &rest.Config{Host: server.URL, TLSClientConfig: rest.TLSClientConfig{CAFile: caFile}})); err != nil {
		t.Errorf("with its CA: %v", err)
	}
	_, err := list(t.Context(), newClient(t, &rest.Config{Host: server.URL}))
	wantError(t, err, "certificate")
}

func TestAnInvalidCAFileIsAnError(t *testing.T) {
	server, caFile := secure(t)
	dir := t.TempDir()
	whole, err := os.ReadFile(caFile)
	if err != nil {
		t.Fatal(err)
	}
	for claim, file := range map[string]string{
		"missing":                   filepath.Join(dir, "missing"),
		"empty":                     write(t, filepath.Join(dir, "empty"), ""),
		"blank":                     write(t, filepath.Join(dir, "blank"), "\n"),
		"not PEM":                   write(t, filepath.Join(dir, "text"), "no certificate"),
		"truncated":                 write(t, filepath.Join(dir, "truncated"), string(whole[:len(whole)/2])),
		"PEM without a certificate": write(t, filepath.Join(dir, "pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
		"a directory":               dir, // nobody can read it, root included
	} {
		t.Run(claim, func(t *testing.T) {
			// Without an error, the system's root certificates would be trusted.
			config := &rest.Config{Host: server.URL, TLSClientConfig: rest.TLSClientConfig{CAFile: file}}
			_, err := NewClient(t.Context(), Cluster{config: config}, "shop", "test")
			wantError(t, err, file)
		})
	}
}
