package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/integration/spicedbtest"
)

func TestWhatIsMissingIsNamed(t *testing.T) {
	for _, test := range []struct {
		command   string
		variables []string
		want      string
	}{
		{"serve", nil, "not set: DATABASE_URL, ELECTRIC_URL, SPICEDB_ENDPOINT, SPICEDB_TOKEN, REDIS_URL, SHAPEGATE_JWT_SECRET"},
		{"seed", []string{"SPICEDB_TOKEN=x"}, "not set: SPICEDB_ENDPOINT"},
		{"seed", []string{"SPICEDB_INSECURE=perhaps"}, "SPICEDB_INSECURE"},
		{"plant", nil, "say one of: serve, seed, ready"},
	} {
		err := run(t.Context(), []string{test.command}, test.variables, io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", test.command, err, test.want)
		}
	}
}

// Whoever starts everything again reads that SpiceDB is as it was.
func TestSeedSaysWhatItDid(t *testing.T) {
	server := spicedbtest.Start(t, spicedbtest.Config{ListenAddr: "127.0.0.1:0"})
	variables := []string{"SPICEDB_ENDPOINT=" + server.Addr(), "SPICEDB_TOKEN=" + server.Token(), "SPICEDB_INSECURE=true"}
	for _, want := range []string{"SpiceDB was empty: wrote the demo's schema and ", "SpiceDB has a schema: left it as it is"} {
		var out bytes.Buffer
		if err := run(t.Context(), []string{"seed"}, variables, &out, io.Discard); err != nil || !strings.HasPrefix(out.String(), want) {
			t.Errorf("%s%v, want %s", out.String(), err, want)
		}
	}
}

func TestReadyAsksTheDemoOfThisMachine(t *testing.T) {
	status := http.StatusOK
	demo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/demo/people" {
			t.Errorf("it asked for %s", r.URL.Path)
		}
		w.WriteHeader(status)
	}))
	defer demo.Close()
	variables := []string{"DEMO_LISTEN=" + demo.Listener.Addr().String()}
	if err := run(t.Context(), []string{"ready"}, variables, io.Discard, io.Discard); err != nil {
		t.Error(err)
	}
	status = http.StatusInternalServerError
	if err := run(t.Context(), []string{"ready"}, variables, io.Discard, io.Discard); err == nil {
		t.Error("a demo that fails is ready")
	}
}
