// Package gateway puts a shapegate together from its parts: the client of
// SpiceDB, the cache of grants, the client of Electric, the verifier of tokens,
// sessions in Redis, and the HTTP handler in front of them. Both binaries run what
// it builds, and so can a Go server of yours.
//
//	g, err := gateway.New(gateway.Config{
//		Shapes:   shapes, // of schema.Load
//		SpiceDB:  spicedb.Config{Endpoint: "spicedb:50051", Token: presharedKey},
//		Electric: electric.Config{URL: "http://electric:3000", Secret: electricSecret},
//		Identity: identity.Config{JWKSURL: "https://issuer.example/jwks.json"},
//		Secret:   handleSecret,
//	})
//	if err != nil {
//		return err // the configuration cannot work
//	}
//	defer g.Close()
//	go g.Run(ctx)
//	mux.Handle("/sync/", http.StripPrefix("/sync", g.Handler()))
//
// # Life
//
// [New] does not connect. A part that is away delays readiness, and does not
// fail New.
//
// [Gateway.Run] watches SpiceDB, so that grants stay current, and checks the shape
// definitions against SpiceDB's schema and Electric's tables until they fit.
// Without Run, shapes are answered with 503. When its context ends, Run has every
// request that waits for a change answered, and returns. A server then shuts down
// as usual, and at last calls [Gateway.Close].
//
// # Handlers
//
// [Gateway.Handler] is for clients: /v1/shapes, /v1/shape, /v1/session, and with keys of the
// gatekeeper /v1/gatekeeper and /.well-known/jwks.json.
// [Gateway.Admin] is for operators: /metrics, /healthz, /readyz, and
// /explain?subject=user:bob&shape=documents&id=d1, which says why a row is seen or not.
// [Gateway.ForwardAuth] is for Caddy, nginx or Traefik that send requests to Electric
// themselves, and ask here whether they may. It tells of shape definitions what clients are
// not told. [Gateway.ExtAuthz] is the same for Envoy.
// Admin asks for no credentials, and says which tables there are and who may see what:
// serve it on an address that clients cannot reach.
//
// The server that mounts Handler must let a request wait for a minute: no
// WriteTimeout, and an IdleTimeout longer than that of the load balancer in front.
package gateway
