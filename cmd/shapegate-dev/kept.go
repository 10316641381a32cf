package main

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/authz/shapetoken"
)

// What is kept across starts is in one folder, readable by its owner alone.
const (
	secretFile      = "jwt-secret"
	certificateFile = "certificate.pem"
	keyFile         = "key.pem"
	gatekeeperFile  = "gatekeeper.pem"

	secretSize = identity.MinSecretSize
)

// keptSecret returns the secret of an earlier start, or makes one. Without a folder,
// it lasts for this start.
func keptSecret(folder string) ([]byte, error) {
	path := filepath.Join(folder, secretFile)
	if folder != "" {
		if secret, err := os.ReadFile(path); err == nil && len(secret) >= secretSize { //nolint:gosec // the user's own
			return secret, os.Chmod(path, 0o600)
		}
	}
	secret := []byte(rand.Text() + rand.Text())
	if folder == "" {
		return secret, nil
	}
	return secret, keep(path, secret)
}

// keep writes a file that only its owner can read. It replaces the file as a whole,
// so that another start does not read half of it.
func keep(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// keptKeys returns the path of the key that the gatekeeper signs with: that of an earlier
// start, or one that is made. Without a folder it is in a temporary one, which remove removes.
func keptKeys(folder string) (path string, remove func(), err error) {
	remove = func() {}
	if folder == "" {
		if folder, err = os.MkdirTemp("", "shapegate-dev-"); err != nil {
			return "", remove, err
		}
		remove = func() { _ = os.RemoveAll(folder) }
	}
	path = filepath.Join(folder, gatekeeperFile)
	if _, err := shapetoken.OpenKeyFile(path); err == nil {
		return path, remove, os.Chmod(path, 0o600)
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", remove, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", remove, err
	}
	return path, remove, keep(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

const (
	certificateLife = 365 * 24 * time.Hour
	renewBefore     = 7 * 24 * time.Hour
)

// keptCertificate returns the certificate of an earlier start, or makes one for this
// machine: localhost, 127.0.0.1 and ::1. It returns the path of its PEM file, for
// curl's --cacert.
func keptCertificate(folder string) (config *tls.Config, path string, err error) {
	if folder == "" {
		return nil, "", fmt.Errorf("--tls needs a cache folder for its certificate: set HOME or XDG_CACHE_HOME")
	}
	path, keyPath := filepath.Join(folder, certificateFile), filepath.Join(folder, keyFile)
	certificate, err := tls.LoadX509KeyPair(path, keyPath)
	if err != nil || time.Until(certificate.Leaf.NotAfter) < renewBefore {
		if err = makeCertificate(path, keyPath); err == nil {
			certificate, err = tls.LoadX509KeyPair(path, keyPath)
		}
	}
	if err != nil {
		return nil, "", fmt.Errorf("a certificate for --tls: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}, path, nil
}

func makeCertificate(path, keyPath string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "shapegate-dev on this machine"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(certificateLife),
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		// Not an authority: who trusts it trusts this server, and nothing it could sign.
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := keep(keyPath, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})); err != nil {
		return err
	}
	return keep(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
