package world

import (
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
)

// Relay passes connections on to the API server and counts the bytes in both
// directions, TLS included.
type Relay struct {
	// Address is a URL that takes the place of the API server's.
	Address string

	listener net.Listener
	server   string
	bytes    atomic.Int64

	mutex sync.Mutex
	open  map[net.Conn]bool
}

// NewRelay makes a relay to the server with this URL. It listens on loopback,
// for which the API server's certificate is valid.
func NewRelay(server string) (*Relay, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &Relay{
		Address:  "https://" + listener.Addr().String(),
		listener: listener, server: strings.TrimPrefix(server, "https://"),
		open: map[net.Conn]bool{},
	}
	go r.serve()
	return r, nil
}

// Bytes is the number of bytes so far.
func (r *Relay) Bytes() int64 { return r.bytes.Load() }

// Close ends the relay and all its connections.
func (r *Relay) Close() error {
	err := r.listener.Close()
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for c := range r.open {
		c.Close()
	}
	return err
}

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
			defer server.Close()
			r.keep(client, true)
			defer r.keep(client, false)
			go r.pass(server, client)
			r.pass(client, server)
		}()
	}
}

func (r *Relay) keep(c net.Conn, open bool) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if open {
		r.open[c] = true
	} else {
		delete(r.open, c)
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
