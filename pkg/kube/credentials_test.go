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

func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// guarded is a server that keeps the Authorization header of each request.
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
	pods := lister(t, &rest.Config{Host: server.URL, BearerToken: "old", BearerTokenFile: file})
	list := func() error {
		_, err := pods.List(t.Context(), options)
		return err
	}
	if err := list(); err != nil {
		t.Fatal(err)
	}

	write(t, file, "second")
	if err := list(); err != nil {
		t.Fatal(err)
	}

	// The kubelet swaps a symbolic link.
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
			t.Errorf("with the file holding %q, the error is %v", blank, err)
		}
	}
	write(t, file, "fourth")
	if err := list(); err != nil {
		t.Errorf("once the file is back: %v", err)
	}
	// Without a token no request is made: neither with the one before, nor with none.
	want := []string{"Bearer first", "Bearer second", "Bearer third", "Bearer fourth"}
	if got := strings.Join(*headers, ", "); got != strings.Join(want, ", ") {
		t.Errorf("the server has seen %q, want %q", *headers, want)
	}
}

func TestATokenThatIsNoHeaderIsNotPrinted(t *testing.T) {
	server, headers := guarded(t)
	file := write(t, filepath.Join(t.TempDir(), "token"), "se\ncret")
	_, err := lister(t, &rest.Config{Host: server.URL, BearerTokenFile: file}).List(t.Context(), options)
	if err == nil || len(*headers) > 0 {
		t.Fatalf("a token of two lines is sent: %q", *headers)
	}
	if strings.Contains(err.Error(), "cret") {
		t.Errorf("the message holds the token: %v", err)
	}
}

// secure is a TLS server, and the file of its CA certificate.
func secure(t *testing.T) (server *httptest.Server, caFile string) {
	t.Helper()
	server = httptest.NewUnstartedServer(answer(200, mediaJSON, encode(t, samplePods(), mediaJSON)))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes fail here on purpose
	server.StartTLS()
	t.Cleanup(server.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return server, write(t, filepath.Join(t.TempDir(), "ca.crt"), string(ca))
}

func TestTheServerIsVerifiedWithTheCAFile(t *testing.T) {
	server, caFile := secure(t)
	if _, err := lister(t, &rest.Config{Host: server.URL, TLSClientConfig: rest.TLSClientConfig{CAFile: caFile}}).List(t.Context(), options); err != nil {
		t.Errorf("with its CA: %v", err)
	}
	_, err := lister(t, &rest.Config{Host: server.URL}).List(t.Context(), options)
	if err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("without its CA, the error is %v", err)
	}
}

func TestACAFileThatCannotBeUsedIsAnError(t *testing.T) {
	server, caFile := secure(t)
	dir := t.TempDir()
	cut, err := os.ReadFile(caFile)
	if err != nil {
		t.Fatal(err)
	}
	for claim, file := range map[string]string{
		"missing":             filepath.Join(dir, "missing"),
		"empty":               write(t, filepath.Join(dir, "empty"), ""),
		"blank":               write(t, filepath.Join(dir, "blank"), "\n"),
		"no PEM":              write(t, filepath.Join(dir, "text"), "no certificate"),
		"a truncated one":     write(t, filepath.Join(dir, "truncated"), string(cut[:len(cut)/2])),
		"PEM of what is none": write(t, filepath.Join(dir, "pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
		"a directory":         dir, // nobody can read one, root included
	} {
		t.Run(claim, func(t *testing.T) {
			config := &rest.Config{Host: server.URL, TLSClientConfig: rest.TLSClientConfig{CAFile: file}}
			_, err := NewPodLister(t.Context(), Cluster{config: config}, "shop", "test")
			if err == nil {
				t.Fatal("it is accepted: the system's roots would be trusted")
			}
			if !strings.Contains(err.Error(), file) {
				t.Errorf("the message does not name the file: %v", err)
			}
		})
	}
}
