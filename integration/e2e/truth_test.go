package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"

	authzedv1 "github.com/authzed/authzed-go/proto/authzed/api/v1"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/shapegate/shapegate/schema/demo"
)

// row is a row as Electric writes it: text, or null.
type row map[string]*string

func (r row) text(column string) string {
	if v := r[column]; v != nil {
		return *v
	}
	return ""
}

// check is a question to SpiceDB: may the person do this with that?
type check struct{ resource, permission string }

// rule is a shape of schema/shapes.yaml or of tasks.yaml, said a second time: by row, as one would
// check it by hand, where the proxy works with sets of ids.
type rule struct {
	table   string
	columns []string
	where   func(r row, project string) bool
	gate    func(project string) check
	all     check           // holders see every row
	each    func(row) check // who sees this row
}

var rules = map[string]rule{
	"documents": {
		table:   "documents",
		columns: []string{"id", "project_id", "title", "body", "tags", "updated_at"},
		where:   func(r row, _ string) bool { return r.text("archived") == "false" },
		gate:    func(string) check { return check{"workspace:main", "sync"} },
		all:     check{"workspace:main", "administer"},
		each:    func(r row) check { return check{"document:" + r.text("id"), "view"} },
	},
	"project_documents": {
		table:   "documents",
		columns: []string{"id", "project_id", "title", "tags", "updated_at"},
		where: func(r row, project string) bool {
			return r.text("project_id") == project && r.text("archived") == "false"
		},
		gate: func(project string) check { return check{"project:" + project, "view_all"} },
	},
	"projects": {
		table:   "projects",
		columns: []string{"id", "name", "updated_at"},
		each:    func(r row) check { return check{"project:" + r.text("id"), "view"} },
	},
	"project_feed": {
		table:   "documents",
		columns: []string{"id", "project_id", "title", "updated_at"},
		where:   func(r row, _ string) bool { return r.text("archived") == "false" },
		each:    func(r row) check { return check{"project:" + r.text("project_id"), "view_all"} },
	},
	"tasks": {
		table:   "tasks",
		columns: []string{"id", "document_id", "title", "note", "done", "points", "big", "cost", "ratio", "due", "starts", "updated_at", "tags"},
		each:    func(r row) check { return check{"document:" + r.text("document_id"), "view"} },
	},
	"salaries": {
		table:   "salaries",
		columns: []string{"id", "person", "amount", "currency"},
		each:    func(r row) check { return check{"salary:" + r.text("id"), "view"} },
	},
}

// checks lists what has to be asked about one person for this shape.
func (r rule) checks(rows []row, project string) []check {
	var all []check
	if r.gate != nil {
		all = append(all, r.gate(project))
	}
	if r.all != (check{}) {
		all = append(all, r.all)
	}
	for _, row := range rows {
		if r.each != nil {
			all = append(all, r.each(row))
		}
	}
	return all
}

// granted returns the ids of the rows on which a person holds the permission,
// whether or not the shape has them. That a row went which is not there may be
// sent: its id is no secret to a person who was granted it.
func (r rule) granted(rows []row, holds map[check]bool) []row {
	ids := []row{}
	for _, row := range rows {
		if r.each != nil && holds[r.each(row)] && r.each(row).names(row) {
			ids = append(ids, map[string]*string{"id": row["id"]})
		}
	}
	return ids
}

// names reports whether the object of a check is the row itself.
func (c check) names(r row) bool { return strings.HasSuffix(c.resource, ":"+r.text("id")) }

// permitted returns the rows that a person for whom these checks hold may see.
func (r rule) permitted(rows []row, project string, holds map[check]bool) []row {
	seen := []row{}
	if r.gate != nil && !holds[r.gate(project)] {
		return seen
	}
	for _, row := range rows {
		if r.where != nil && !r.where(row, project) {
			continue
		}
		if r.each != nil && !holds[r.each(row)] && !holds[r.all] {
			continue
		}
		cut := make(map[string]*string, len(r.columns))
		for _, c := range r.columns {
			cut[c] = row[c]
		}
		seen = append(seen, cut)
	}
	return seen
}

// view is what a reader looks at: a shape, with its param where it has one, or a collection of
// grants.
type view struct{ shape, project string }

func (w *world) views() []view {
	all := []view{}
	for shape := range rules {
		if shape != "project_documents" {
			all = append(all, view{shape: shape})
		}
	}
	for _, project := range []string{"atlas", "borealis", "comet"} {
		all = append(all, view{"project_documents", project})
	}
	for name := range collections {
		all = append(all, view{shape: name})
	}
	return all
}

// permitted asks what a person may see now of each view and, if wanted, which ids
// it was granted besides.
func (w *world) permitted(ctx context.Context, person demo.Person, views []view, withGranted bool) (map[view][]row, error) {
	tables := make(map[string][]row)
	var questions []check
	for _, v := range views {
		if c, ok := collections[v.shape]; ok {
			questions = append(questions, c.checks()...)
			continue
		}
		r, ok := rules[v.shape]
		if !ok {
			return nil, fmt.Errorf("no rule for shape %q", v.shape)
		}
		if tables[r.table] == nil {
			rows, err := w.readTable(ctx, r.table)
			if err != nil {
				return nil, err
			}
			tables[r.table] = rows
		}
		questions = append(questions, r.checks(tables[r.table], v.project)...)
	}
	holds, err := w.ask(ctx, person, questions)
	if err != nil {
		return nil, err
	}
	seen := make(map[view][]row, len(views))
	for _, v := range views {
		if c, ok := collections[v.shape]; ok {
			seen[v] = c.permitted(holds)
			continue
		}
		r := rules[v.shape]
		seen[v] = r.permitted(tables[r.table], v.project, holds)
		if withGranted {
			seen[v] = append(seen[v], r.granted(tables[r.table], holds)...)
		}
	}
	return seen, nil
}

// ask asks SpiceDB itself, by the connection that no pause affects.
func (w *world) ask(ctx context.Context, person demo.Person, questions []check) (map[check]bool, error) {
	caveatContext, err := structpb.NewStruct(person.Claims)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(questions, func(a, b check) int {
		return strings.Compare(a.resource+"#"+a.permission, b.resource+"#"+b.permission)
	})
	questions = slices.Compact(questions)
	req := &authzedv1.CheckBulkPermissionsRequest{
		Consistency: &authzedv1.Consistency{Requirement: &authzedv1.Consistency_FullyConsistent{FullyConsistent: true}},
	}
	for _, q := range questions {
		typ, id, _ := strings.Cut(q.resource, ":")
		req.Items = append(req.Items, &authzedv1.CheckBulkPermissionsRequestItem{
			Resource:   &authzedv1.ObjectReference{ObjectType: typ, ObjectId: id},
			Permission: q.permission,
			Subject:    &authzedv1.SubjectReference{Object: &authzedv1.ObjectReference{ObjectType: "user", ObjectId: person.Subject}},
			Context:    caveatContext,
		})
	}
	resp, err := authzedv1.NewPermissionsServiceClient(w.spice.Conn()).CheckBulkPermissions(ctx, req)
	if err != nil {
		return nil, err
	}
	holds := make(map[check]bool, len(questions))
	for i, pair := range resp.GetPairs() {
		if pair.GetError() != nil {
			return nil, fmt.Errorf("check %v: %s", questions[i], pair.GetError().GetMessage())
		}
		holds[questions[i]] = pair.GetItem().GetPermissionship() == authzedv1.CheckPermissionResponse_PERMISSIONSHIP_HAS_PERMISSION
	}
	return holds, nil
}

// readTable reads a whole table from the stand-in: a subset of everything.
func (w *world) readTable(ctx context.Context, table string) ([]row, error) {
	query := url.Values{"table": {table}, "offset": {"now"}, "log": {"changes_only"}, "secret": {electricSecret}}
	req := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/shape?"+query.Encode(), strings.NewReader(`{"where": "true = true"}`))
	req.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	w.tables.ServeHTTP(rec, req)
	if rec.Code != http.StatusOK {
		return nil, fmt.Errorf("read %s: %d %s", table, rec.Code, rec.Body)
	}
	var subset struct {
		Data []struct {
			Value row `json:"value"`
		} `json:"data"`
	}
	if err := json.NewDecoder(bytes.NewReader(rec.Body.Bytes())).Decode(&subset); err != nil {
		return nil, err
	}
	rows := make([]row, len(subset.Data))
	for i, m := range subset.Data {
		rows[i] = m.Value
	}
	return rows, nil
}

// personNamed finds a person, and viewOf what a request asks about.
func personNamed(name string) (demo.Person, error) {
	for _, p := range people() {
		if p.Subject == name {
			return p, nil
		}
	}
	return demo.Person{}, fmt.Errorf("no person %q", name)
}

func viewOf(r *http.Request) view {
	q := r.URL.Query()
	return view{q.Get("shape"), q.Get("project")}
}

// truth answers with the rows of ?shape= that ?person= may see now.
func (w *world) truth(r *http.Request) (any, error) {
	person, err := personNamed(r.URL.Query().Get("person"))
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	v := viewOf(r)
	seen, err := w.permitted(r.Context(), person, []view{v}, false)
	return seen[v], err
}

// cells are the values that rows ever had: id, column, values.
type cells map[string]map[string][]*string

// everSeen is what each person was ever permitted to see of each view.
type everSeen map[string]map[view]cells

// remember adds what everybody may see now. It is called after each change.
func (w *world) remember(ctx context.Context) error {
	views := w.views()
	for _, person := range people() {
		now, err := w.permitted(ctx, person, views, true)
		if err != nil {
			return err
		}
		if w.ever[person.Subject] == nil {
			w.ever[person.Subject] = make(map[view]cells)
		}
		for v, rows := range now {
			c := w.ever[person.Subject][v]
			if c == nil {
				c = make(cells)
				w.ever[person.Subject][v] = c
			}
			for _, r := range rows {
				c.add(r)
			}
		}
	}
	return nil
}

func (c cells) add(r row) {
	id := r.text("id")
	if c[id] == nil {
		c[id] = make(map[string][]*string)
	}
	for column, value := range r {
		same := func(other *string) bool {
			return (value == nil) == (other == nil) && (value == nil || *value == *other)
		}
		if !slices.ContainsFunc(c[id][column], same) {
			c[id][column] = append(c[id][column], value)
		}
	}
}

// everPermitted answers with all that ?person= was ever permitted to see of
// ?shape=, up to now.
func (w *world) everPermitted(r *http.Request) (any, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.ever[r.URL.Query().Get("person")][viewOf(r)]
	if c == nil {
		c = cells{}
	}
	return c, nil
}
