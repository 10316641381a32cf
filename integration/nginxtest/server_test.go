package nginxtest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/integration/nginxtest"
)

func TestItServesTheFileWithTheTestsOwnUpstream(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s of %s", r.URL.Path, r.Header.Get("X-Front"))
	}))
	defer upstream.Close()
	file := filepath.Join(t.TempDir(), "site.conf")
	const site = `server {
  listen 80;
  location / {
    proxy_pass http://127.0.0.1:8080;
    proxy_set_header X-Front nginx;
  }
}`
	if err := os.WriteFile(file, []byte(site), 0o600); err != nil {
		t.Fatal(err)
	}
	server := nginxtest.Start(t, nginxtest.Config{File: file, Listen: "80", Replace: map[string]string{
		"127.0.0.1:8080": strings.TrimPrefix(upstream.URL, "http://"),
	}})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+server.Addr+"/page", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "/page of nginx" {
		t.Errorf("%s, %v", body, err)
	}
}
