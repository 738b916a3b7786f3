package faults

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"time"

	"github.com/crashcheck/crashcheck/test/simcluster"
)

// expired makes the run use a TLS server, trusted by the kubeconfig, whose certificate has expired.
func expired(b *bench) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(-time.Minute),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		b.Fatal(err)
	}
	server := httptest.NewUnstartedServer(nil)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes fail on purpose
	server.StartTLS()
	b.Cleanup(server.Close)
	b.cluster().Server = server.URL
	b.cluster().CertificateAuthorityData = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func tlsRows() []row {
	withTLS := []simcluster.Option{simcluster.WithTLS()}
	return []row{
		{fault: "none: a valid certificate", options: withTLS, verdict: "pass", says: "PASS"},
		{fault: "a certificate that has expired", prepare: expired, verdict: "inconclusive", says: "certificate has expired"},
		{fault: "a certificate for another host", options: withTLS,
			prepare: func(b *bench) { b.cluster().Server = strings.Replace(b.server.URL(), "127.0.0.1", "localhost", 1) },
			verdict: "inconclusive", says: "certificate is valid for .*, not localhost"},
		{fault: "a certificate of an unknown CA", options: withTLS,
			prepare: func(b *bench) { b.cluster().CertificateAuthorityData = nil }, // only the system's root certificates remain
			verdict: "inconclusive", says: "certificate signed by unknown authority"},
		{fault: "plain HTTP where TLS is expected", prepare: func(b *bench) { b.cluster().Server = strings.Replace(b.server.URL(), "http:", "https:", 1) },
			verdict: "inconclusive", says: "HTTP response to HTTPS client"},
		{fault: "a CA file that is missing", options: withTLS,
			prepare: func(b *bench) {
				b.cluster().CertificateAuthorityData, b.cluster().CertificateAuthority = nil, filepath.Join(b.dir, "missing.crt")
			},
			verdict: "invalid", says: `missing\.crt: no such file`, check: requests(0)},
	}
}
