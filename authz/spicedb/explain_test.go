package spicedb

import (
	"crypto/tls"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/integration/spicedbtest"
)

// What an operator configured wrongly is explained by the setting to put right, and
// without addresses.
func TestExplainNamesTheSetting(t *testing.T) {
	caFile, certificate := selfSigned(t)
	encrypted := spicedbtest.Start(t, spicedbtest.Config{
		Schema: testSchema, ListenAddr: "127.0.0.1:0",
		TLS: &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12},
	})
	plain := spicedbtest.Start(t, spicedbtest.Config{Schema: testSchema, ListenAddr: "127.0.0.1:0"})
	gone := spicedbtest.Start(t, spicedbtest.Config{ListenAddr: "127.0.0.1:0"})
	gone.Pause()
	for name, test := range map[string]struct {
		cfg  Config
		want string
	}{
		"a wrong key":           {Config{Endpoint: plain.Addr(), Token: "wrong", Insecure: true}, "SPICEDB_TOKEN"},
		"TLS to plain text":     {Config{Endpoint: plain.Addr(), Token: plain.Token()}, "SPICEDB_INSECURE=true"},
		"plain text to TLS":     {Config{Endpoint: encrypted.Addr(), Token: encrypted.Token(), Insecure: true}, "unset SPICEDB_INSECURE"},
		"an unknown authority":  {Config{Endpoint: encrypted.Addr(), Token: encrypted.Token()}, "SPICEDB_CA_FILE"},
		"a server that is away": {Config{Endpoint: gone.Addr(), Token: gone.Token(), Insecure: true}, "SPICEDB_ENDPOINT"},
	} {
		t.Run(name, func(t *testing.T) {
			err := dial(t, test.cfg).Ready(t.Context())
			wantKind(t, err, authz.Unavailable)
			if got := Explain(err); !strings.Contains(got, test.want) || strings.Contains(got, "127.0.0.1") {
				t.Errorf("got %q of %v, want %s", got, err, test.want)
			}
		})
	}
	if err := dial(t, Config{Endpoint: encrypted.Addr(), Token: encrypted.Token(), CAFile: caFile}).Ready(t.Context()); err != nil {
		t.Errorf("put right: %v", err)
	}
}

func TestExplainSaysWhatSpiceDBRefuses(t *testing.T) {
	c := dial(t, testConfig(startServer(t, "", nil)))
	_, err := c.WriteSchema(t.Context(), "definition user {")
	if got := Explain(err); !strings.HasPrefix(got, "SpiceDB refuses the request: ") || !strings.Contains(got, "line 1") || strings.Contains(got, "internal") {
		t.Errorf("got %q", got)
	}
}
