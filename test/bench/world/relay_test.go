package world

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestTheRelayCountsBothDirections(t *testing.T) {
	const size = 100_000
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, strings.Repeat("x", size))
	}))
	defer server.Close()
	relay, err := NewRelay(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer relay.listener.Close()
	response, err := server.Client().Post(relay.Address, "text/plain", strings.NewReader(strings.Repeat("y", size)))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || len(body) != size {
		t.Fatalf("read %d bytes, %v", len(body), err)
	}
	// TLS adds its handshake and a few bytes to each record.
	if got := relay.Bytes(); got < 2*size || got > 2*size+20_000 {
		t.Errorf("counted %d bytes, want a little more than %d", got, 2*size)
	}
}
