package faults

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"time"
)

// behindTLS starts a TLS proxy, with its own certificate, for the bench's server. The kubeconfig trusts it.
func (b *bench) behindTLS(ip net.IP, notAfter time.Time) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "simulated"},
		NotBefore: notAfter.Add(-24 * time.Hour), NotAfter: notAfter,
		IPAddresses: []net.IP{ip}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		b.Fatal(err)
	}
	target, err := url.Parse(b.server.URL())
	if err != nil {
		b.Fatal(err)
	}
	front := httptest.NewUnstartedServer(httputil.NewSingleHostReverseProxy(target))
	front.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	front.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes fail on purpose
	front.StartTLS()
	b.Cleanup(front.Close)
	b.pointAt(front.URL)
	b.cluster().CertificateAuthorityData = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// caFile makes the kubeconfig name a CA file instead of containing the certificate.
func (b *bench) caFile(path string) {
	b.behindTLS(net.IPv4(127, 0, 0, 1), time.Now().Add(time.Hour))
	b.cluster().CertificateAuthorityData = nil
	b.cluster().CertificateAuthority = path
}

func tlsRows() []row {
	loopback := net.IPv4(127, 0, 0, 1)
	return []row{
		{
			fault:   "none: a valid certificate",
			prepare: func(b *bench) { b.behindTLS(loopback, time.Now().Add(time.Hour)) },
			verdict: "pass", exit: 0, says: "PASS",
		},
		{
			fault:   "a certificate that has expired",
			prepare: func(b *bench) { b.behindTLS(loopback, time.Now().Add(-time.Hour)) },
			verdict: "inconclusive", exit: 3, says: "certificate has expired",
		},
		{
			fault:   "a certificate for another host",
			prepare: func(b *bench) { b.behindTLS(net.IPv4(10, 0, 0, 1), time.Now().Add(time.Hour)) },
			verdict: "inconclusive", exit: 3, says: "certificate is valid for 10.0.0.1, not 127.0.0.1",
		},
		{
			fault: "a certificate of an unknown CA",
			prepare: func(b *bench) {
				b.behindTLS(loopback, time.Now().Add(time.Hour))
				b.cluster().CertificateAuthorityData = nil // only the system's root certificates remain
			},
			verdict: "inconclusive", exit: 3, says: "certificate signed by unknown authority",
		},
		{
			fault:   "plain HTTP where TLS is expected",
			prepare: func(b *bench) { b.pointAt("https" + b.server.URL()[len("http"):]) },
			verdict: "inconclusive", exit: 3, says: "HTTP response to HTTPS client",
		},
		{
			fault:   "a CA file that is missing",
			prepare: func(b *bench) { b.caFile(filepath.Join(b.dir, "missing.crt")) },
			verdict: "invalid", exit: 2, says: `missing\.crt: no such file`, requests: none,
		},
		{
			fault:   "a CA file that cannot be read",
			prepare: func(b *bench) { b.caFile(b.dir) }, // a directory: root can read every file
			verdict: "invalid", exit: 2, says: "is a directory", requests: none,
		},
		{
			fault:   "a CA file that is empty",
			prepare: func(b *bench) { b.caFile(b.file("empty.crt", "")) },
			verdict: "invalid", exit: 2, says: `CA certificates in \S+empty\.crt`, requests: none,
		},
	}
}
