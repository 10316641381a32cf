package session_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/session"
	"github.com/shapegate/shapegate/authz/session/sessiontest"
)

// freePort returns a port that was free a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// runRedis runs redis-server until the test ends.
func runRedis(t *testing.T, args ...string) {
	t.Helper()
	server := exec.Command(redisProgram(t), args...)
	server.Dir = t.TempDir()
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
}

func dialConfig(t *testing.T, cfg session.RedisConfig) redis.UniversalClient {
	t.Helper()
	client, err := session.Dial(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func isStore(t *testing.T, client redis.UniversalClient) {
	t.Helper()
	eventually(t, func() error {
		return session.NewRedis(client, "warm-up:").Put(t.Context(), session.Key{}, []byte("x"), time.Minute, 1)
	})
	sessiontest.Run(t, func() session.Store { return session.NewRedis(client, "") }, func(d time.Duration) { <-time.After(d) })
}

// A cluster refuses a script whose keys are not all in one slot.
func TestAClusterIsAStore(t *testing.T) {
	port := freePort(t)
	runRedis(t, "--port", port, "--cluster-enabled", "yes", "--save", "", "--cluster-announce-ip", "127.0.0.1")
	one := dialConfig(t, session.RedisConfig{URL: "redis://127.0.0.1:" + port})
	eventually(t, func() error { return one.(*redis.Client).ClusterAddSlotsRange(t.Context(), 0, 16383).Err() })
	for _, url := range []string{"redis://127.0.0.1:" + port + "?cluster=true", "redis://127.0.0.1:" + port + ",127.0.0.1:1"} {
		t.Run(url[len("redis://127.0.0.1:"+port):], func(t *testing.T) {
			client := dialConfig(t, session.RedisConfig{URL: url})
			if _, ok := client.(*redis.ClusterClient); !ok {
				t.Fatalf("a client of type %T", client)
			}
			isStore(t, client)
		})
	}
}

func TestTheMasterIsFoundBySentinels(t *testing.T) {
	port, watching := freePort(t), freePort(t)
	runRedis(t, "--port", port, "--save", "")
	config := filepath.Join(t.TempDir(), "sentinel.conf")
	text := fmt.Sprintf("port %s\nsentinel monitor mymaster 127.0.0.1 %s 1\n", watching, port)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	runRedis(t, config, "--sentinel")
	isStore(t, dialConfig(t, session.RedisConfig{URL: "redis://127.0.0.1:" + watching + ",127.0.0.1:1/0?master_name=mymaster"}))
}

func TestTLSWithAnOwnAuthorityAndAClientCertificate(t *testing.T) {
	dir := t.TempDir()
	ca := newAuthority(t, dir)
	serverCert, serverKey := ca.issue(t, dir, "server")
	clientCert, clientKey := ca.issue(t, dir, "client")
	port := freePort(t)
	runRedis(t, "--port", "0", "--tls-port", port, "--save", "",
		"--tls-cert-file", serverCert, "--tls-key-file", serverKey, "--tls-ca-cert-file", ca.file, "--tls-auth-clients", "yes")

	url := "rediss://127.0.0.1:" + port
	client := dialConfig(t, session.RedisConfig{URL: url, CAFile: ca.file, CertFile: clientCert, KeyFile: clientKey})
	eventually(t, func() error { return client.Ping(t.Context()).Err() })
	for name, cfg := range map[string]session.RedisConfig{
		"without the authority":   {URL: url, CertFile: clientCert, KeyFile: clientKey},
		"without the certificate": {URL: url, CAFile: ca.file},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		if err := dialConfig(t, cfg).Ping(ctx).Err(); err == nil {
			t.Errorf("%s: no error", name)
		}
		cancel()
	}
}

func TestDialReadsLists(t *testing.T) {
	cluster := dialConfig(t, session.RedisConfig{URL: "rediss://user:p%40ss@a.example:7000,b.example,[::1]:7002?pool_size=7"}).(*redis.ClusterClient).Options()
	if !slices.Equal(cluster.Addrs, []string{"a.example:7000", "b.example:6379", "[::1]:7002"}) ||
		cluster.Username != "user" || cluster.Password != "p@ss" || cluster.PoolSize != 7 {
		t.Errorf("addresses %q, user %s, pool size %d", cluster.Addrs, cluster.Username, cluster.PoolSize)
	}
	if cluster.TLSConfig == nil || cluster.TLSConfig.ServerName != "" {
		t.Error("the certificate of each node is held to the name of the first")
	}
	if !cluster.ContextTimeoutEnabled || cluster.ReadTimeout != 500*time.Millisecond {
		t.Errorf("read timeout %v, contexts heeded: %v", cluster.ReadTimeout, cluster.ContextTimeoutEnabled)
	}
	failover := dialConfig(t, session.RedisConfig{URL: "redis://:pass@s1:26379,s2:26379/3?master_name=m&sentinel_password=other"}).(*redis.Client).Options()
	if failover.Password != "pass" || failover.DB != 3 || failover.Addr != "FailoverClient" {
		t.Errorf("options = %s, database %d", failover.Addr, failover.DB)
	}
}

func TestDialRefusesWhatContradictsItself(t *testing.T) {
	ca := newAuthority(t, t.TempDir())
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]session.RedisConfig{
		"a cluster with a database":       {URL: "redis://a:1,b:2/3"},
		"a cluster and a master":          {URL: "redis://a:1?cluster=true&master_name=m"},
		"an empty host":                   {URL: "redis://a:1,,b:2"},
		"a malformed host":                {URL: "redis://a:1,s3cret/x:port"},
		"cluster is neither":              {URL: "redis://a:1?cluster=s3cret"},
		"an authority without TLS":        {URL: "redis://a:1", CAFile: ca.file},
		"a certificate without a key":     {URL: "rediss://a:1", CertFile: ca.file},
		"an authority that is not there":  {URL: "rediss://a:1", CAFile: ca.file + "x"},
		"an authority that is none":       {URL: "rediss://a:1", CAFile: empty},
		"a certificate that has no key":   {URL: "rediss://a:1", CertFile: ca.file, KeyFile: empty},
		"a password in a malformed list":  {URL: "redis://u:s3cret@a:1,b:%zz"},
		"an option that a list has twice": {URL: "redis://a:1,b:2?s3cret=1"},
	} {
		_, err := session.Dial(cfg)
		if err == nil || authz.KindOf(err) != authz.Invalid {
			t.Errorf("%s: error = %v, want an Invalid one", name, err)
		} else if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: error %q repeats the URL", name, err)
		}
	}
}

// authority is a certificate authority of a test's own.
type authority struct {
	file string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, dir string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a test's authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{file: writePEM(t, dir, "ca.pem", "CERTIFICATE", der), cert: template, key: key}
}

// issue writes a certificate for 127.0.0.1 and its key.
func (a *authority) issue(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &private.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return writePEM(t, dir, name+".pem", "CERTIFICATE", der), writePEM(t, dir, name+"-key.pem", "PRIVATE KEY", pkcs8)
}

func writePEM(t *testing.T, dir, name, kind string, der []byte) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
