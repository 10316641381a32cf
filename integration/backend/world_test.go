package backend

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/authz/session"
	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/integration/electrictest"
	"github.com/shapegate/shapegate/integration/spicedbtest"
	"github.com/shapegate/shapegate/schema/demo"
)

// Documents of the demo, and ids of new ones.
const (
	charter = demo.SharedLater                       // of atlas
	plan    = "d0c00000-0000-4000-8000-000000000004" // of borealis, and shared with alice to read
	review  = "d0c00000-0000-4000-8000-000000000005" // of borealis, from which bob is banned
	pitch   = "d0c00000-0000-4000-8000-000000000007" // of comet, which alice leads
	fresh1  = "d0c00000-0000-4000-8000-000000000101"
)

var secret = []byte("the secret of the backend's tests, of nothing else")

// world is a backend, with the real SpiceDB engine and rows of one kind.
type world struct {
	*Backend
	t             *testing.T
	config        Config
	rows          *failing
	relationships *replaced
	spice         *spicedbtest.Server
	client        *spicedb.Client
	sessions      *session.Manager
}

// replaced are the relationships that a test puts in place of SpiceDB's.
type replaced struct{ Relationships }

// failing are rows that fail where a test says so.
type failing struct {
	Rows
	insert, move, edit, drop error // drop: after the mark's work was done
}

func (f *failing) Insert(ctx context.Context, person string, d Document) (int64, error) {
	if f.insert != nil {
		return 0, f.insert
	}
	return f.Rows.Insert(ctx, person, d)
}

func (f *failing) Move(ctx context.Context, id, from, to string) (int64, error) {
	if f.move != nil {
		return 0, f.move
	}
	return f.Rows.Move(ctx, id, from, to)
}

func (f *failing) Edit(ctx context.Context, id, title, body string) (int64, error) {
	if f.edit != nil {
		return 0, f.edit
	}
	return f.Rows.Edit(ctx, id, title, body)
}

func (f *failing) Settle(ctx context.Context, id string, do func(Document) error) error {
	return f.Rows.Settle(ctx, id, func(d Document) error { return errors.Join(do(d), f.drop) })
}

var errDown = errors.New("the database is down")

// onEachKindOfRows runs a test with the stand-in's rows, and with those of a real Postgres.
func onEachKindOfRows(t *testing.T, test func(*testing.T, *world)) {
	t.Run("stand-in", func(t *testing.T) {
		tables := electrictest.New(electrictest.Options{})
		t.Cleanup(tables.Close)
		if _, err := tables.Exec(demo.SQL); err != nil {
			t.Fatal(err)
		}
		test(t, newWorld(t, NewStandin(tables), nil))
	})
	t.Run("Postgres", func(t *testing.T) { test(t, newWorld(t, realRows(t), nil)) })
}

// newWorld makes a world. explainer may be nil.
func newWorld(t *testing.T, rows Rows, explainer func(*spicedb.Client) Explainer) *world {
	t.Helper()
	w := &world{t: t, rows: &failing{Rows: rows}}
	w.spice = spicedbtest.Start(t, spicedbtest.Config{Schema: demo.Schema, Relationships: demo.RelationshipLines()})
	var err error
	w.client, err = spicedb.Dial(spicedb.Config{
		Endpoint: "in-process", Token: w.spice.Token(), Insecure: true, Dialer: w.spice.DialContext, Logger: slog.New(slog.DiscardHandler),
	})
	w.check(err)
	t.Cleanup(func() { _ = w.client.Close() })
	tokens, err := identity.New(t.Context(), identity.Config{Secret: secret})
	w.check(err)
	redis, err := session.Dial(session.RedisConfig{URL: "redis://" + miniredis.RunT(t).Addr()})
	w.check(err)
	t.Cleanup(func() { _ = redis.Close() })
	w.sessions = session.NewManager(session.NewRedis(redis, ""), 0)
	var explains Explainer
	if explainer != nil {
		explains = explainer(w.client)
	}
	w.relationships = &replaced{w.client}
	w.config = Config{
		Explainer: explains,
		Rows:      w.rows, Relationships: w.relationships, People: append(demo.People(), demo.Person{Subject: "mallory"}), Secret: secret,
		Identify: Identify(tokens, w.sessions), Logger: slog.New(slog.DiscardHandler),
	}
	w.Backend, err = New(w.config)
	w.check(err)
	return w
}

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// token signs a person in.
func (w *world) token(person string) string {
	w.t.Helper()
	a := w.send("", http.MethodPost, "/demo/token", map[string]string{"person": person}).is(http.StatusOK)
	return a.field("token").(string)
}

// as sends a request with a JWT.
func (w *world) as(person, method, path string, body any) answer {
	w.t.Helper()
	return w.send("Bearer "+w.token(person), method, path, body)
}

func (w *world) send(authorization, method, path string, body any, headers ...string) answer {
	w.t.Helper()
	text, err := json.Marshal(body)
	w.check(err)
	r := httptest.NewRequestWithContext(w.t.Context(), method, path, bytes.NewReader(text))
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, r)
	return answer{w.t, rec.Code, rec.Body.String()}
}

type answer struct {
	t      *testing.T
	status int
	body   string
}

func (a answer) is(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%d %s, want %d", a.status, a.body, status)
	}
	return a
}

func (a answer) field(name string) any {
	a.t.Helper()
	var all map[string]any
	if err := json.Unmarshal([]byte(a.body), &all); err != nil {
		a.t.Fatalf("%v: %s", err, a.body)
	}
	return all[name]
}

// mayView asks SpiceDB.
func (w *world) mayView(person, id string) bool {
	w.t.Helper()
	held, err := w.client.CheckPermission(w.t.Context(), authz.Subject{ObjectRef: user(person)}, document(id), mayRead, nil)
	w.check(err)
	return held
}

// of returns a document's relationships.
func (w *world) of(id string) []string {
	w.t.Helper()
	found, err := w.settler.relations.read(w.t.Context(), spicedb.RelationshipFilter{ResourceType: "document", ResourceID: id})
	w.check(err)
	var all []string
	for _, r := range found {
		all = append(all, r.String())
	}
	slices.Sort(all)
	return all
}

// placed fails unless the row and the relationships of a document say the same project.
func (w *world) placed(id, project string) {
	w.t.Helper()
	d, err := w.rows.Document(w.t.Context(), id)
	w.check(err)
	var in []string
	for _, r := range w.of(id) {
		if rest, ok := strings.CutPrefix(r, "document:"+id+"#project@project:"); ok {
			in = append(in, rest)
		}
	}
	if d.ProjectID != project || !slices.Equal(in, []string{project}) {
		w.t.Errorf("the row is in %s, the relationships say %v, want %s", d.ProjectID, in, project)
	}
}

func (w *world) due() []string {
	w.t.Helper()
	due, err := w.rows.Due(w.t.Context(), 0)
	w.check(err)
	return due
}

func path(id string) string { return "/demo/documents/" + id }

func newDocument(project string) map[string]string {
	return map[string]string{"project_id": project, "title": "New", "body": "Of today."}
}
