package kube

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// TestACallEndsWithItsContext cancels each call once the server has gone silent.
func TestACallEndsWithItsContext(t *testing.T) {
	body := encode(t, samplePods(), mediaProtobuf)
	header := "HTTP/1.1 200 OK\r\nContent-Type: " + mediaProtobuf + "\r\n"
	compressed := header + "Content-Encoding: gzip\r\nContent-Length: 1000\r\n\r\n"
	for claim, test := range map[string]struct {
		says  string // raw bytes from the server before it goes silent
		reads bool   // whether it reads the request first
		tls   bool
	}{
		"in the TLS handshake":                {tls: true},
		"before the status line":              {reads: true},
		"in the header":                       {reads: true, says: "HTTP/1.1 200 OK\r\nContent-Ty"},
		"before the body":                     {reads: true, says: header + "Content-Length: 1000\r\n\r\n"},
		"in the body":                         {reads: true, says: header + "Content-Length: 1000\r\n\r\nk8s\x00"},
		"in a compressed body":                {reads: true, says: compressed + string(compress(body)[:40])},
		"before a compressed body":            {reads: true, says: compressed},
		"in a chunk":                          {reads: true, says: header + "Transfer-Encoding: chunked\r\n\r\n100\r\nk8s\x00"},
		"after a complete list of any length": {reads: true, says: header + "\r\n" + string(body)},
		"in the body of an error":             {reads: true, says: "HTTP/1.1 500 Oops\r\nContent-Length: 1000\r\n\r\noops"},
	} {
		t.Run(claim, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			silent := make(chan net.Conn, 1)
			go func() {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				if test.reads {
					_, _ = conn.Read(make([]byte, 4096))
				}
				_, _ = conn.Write([]byte(test.says))
				silent <- conn
			}()
			config := &rest.Config{Host: "http://" + listener.Addr().String()}
			if test.tls {
				config = &rest.Config{Host: "https://" + listener.Addr().String(), TLSClientConfig: rest.TLSClientConfig{Insecure: true}}
			}
			client := newClient(t, config)

			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			ended := make(chan error, 1)
			go func() {
				_, err := list(ctx, client)
				ended <- err
			}()
			var conn net.Conn
			select {
			case conn = <-silent:
				defer conn.Close()
			case <-time.After(patience):
				t.Fatal("the client did not connect")
			}
			cancel(errSIGTERM)
			select {
			case err := <-ended:
				if !errors.Is(err, errSIGTERM) {
					t.Errorf("the error is %v, want the context's cause", err)
				}
			case <-time.After(patience):
				t.Fatal("the call continues after its context has ended")
			}
			if !test.reads {
				return // net/http may continue with a handshake for a while
			}
			// The connection is closed: the next call does not use it.
			_ = conn.SetReadDeadline(time.Now().Add(patience))
			var timeout net.Error
			for err == nil {
				_, err = conn.Read(make([]byte, 4096))
			}
			if errors.As(err, &timeout) && timeout.Timeout() {
				t.Error("the connection stays open")
			}
		})
	}
}

func TestADeadlineEndsACall(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := list(ctx, serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the error is %v, want that of the deadline", err)
	}
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
	config := func(server string) *rest.Config {
		return &rest.Config{Host: server, TLSClientConfig: rest.TLSClientConfig{Insecure: strings.HasPrefix(server, "https")}}
	}
	for claim, call := range map[string]func(context.Context) error{
		"a kubeconfig": func(ctx context.Context) error {
			_, err := FindCluster(ctx, []string{"KUBECONFIG=" + file})
			return err
		},
		"a CA file": func(ctx context.Context) error {
			c := config("https://127.0.0.1:1")
			c.TLSClientConfig = rest.TLSClientConfig{CAFile: file}
			_, err := NewClient(ctx, Cluster{config: c}, "shop", "test")
			return err
		},
		"a token file, in a list": func(ctx context.Context) error {
			c := config("http://127.0.0.1:1")
			c.BearerTokenFile = file
			_, err := list(ctx, newClient(t, c))
			return err
		},
		"a token file, in a log": func(ctx context.Context) error {
			c := config("http://127.0.0.1:1")
			c.BearerTokenFile = file
			_, err := newClient(t, c).Log(ctx, "web-1", "app", true, 5, 100)
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

type roundTripper func() *http.Response

func (r roundTripper) RoundTrip(*http.Request) (*http.Response, error) { return r(), nil }

type body struct{ read, close func() error }

func (b body) Read([]byte) (int, error) { return 0, b.read() }
func (b body) Close() error             { return b.close() }

func TestAResponseThatArrivesAfterTheCallIsClosed(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	respond, closed := make(chan *http.Response), make(chan struct{})
	client := newClient(t, &rest.Config{Host: "http://127.0.0.1:1"})
	client.http.Transport = roundTripper(func() *http.Response { // ignores the context
		cancel(errSIGTERM)
		return <-respond
	})
	if err := client.List(ctx, selector, nil); !errors.Is(err, errSIGTERM) {
		t.Fatalf("the error is %v", err)
	}
	respond <- &http.Response{StatusCode: 200, Body: body{close: func() error { close(closed); return nil }}}
	select {
	case <-closed:
	case <-time.After(patience):
		t.Error("the body is not closed")
	}
}

func TestAContextThatEndsInTheBodyOfAnErrorIsTheCause(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	client := newClient(t, &rest.Config{Host: "http://127.0.0.1:1"})
	client.http.Transport = roundTripper(func() *http.Response {
		return &http.Response{StatusCode: 500, Body: body{
			read:  func() error { cancel(errSIGTERM); return errors.New("broken") },
			close: func() error { return nil },
		}}
	})
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
	wantError(t, err, "connect to "+address+": connection refused")
}

// TestHTTP2IsNotUsed: in HTTP/2, a request that times out leaves its connection in use, even if the connection no longer
// works.
func TestHTTP2IsNotUsed(t *testing.T) {
	offered := make(chan []string, 1)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		offered <- hello.SupportedProtos
		return nil, errors.New("refused")
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		if conn, err := listener.Accept(); err == nil {
			_ = conn.(*tls.Conn).Handshake()
			conn.Close()
		}
	}()
	config := &rest.Config{Host: "https://" + listener.Addr().String(), TLSClientConfig: rest.TLSClientConfig{Insecure: true}}
	_, _ = list(t.Context(), newClient(t, config))
	if got := <-offered; len(got) != 1 || got[0] != "http/1.1" {
		t.Errorf("the client offers %q, want only http/1.1", got)
	}
}
