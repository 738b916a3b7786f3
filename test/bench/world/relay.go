package world

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
)

// Relay passes connections on to the API server and counts the bytes in both
// directions, TLS included. It runs until the suite ends.
type Relay struct {
	// Address is a URL that takes the place of the API server's.
	Address string

	listener net.Listener
	server   string
	bytes    atomic.Int64
}

// NewRelay makes a relay to the server with this URL. It listens on loopback,
// for which the API server's certificate is valid.
func NewRelay(server string) (*Relay, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &Relay{Address: "https://" + listener.Addr().String(), listener: listener, server: strings.TrimPrefix(server, "https://")}
	go r.serve()
	return r, nil
}

// Bytes is the number of bytes so far.
func (r *Relay) Bytes() int64 { return r.bytes.Load() }

func (r *Relay) serve() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer client.Close()
			server, err := net.Dial("tcp", r.server)
			if err != nil {
				return
			}
			go r.pass(server, client)
			r.pass(client, server)
		}()
	}
}

// pass copies until one side closes, then closes the other.
func (r *Relay) pass(to, from net.Conn) {
	defer to.Close()
	io.Copy(counted{to, &r.bytes}, from)
}

// counted counts what is written. It hides the connection's ReadFrom, which
// reports the number of bytes only at the end.
type counted struct {
	io.Writer
	bytes *atomic.Int64
}

func (c counted) Write(data []byte) (int, error) {
	c.bytes.Add(int64(len(data))) // before the reader sees them
	return c.Writer.Write(data)
}

// jsonProxy starts a proxy in front of the API server at target that always requests JSON, independent of the client. It
// runs until the suite ends.
func jsonProxy(target string, authority []byte) (address string, ownAuthority []byte, err error) {
	to, err := url.Parse(target)
	if err != nil {
		return "", nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	server := httptest.NewTLSServer(&httputil.ReverseProxy{
		// It passes compressed answers on as they are.
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableCompression: true},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Header.Set("Accept", "application/json")
		},
	})
	return server.URL, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), nil
}
