package backend

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/shapegate/shapegate/schema/demo"
)

// Config is what a Backend is made of. All but Explainer, TokenLife and Logger are needed.
type Config struct {
	Rows          Rows
	Relationships Relationships

	// People may sign in, by their name alone.
	People []demo.Person

	// Secret signs their tokens: the one that shapegate verifies them with.
	Secret []byte

	// Explainer answers why a document is visible or not; nil: nobody is told.
	Explainer Explainer

	// TokenLife is how long a token holds; 0: 15 minutes.
	TokenLife time.Duration

	// Identify says who sends a request, see Identify. Its errors are authz's.
	Identify func(*http.Request) (person string, err error)

	Logger *slog.Logger // nil: slog.Default()
}

// Backend serves /demo/. It is an http.Handler.
type Backend struct {
	settler *settler
	handler http.Handler
}

const tokenLife = 15 * time.Minute

// New returns a backend. Run repairs what its requests leave behind.
func New(cfg Config) (*Backend, error) {
	if cfg.Rows == nil || cfg.Relationships == nil || cfg.Identify == nil || len(cfg.Secret) == 0 || len(cfg.People) == 0 {
		return nil, errors.New("backend: Rows, Relationships, People, Secret and Identify are needed")
	}
	if cfg.TokenLife <= 0 {
		cfg.TokenLife = tokenLife
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	relations := relations{cfg.Relationships}
	settler := &settler{rows: cfg.Rows, relations: relations, log: cfg.Logger}
	return &Backend{settler: settler, handler: routes(&cfg, relations, settler)}, nil
}

// ServeHTTP implements http.Handler.
func (b *Backend) ServeHTTP(w http.ResponseWriter, r *http.Request) { b.handler.ServeHTTP(w, r) }

// Run settles what requests have left behind, until ctx ends. Several processes may run
// it.
func (b *Backend) Run(ctx context.Context) { b.settler.run(ctx) }

func routes(cfg *Config, relations relations, settler *settler) http.Handler {
	people := people(cfg.People)
	permissions := &permissions{people, cfg.Relationships}
	documents := &documents{cfg.Rows, permissions, settler}
	sharing := &sharing{people, permissions, relations}
	profile := &profile{cfg.Rows, permissions, relations}
	accounts := &accounts{people, signer{cfg.Secret, cfg.TokenLife}}

	mux := http.NewServeMux()
	anybody := func(pattern string, do handler) { mux.HandleFunc(pattern, do.answer(cfg.Logger)) }
	anybody("GET /demo/people", accounts.listPeople)
	anybody("POST /demo/token", accounts.signIn)
	anybody("/demo/", func(context.Context, request) (any, error) {
		return nil, &problem{http.StatusNotFound, "not_found", "no such path, or no such method here"}
	})
	signedIn := func(pattern string, do handler) { anybody(pattern, do.signedIn(cfg.Identify)) }
	signedIn("GET /demo/me", profile.me)
	signedIn("PUT /demo/documents/{document}", documents.create)
	signedIn("PATCH /demo/documents/{document}", documents.edit)
	signedIn("POST /demo/documents/{document}/move", documents.move)
	signedIn("GET /demo/documents/{document}/access", sharing.access)
	signedIn("PUT /demo/documents/{document}/viewers/{who}", sharing.share("viewer", true))
	signedIn("DELETE /demo/documents/{document}/viewers/{who}", sharing.share("viewer", false))
	signedIn("PUT /demo/documents/{document}/editors/{who}", sharing.share("editor", true))
	signedIn("DELETE /demo/documents/{document}/editors/{who}", sharing.share("editor", false))
	signedIn("PUT /demo/documents/{document}/banned/{who}", sharing.ban(true))
	signedIn("DELETE /demo/documents/{document}/banned/{who}", sharing.ban(false))
	signedIn("PUT /demo/groups/{group}/members/{who}", sharing.join(true))
	signedIn("DELETE /demo/groups/{group}/members/{who}", sharing.join(false))
	if cfg.Explainer != nil {
		signedIn("GET /demo/documents/{document}/why", (&reasons{people, cfg.Explainer}).explain)
	}
	// A session cookie comes with requests that other pages make, too.
	return http.NewCrossOriginProtection().Handler(mux)
}
