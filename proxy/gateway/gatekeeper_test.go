package gateway_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/gateway"
	"github.com/shapegate/shapegate/schema"
)

// writeKey writes a private key of P-256 to a file.
func writeKey(t *testing.T) (path string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "keys.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAKeyFileTurnsTheGatekeeperOn(t *testing.T) {
	r := world{gatekeeper: gateway.Gatekeeper{KeyFile: writeKey(t), Life: time.Minute}}.start(t)
	r.untilReady(t)
	status, _, body := r.askAs(t, http.MethodPost, r.public+"/v1/gatekeeper/documents", "alice", nil)
	var offer struct {
		URL     string
		Headers map[string]string
	}
	if err := json.Unmarshal([]byte(body), &offer); status != http.StatusOK || err != nil {
		t.Fatalf("status %d, %v: %s", status, err, body)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, offer.URL+"?table=documents&offset=-1", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", offer.Headers["Authorization"])
	resp, err := r.client(t, offer.URL).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("a read with the token: status %d, %v", resp.StatusCode, err)
	}
	if status, _, keys := r.get(t, r.public+"/.well-known/jwks.json"); status != http.StatusOK || !strings.Contains(keys, `"ES256"`) {
		t.Errorf("status %d: %s", status, keys)
	}
}

func TestAKeyFileThatCannotBeUsedIsNamed(t *testing.T) {
	shapes, err := schema.Parse("shapes.yaml", []byte(shapesYAML))
	if err != nil {
		t.Fatal(err)
	}
	_, err = gateway.New(gateway.Config{
		Shapes:     shapes,
		SpiceDB:    spicedb.Config{Endpoint: "127.0.0.1:1", Token: "x", Insecure: true},
		Electric:   electric.Config{URL: "http://127.0.0.1:1"},
		Identity:   identity.Config{Secret: secret},
		Secret:     secret,
		Gatekeeper: gateway.Gatekeeper{KeyFile: filepath.Join(t.TempDir(), "none.pem")},
	})
	if err == nil || !strings.Contains(err.Error(), "SHAPEGATE_GATEKEEPER_KEY_FILE") {
		t.Errorf("the error %v", err)
	}
}
