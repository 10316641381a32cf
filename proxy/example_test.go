package proxy_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/grantcache"
	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/proxy"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/schema"
)

// A Go program that has a server of its own mounts the handler beside its other
// routes.
func ExampleNew() {
	handler, err := newHandler()
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/sync/", http.StripPrefix("/sync", handler))
	mux.HandleFunc("/hello", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })

	// At its end a server calls handler.Drain before its own Shutdown, so that
	// requests which wait for changes are answered rather than cut.
	recorder := httptest.NewRecorder() // a server, here
	mux.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/sync/v1/shapes/documents?offset=-1", nil))
	fmt.Println(recorder.Code, recorder.Header().Get("WWW-Authenticate"))
	handler.Drain()
	// Output: 401 Bearer realm="shapegate"
}

// newHandler does not connect: that happens at the first request that needs it.
func newHandler() (*proxy.Handler, error) {
	secret := []byte("32 random bytes, the same for all")
	shapes, err := schema.Parse("shapes.yaml", []byte(`
shapes:
  documents:
    table: documents
    columns: [id, title]
    authorize:
      filter: [{resource: document, permission: view, column: id}]
`))
	if err != nil {
		return nil, err
	}
	tokens, err := identity.New(context.Background(), identity.Config{Secret: secret})
	if err != nil {
		return nil, err
	}
	engine, err := spicedb.Dial(spicedb.Config{Endpoint: "spicedb:50051", Token: "preshared key", Insecure: true})
	if err != nil {
		return nil, err
	}
	upstream, err := electric.NewClient(electric.Config{URL: "http://electric:3000", Secret: "electric's secret"})
	if err != nil {
		return nil, err
	}
	cache, err := grantcache.New(grantcache.Config{Engine: engine, Key: authz.NewFingerprintKey(secret)})
	if err != nil {
		return nil, err
	}
	// The server also runs cache.Run, which watches SpiceDB for changes. When it has
	// ended, it closes the handler.
	return proxy.New(proxy.Config{
		Shapes:     shapes,
		Authorizer: cache,
		Tokens:     tokens,
		Electric:   upstream,
		Secret:     secret,
	})
}
