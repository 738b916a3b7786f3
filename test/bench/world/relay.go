package world

import (
	"io"
	"net"
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
	n, err := c.Writer.Write(data)
	c.bytes.Add(int64(n))
	return n, err
}
