package world

import (
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
)

// Relay stands between clients and the API server and counts what goes through
// it, TLS included, in both directions.
type Relay struct {
	// Address is what to use for the API server's, as a URL.
	Address string

	listener net.Listener
	server   string
	bytes    atomic.Int64

	mutex sync.Mutex
	open  map[net.Conn]bool
}

// NewRelay listens on loopback, for which the API server's certificate is good.
func (w *World) NewRelay() (*Relay, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &Relay{
		Address:  "https://" + listener.Addr().String(),
		listener: listener, server: strings.TrimPrefix(w.Config.Host, "https://"),
		open: map[net.Conn]bool{},
	}
	go r.serve()
	return r, nil
}

// Bytes is what has gone through so far.
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

// pass copies until one side closes, and then closes the other.
func (r *Relay) pass(to, from net.Conn) {
	defer to.Close()
	io.Copy(counted{to, &r.bytes}, from)
}

// counted counts what is written. It hides the connection's ReadFrom, which
// would tell only at the end how much it has been.
type counted struct {
	io.Writer
	bytes *atomic.Int64
}

func (c counted) Write(data []byte) (int, error) {
	n, err := c.Writer.Write(data)
	c.bytes.Add(int64(n))
	return n, err
}
