package kube

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"k8s.io/client-go/rest"
)

// guard is a server with TLS, without which client-go sends no credentials. It offers HTTP/2, and fails the test if that is used:
// there, a request that times out leaves its connection in use, even if the connection no longer works.
type guard struct {
	*httptest.Server
	ca     string   // its CA certificate
	tokens []string // Authorization headers of the requests, which come one at a time
}

func guarded(t *testing.T) *guard {
	t.Helper()
	g := &guard{}
	body := encode(t, samplePods(), mediaJSON)
	g.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 1 {
			t.Errorf("the request uses %s", r.Proto)
		}
		g.tokens = append(g.tokens, r.Header.Get("Authorization"))
		answer(200, mediaJSON, body)(w, r)
	}))
	g.Config.ErrorLog = log.New(io.Discard, "", 0) // some handshakes fail on purpose
	g.EnableHTTP2 = true
	g.StartTLS()
	t.Cleanup(g.Close)
	g.ca = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: g.Certificate().Raw}))
	return g
}

func (g *guard) client(t *testing.T, config rest.Config) *Client {
	t.Helper()
	config.Host, config.CAData = g.URL, []byte(g.ca)
	return newClient(t, &config)
}

func TestTheTokenFileIsReadForEachRequest(t *testing.T) {
	server := guarded(t)
	file := write(t, filepath.Join(t.TempDir(), "token"), "first\n")
	client := server.client(t, rest.Config{BearerToken: "old", BearerTokenFile: file})
	link := func() { // as the kubelet does
		if err := errors.Join(os.Remove(file), os.Symlink(write(t, file+"-2", "third"), file)); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		change func()
		want   string // error; empty: none
	}{
		{func() {}, ""},
		{func() { write(t, file, "second") }, ""},
		{link, ""},
		{func() { _ = os.Remove(file) }, "cannot read the token: open " + file},
		{func() { write(t, file, "") }, "cannot read the token: " + file + " is empty"},
		{func() { write(t, file, " \n") }, "cannot read the token: " + file + " is empty"},
		{func() { write(t, file, "se\ncret") }, "invalid header"},
		{func() { write(t, file, "fourth") }, ""},
	} {
		step.change()
		_, err := list(t.Context(), client)
		if step.want == "" && err != nil {
			t.Fatal(err)
		} else if step.want != "" {
			wantError(t, err, step.want)
			if strings.Contains(err.Error(), "cret") {
				t.Errorf("the error contains the token: %v", err)
			}
		}
	}
	// Without a token, no request is made.
	if want := []string{"Bearer first", "Bearer second", "Bearer third", "Bearer fourth"}; !slices.Equal(server.tokens, want) {
		t.Errorf("the server received %q, want %q", server.tokens, want)
	}
}

func TestACertificateOfAnUnknownCAIsAnError(t *testing.T) {
	_, err := list(t.Context(), newClient(t, &rest.Config{Host: guarded(t).URL}))
	wantError(t, err, "certificate")
}

func TestAnInvalidCAFileIsAnError(t *testing.T) {
	dir := t.TempDir()
	for claim, file := range map[string]string{
		"missing":                   filepath.Join(dir, "missing"),
		"empty":                     write(t, filepath.Join(dir, "empty"), ""),
		"not PEM":                   write(t, filepath.Join(dir, "text"), "no certificate"),
		"PEM without a certificate": write(t, filepath.Join(dir, "pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
	} {
		t.Run(claim, func(t *testing.T) {
			// Without an error, the system's root certificates would be trusted.
			config := &rest.Config{Host: "https://127.0.0.1:1", TLSClientConfig: rest.TLSClientConfig{CAFile: file}}
			_, err := NewClient(t.Context(), Cluster{config: config}, "shop", "test")
			wantError(t, err, file)
		})
	}
}

// withPlugin returns a client whose credentials come from a script.
func withPlugin(t *testing.T, server *guard, script string) *Client {
	t.Helper()
	plugin := write(t, filepath.Join(t.TempDir(), "plugin"), "#!/bin/sh\n"+script+"\n")
	if err := os.Chmod(plugin, 0o700); err != nil {
		t.Fatal(err)
	}
	caFile := write(t, filepath.Join(t.TempDir(), "ca.crt"), server.ca)
	file := kubeconfig(t, ofCluster(`server: "`+server.URL+`", certificate-authority: `+caFile)+
		", users: [{name: some, user: {exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: "+plugin+"}}}]")
	cluster, err := findCluster([]string{"KUBECONFIG=" + file}, "")
	if err != nil {
		t.Fatal(err)
	}
	return newClient(t, cluster.config)
}

func TestACredentialPluginIsAskedForTheToken(t *testing.T) {
	server := guarded(t)
	client := withPlugin(t, server, `echo '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "from-a-plugin"}}'`)
	if _, err := list(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	_, err := list(t.Context(), withPlugin(t, server, "exit 3"))
	wantError(t, err, "exit code 3")
	if want := []string{"Bearer from-a-plugin"}; !slices.Equal(server.tokens, want) {
		t.Errorf("the server received %q, want %q", server.tokens, want)
	}
}

func TestACredentialPluginThatHangsDoesNotBlock(t *testing.T) {
	hang, end := fifo(t)
	started, start := fifo(t)
	client := withPlugin(t, guarded(t), "exec < "+hang+"\necho > "+started+"\nread line")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		_, _ = start.Read(make([]byte, 1))
		cancel(errSIGTERM)
	}()
	if _, err := list(ctx, client); !errors.Is(err, errSIGTERM) {
		t.Errorf("the error is %v", err)
	}
	_, _ = end.WriteString("\n") // ends the plugin
}

// fifo returns a FIFO that is open and contains nothing: reading it hangs, as with a network mount that does not respond.
func fifo(t *testing.T) (path string, end *os.File) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	end, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end.Close() }) // ends those who read
	return path, end
}

func TestAFileThatCannotBeReadDoesNotBlock(t *testing.T) {
	file, _ := fifo(t)
	for claim, call := range map[string]func(context.Context) error{
		"a kubeconfig": func(ctx context.Context) error {
			_, err := FindCluster(ctx, []string{"KUBECONFIG=" + file})
			return err
		},
		"a CA file": func(ctx context.Context) error {
			config := &rest.Config{Host: "https://127.0.0.1:1", TLSClientConfig: rest.TLSClientConfig{CAFile: file}}
			_, err := NewClient(ctx, Cluster{config: config}, "shop", "test")
			return err
		},
		"a token file": func(ctx context.Context) error {
			_, err := list(ctx, newClient(t, &rest.Config{Host: "http://127.0.0.1:1", BearerTokenFile: file}))
			return err
		},
	} {
		t.Run(claim, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(errSIGTERM)
			if err := call(ctx); !errors.Is(err, errSIGTERM) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

// TestACallEndsWithItsContext cancels each call once the server has gone silent.
func TestACallEndsWithItsContext(t *testing.T) {
	body := encode(t, samplePods(), mediaProtobuf)
	header := "HTTP/1.1 200 OK\r\nContent-Type: " + mediaProtobuf + "\r\n"
	compressed := header + "Content-Encoding: gzip\r\nContent-Length: 1000\r\n\r\n" + string(compress(body)[:40])
	for claim, test := range map[string]struct {
		says string // raw bytes from the server before it goes silent
		tls  bool   // it does not read the request either
	}{
		"in the TLS handshake":                {tls: true},
		"before the status line":              {},
		"in the header":                       {says: "HTTP/1.1 200 OK\r\nContent-Ty"},
		"in the body":                         {says: header + "Content-Length: 1000\r\n\r\nk8s\x00"},
		"in a compressed body":                {says: compressed},
		"after a complete list of any length": {says: header + "\r\n" + string(body)},
	} {
		t.Run(claim, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			ctx, cancel := context.WithCancelCause(t.Context())
			closed := make(chan error, 1)
			go func() {
				conn, err := listener.Accept()
				if err != nil {
					closed <- err
					return
				}
				defer conn.Close()
				if !test.tls {
					_, _ = conn.Read(make([]byte, 4096))
				}
				_, _ = conn.Write([]byte(test.says))
				cancel(errSIGTERM)
				_, err = io.Copy(io.Discard, conn) // until the connection is closed: the next call does not use it
				closed <- err
			}()
			config := &rest.Config{Host: "http://" + listener.Addr().String()}
			if test.tls {
				config = &rest.Config{Host: "https://" + listener.Addr().String(), TLSClientConfig: rest.TLSClientConfig{Insecure: true}}
			}
			if _, err := list(ctx, newClient(t, config)); !errors.Is(err, errSIGTERM) {
				t.Errorf("the error is %v, want the context's cause", err)
			}
			if !test.tls { // net/http may continue with a handshake for a while
				<-closed
			}
		})
	}
}

func TestALogOrAWorkloadThatBreaksOffIsAnError(t *testing.T) {
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaJSON)
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte(`{"kind":`))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	_, err := client.Log(t.Context(), "web-abc-1", "app", false, 1, 1000)
	wantError(t, err, "read the log: unexpected EOF")
	_, err = client.Workload("deployment", "shop", nil).Resolve(t.Context())
	wantError(t, err, "read the Deployment after 8 bytes: unexpected EOF")
}

// cancelling is a body that ends its request's context when it is read.
type cancelling struct{ cancel context.CancelCauseFunc }

func (c cancelling) Read([]byte) (int, error) { c.cancel(errSIGTERM); return 0, errors.New("broken") }
func (c cancelling) Close() error             { return nil }

func (c cancelling) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 500, Body: c}, nil
}

func TestAContextThatEndsInTheBodyOfAnErrorIsTheCause(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	client := newClient(t, &rest.Config{Host: "http://127.0.0.1:1"})
	client.http.Transport = cancelling{cancel}
	if err := client.List(ctx, selector, nil); !errors.Is(err, errSIGTERM) {
		t.Errorf("the error is %v", err)
	}
}

func TestAServerThatDoesNotListenIsNamed(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	_, err = list(t.Context(), newClient(t, &rest.Config{Host: "http://" + address, BearerToken: "secret"}))
	if want := "connect to " + address + ": connection refused"; err == nil || err.Error() != want {
		t.Errorf("the error is %v, want %s", err, want)
	}
}
