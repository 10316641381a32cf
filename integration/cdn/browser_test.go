package cdn_test

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/integration/prerequisite"
)

// What a browser keeps of a person is nothing: neither its cache nor the button Back has
// anything after signing out, or after a revocation.
func TestABrowserKeepsNothing(t *testing.T) {
	browser := chromium(t)
	// Without TLS: a browser that is made to take a certificate of nobody's keeps nothing.
	w := newWorld(t)
	plain := w.plainNginx()
	token := strings.TrimPrefix(bearer(t, "bob")["Authorization"][0], "Bearer ")
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	revoke := serve(t, revoking(w))
	cmd := exec.CommandContext(ctx, "node", "--test", "--test-reporter=spec", "browser.test.mjs")
	cmd.Env = append(os.Environ(), "SHAPEGATE_CDN_BROWSER="+browser, "SHAPEGATE_CDN_TOKEN="+token, "SHAPEGATE_CDN_REVOKE="+revoke.URL,
		"SHAPEGATE_CDN_URL="+plain.url)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "ℹ skipped 0") || strings.Contains(string(out), "ℹ pass 0") {
		t.Errorf("%v\n%s", err, out)
	}
	nothingOfShapegate(t, plain)
}

// revoking takes bob's project from him, and answers when shapegate knows.
func revoking(w *world) http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request) {
		revoked := w.write(spicedb.Delete, bobsProject)
		w.direct().ask(bearer(w.t, "bob"), theURL, freshness, revoked)
	})
}

func chromium(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		prerequisite.Missing(t, "node is not installed")
	}
	if _, err := os.Stat(filepath.Join("..", "web", "node_modules", ".package-lock.json")); err != nil {
		prerequisite.Missing(t, "playwright-core is not installed: run npm ci in integration/web")
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	prerequisite.Missing(t, "chromium is not installed")
	return ""
}
