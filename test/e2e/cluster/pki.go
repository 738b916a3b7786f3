package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"path/filepath"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

// pki is the cluster's certificate authority and the folder it writes to.
type pki struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// newPKI creates a certificate authority, and the key that signs the tokens of ServiceAccounts.
func newPKI(dir string) (*pki, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	authority, err := cert.NewSelfSignedCACert(cert.Config{CommonName: "crashcheck-e2e"}, key)
	if err != nil {
		return nil, err
	}
	signer, err := keyutil.MakeEllipticPrivateKeyPEM()
	if err != nil {
		return nil, err
	}
	p := &pki{dir: dir, cert: authority, key: key}
	return p, errors.Join(p.write("ca", authority, key), keyutil.WriteKey(p.path("service-account.key"), signer))
}

func (p *pki) path(file string) string { return filepath.Join(p.dir, file) }

// issue writes NAME.crt and NAME.key: for clients with their user and groups, for servers with their addresses other than
// loopback.
func (p *pki) issue(name, user string, groups []string, addresses ...net.IP) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: user, Organization: groups},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(365 * 24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		IPAddresses:  append(addresses, net.IPv4(127, 0, 0, 1)),
	}, p.cert, key.Public(), p.key)
	if err != nil {
		return fmt.Errorf("certify %s: %w", name, err)
	}
	return p.write(name, &x509.Certificate{Raw: der}, key)
}

func (p *pki) write(name string, certificate *x509.Certificate, key *ecdsa.PrivateKey) error {
	certPEM, errCert := cert.EncodeCertificates(certificate)
	keyPEM, errKey := keyutil.MarshalPrivateKeyToPEM(key)
	return errors.Join(errCert, errKey, cert.WriteCert(p.path(name+".crt"), certPEM), keyutil.WriteKey(p.path(name+".key"), keyPEM))
}

// kubeconfig issues a certificate for user, and writes a kubeconfig that refers to it.
func (p *pki) kubeconfig(path, server, user string, groups ...string) error {
	if err := p.issue(user, user, groups); err != nil {
		return err
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["e2e"] = &clientcmdapi.Cluster{Server: server, CertificateAuthority: p.path("ca.crt")}
	config.AuthInfos[user] = &clientcmdapi.AuthInfo{ClientCertificate: p.path(user + ".crt"), ClientKey: p.path(user + ".key")}
	config.Contexts["e2e"] = &clientcmdapi.Context{Cluster: "e2e", AuthInfo: user}
	config.CurrentContext = "e2e"
	return clientcmd.WriteToFile(*config, path)
}
