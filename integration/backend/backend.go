package backend

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
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
	rows          Rows
	relationships Relationships
	people        []demo.Person
	signer        signer
	identify      func(*http.Request) (string, error)
	explainer     Explainer
	log           *slog.Logger
	handler       http.Handler
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
	b := &Backend{
		rows: cfg.Rows, relationships: cfg.Relationships, people: cfg.People,
		signer: signer{cfg.Secret, cfg.TokenLife}, identify: cfg.Identify,
		explainer: cfg.Explainer, log: cfg.Logger,
	}
	b.handler = b.routes()
	return b, nil
}

// ServeHTTP implements http.Handler.
func (b *Backend) ServeHTTP(w http.ResponseWriter, r *http.Request) { b.handler.ServeHTTP(w, r) }

func (b *Backend) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /demo/people", b.answer(b.listPeople))
	mux.HandleFunc("POST /demo/token", b.answer(b.signIn))
	for pattern, do := range map[string]func(context.Context, request) (any, error){
		"GET /demo/me":                                    b.me,
		"PUT /demo/documents/{document}":                  b.create,
		"PATCH /demo/documents/{document}":                b.edit,
		"POST /demo/documents/{document}/move":            b.move,
		"GET /demo/documents/{document}/access":           b.access,
		"PUT /demo/documents/{document}/viewers/{who}":    b.share(true),
		"DELETE /demo/documents/{document}/viewers/{who}": b.share(false),
		"PUT /demo/documents/{document}/banned/{who}":     b.ban(true),
		"DELETE /demo/documents/{document}/banned/{who}":  b.ban(false),
		"PUT /demo/groups/{group}/members/{who}":          b.join(true),
		"DELETE /demo/groups/{group}/members/{who}":       b.join(false),
	} {
		mux.HandleFunc(pattern, b.answer(b.signedIn(do)))
	}
	if b.explainer != nil {
		mux.HandleFunc("GET /demo/documents/{document}/why", b.answer(b.signedIn(b.explain)))
	}
	mux.HandleFunc("/demo/", b.answer(func(context.Context, request) (any, error) {
		return nil, &problem{http.StatusNotFound, "not_found", "no such path, or no such method here"}
	}))
	// A session cookie comes with requests that other pages make, too.
	return http.NewCrossOriginProtection().Handler(mux)
}

// person returns who is known by a name.
func (b *Backend) person(name string) (demo.Person, error) {
	k := slices.IndexFunc(b.people, func(p demo.Person) bool { return p.Subject == name })
	if k < 0 {
		return demo.Person{}, invalid("there is no such person")
	}
	return b.people[k], nil
}
