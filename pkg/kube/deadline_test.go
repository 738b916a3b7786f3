package kube

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// TestACallEndsWithItsContext ends each call from outside once it is known to hang: no test here waits for time.
func TestACallEndsWithItsContext(t *testing.T) {
	body := encode(t, samplePods(), mediaProtobuf)
	header := "HTTP/1.1 200 OK\r\nContent-Type: " + mediaProtobuf + "\r\n"
	for claim, test := range map[string]struct {
		says string // raw bytes of the server before it falls silent
		ask  bool   // whether it reads the request first
		tls  bool
	}{
		"in the TLS handshake":             {tls: true},
		"before the status line":           {ask: true},
		"in the header":                    {ask: true, says: "HTTP/1.1 200 OK\r\nContent-Ty"},
		"before the body":                  {ask: true, says: header + "Content-Length: 1000\r\n\r\n"},
		"in the body":                      {ask: true, says: header + "Content-Length: 1000\r\n\r\nk8s\x00"},
		"in a chunk":                       {ask: true, says: header + "Transfer-Encoding: chunked\r\n\r\n100\r\nk8s\x00"},
		"behind a whole list of no length": {ask: true, says: header + "\r\n" + string(body)},
		"in the body of an error":          {ask: true, says: "HTTP/1.1 500 Oops\r\nContent-Length: 1000\r\n\r\noops"},
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
				if test.ask {
					_, _ = conn.Read(make([]byte, 4096))
				}
				_, _ = conn.Write([]byte(test.says))
				silent <- conn
			}()
			config := &rest.Config{Host: "http://" + listener.Addr().String()}
			if test.tls {
				config = &rest.Config{Host: "https://" + listener.Addr().String(), TLSClientConfig: rest.TLSClientConfig{Insecure: true}}
			}
			pods := lister(t, config)

			why := errors.New("the test has seen enough")
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			ended := make(chan error, 1)
			go func() {
				_, err := pods.List(ctx, options)
				ended <- err
			}()
			var conn net.Conn
			select {
			case conn = <-silent:
				defer conn.Close()
			case <-time.After(patience):
				t.Fatal("no connection came")
			}
			cancel(why)
			select {
			case err := <-ended:
				if err == nil {
					t.Error("a list is believed that has no end")
				}
			case <-time.After(patience):
				t.Fatal("the call goes on after its context")
			}
			if !test.ask {
				return // net/http may go on with a handshake for a while, and has nobody to give the connection to
			}
			// The connection is given up: the next call does not meet it again.
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

func TestADeadlineEndsACallByItself(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }).List(ctx, options)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the error is %v, want one of the deadline", err)
	}
}

func TestAServerThatIsNotThereIsAnErrorThatNamesIt(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	_, err = lister(t, &rest.Config{Host: "http://" + address, BearerToken: "secret"}).List(t.Context(), options)
	if err == nil {
		t.Fatal("a list came from nowhere")
	}
	for _, want := range []string{"connect to " + address, "connection refused"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the message is %q; it does not hold %q", err, want)
		}
	}
}

func TestABodyWithoutEndIsAnErrorAtItsLargestSize(t *testing.T) {
	filler := bytes.Repeat([]byte(" "), 1<<20)
	pods := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", mediaJSON)
		for r.Context().Err() == nil {
			if _, err := w.Write(filler); err != nil {
				return
			}
		}
	})
	_, err := pods.List(t.Context(), options)
	if err == nil || !strings.Contains(err.Error(), "larger than 64 MiB") {
		t.Errorf("the error is %v", err)
	}
}

// TestHTTP2IsNotSpoken: in HTTP/2 a request that is out of time leaves its connection in use, dead or not. A
// server that has it is not spoken to in it.
func TestHTTP2IsNotSpoken(t *testing.T) {
	offered := make(chan []string, 1)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		offered <- hello.SupportedProtos
		return nil, errors.New("seen enough")
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
	_, _ = lister(t, config).List(t.Context(), options)
	if got := <-offered; len(got) != 1 || got[0] != "http/1.1" {
		t.Errorf("the client offers %q, want http/1.1 alone", got)
	}
}
