package proxy_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/proxy"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/schema"
)

// A Go program that has a server of its own mounts the handler beside its other
// routes. Nothing is connected to before the first request needs it.
func ExampleNew() {
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
		log.Fatal(err)
	}
	tokens, err := identity.New(context.Background(), identity.Config{Secret: secret})
	if err != nil {
		log.Fatal(err)
	}
	engine, err := spicedb.Dial(spicedb.Config{Endpoint: "spicedb:50051", Token: "preshared key", Insecure: true})
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	upstream, err := electric.NewClient(electric.Config{URL: "http://electric:3000", Secret: "electric's secret"})
	if err != nil {
		log.Fatal(err)
	}

	handler, err := proxy.New(proxy.Config{
		Shapes:     shapes,
		Authorizer: authz.NewAuthorizer(engine, authz.NewFingerprintKey(secret)),
		Tokens:     tokens,
		Electric:   upstream,
		Secret:     secret,
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/sync/", http.StripPrefix("/sync", handler))
	mux.HandleFunc("/hello", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })

	// A server of its own calls handler.Drain before its Shutdown, so that requests
	// that wait for changes are answered rather than cut.
	server := httptest.NewServer(mux)
	defer server.Close()
	defer handler.Drain()

	resp, err := http.Get(server.URL + "/sync/v1/shapes/documents?offset=-1")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status, resp.Header.Get("WWW-Authenticate"))
	// Output: 401 Unauthorized Bearer realm="shapegate"
}
