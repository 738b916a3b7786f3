package faults

import (
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A behaviour handles a connection of the client, and one to the server. It closes neither.
type behaviour func(p *proxy, client, server *net.TCPConn)

// proxy is between crashcheck and the server. Its first connections are faulty, it forwards the later ones.
type proxy struct {
	listener *net.TCPListener
	target   string
	faulty   int64 // how many connections; -1: all
	fault    behaviour

	connections atomic.Int64
	closed      chan struct{}
	running     sync.WaitGroup
}

// startProxy starts a proxy for the bench's server and makes the run use it.
func (b *bench) startProxy(faulty int64, fault behaviour) *proxy {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	p := &proxy{
		listener: listener.(*net.TCPListener), target: strings.TrimPrefix(b.server.URL(), "http://"),
		faulty: faulty, fault: fault, closed: make(chan struct{}),
	}
	p.running.Go(p.accept)
	b.Cleanup(func() {
		close(p.closed)
		p.listener.Close()
		p.running.Wait()
	})
	b.pointAt("http://" + listener.Addr().String())
	return p
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.AcceptTCP()
		if err != nil {
			return
		}
		n := p.connections.Add(1)
		p.running.Go(func() {
			defer client.Close()
			conn, err := net.Dial("tcp", p.target)
			if err != nil {
				return
			}
			server := conn.(*net.TCPConn)
			defer server.Close()
			// Closing the proxy ends every wait of the behaviour.
			done := make(chan struct{})
			defer close(done)
			go func() {
				select {
				case <-p.closed:
					client.Close()
					server.Close()
				case <-done:
				}
			}()
			if p.faulty < 0 || n <= p.faulty {
				p.fault(p, client, server)
				return
			}
			forward(p, client, server)
		})
	}
}

// forward is the behaviour without a fault.
func forward(_ *proxy, client, server *net.TCPConn) {
	go func() {
		_, _ = io.Copy(server, client)
		_ = server.CloseWrite()
	}()
	_, _ = io.Copy(client, server)
}

// hold keeps a connection open, without a response, until the client closes it.
func hold(client *net.TCPConn) { _, _ = io.Copy(io.Discard, client) }

// silent accepts requests and never responds.
func silent(_ *proxy, client, _ *net.TCPConn) { hold(client) }

// stallAfter forwards the first bytes of the response, header included, and nothing else.
func stallAfter(bytes int64) behaviour {
	return func(_ *proxy, client, server *net.TCPConn) {
		go func() { _, _ = io.CopyN(client, server, bytes) }()
		_, _ = io.Copy(server, client)
	}
}

// resetAfter forwards the first bytes of the response and then resets the connection.
func resetAfter(bytes int64) behaviour {
	return func(_ *proxy, client, server *net.TCPConn) {
		go func() { _, _ = io.Copy(server, client) }()
		_, _ = io.CopyN(client, server, bytes)
		_ = client.SetLinger(0) // closing sends RST, not FIN
	}
}

// trickle forwards one byte per second.
func trickle(p *proxy, client, server *net.TCPConn) {
	go func() { _, _ = io.Copy(server, client) }()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		if _, err := io.CopyN(client, server, 1); err != nil {
			return
		}
		select {
		case <-ticker.C:
		case <-p.closed:
			return
		}
	}
}

// dieAfter forwards the first requests and responses. Then the connection stays open, but there are no more responses.
func dieAfter(requests int) behaviour {
	return func(_ *proxy, client, server *net.TCPConn) {
		go func() { _, _ = io.Copy(client, server) }()
		buffer := make([]byte, 64<<10) // a request arrives in one read
		for range requests {
			n, err := client.Read(buffer)
			if err != nil {
				return
			}
			_, _ = server.Write(buffer[:n])
		}
		hold(client)
	}
}

// closeAtOnce accepts and closes.
func closeAtOnce(*proxy, *net.TCPConn, *net.TCPConn) {}

// blackhole is an address whose connections are never established: its queue of unaccepted connections is full, so the
// kernel drops further ones. On a slow machine it may not be full; then one more connection is established, without a
// response.
func blackhole(t *testing.T) string {
	t.Helper()
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(socket) })
	if err := syscall.Bind(socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(socket, 0); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(socket)
	if err != nil {
		t.Fatal(err)
	}
	address := net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: name.(*syscall.SockaddrInet4).Port}
	for {
		conn, err := net.DialTimeout("tcp", address.String(), 500*time.Millisecond)
		if err != nil {
			return address.String()
		}
		t.Cleanup(func() { conn.Close() })
	}
}
