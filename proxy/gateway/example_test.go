package gateway_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"

	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/proxy"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/gateway"
	"github.com/shapegate/shapegate/schema"
)

// A Go program mounts shapegate in a server of its own, beside its other routes.
func Example() {
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
	secret := []byte("32 random bytes, the same for all")
	g, err := gateway.New(gateway.Config{
		Shapes:   shapes,
		SpiceDB:  spicedb.Config{Endpoint: "spicedb.invalid:50051", Token: "preshared key"},
		Electric: electric.Config{URL: "http://electric.invalid:3000", Secret: "Electric's secret"},
		Identity: identity.Config{Secret: secret},
		Secret:   secret,
		Proxy:    proxy.Config{CORSOrigins: []string{"https://app.example"}},
		Logger:   slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}

	// Clients reach /sync/v1/shapes/documents; operators have an address of their own.
	mux := http.NewServeMux()
	mux.Handle("/sync/", http.StripPrefix("/sync", g.Handler()))
	mux.HandleFunc("/hello", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
	public, admin := httptest.NewServer(mux), httptest.NewServer(g.Admin())

	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan error)
	go func() { ran <- g.Run(ctx) }()

	show(public.URL + "/hello")
	show(public.URL + "/sync/v1/shapes/documents?offset=-1") // SpiceDB is not there, here
	show(admin.URL + "/healthz")

	// The end, in order: Run answers the requests that wait for a change, the servers
	// let requests end, and Close ends the connections to SpiceDB, Electric and Redis.
	stop()
	fmt.Println(<-ran)
	public.Close()
	admin.Close()
	fmt.Println(g.Close())
	// Output:
	// 200 hello
	// 503 {"error":"unavailable","message":"starting"}
	// 200 {"status":"alive"}
	//
	// <nil>
	// <nil>
}

func show(url string) {
	resp, err := http.Get(url) //nolint:noctx // an example
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resp.StatusCode, string(body))
}
