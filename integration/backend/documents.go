package backend

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"unicode/utf8"
)

// change is the answer to a write.
type change struct {
	TxID    int64 `json:"txid,omitempty"`    // of the row
	Pending bool  `json:"pending,omitempty"` // the row is written, and its relationships are due
	written
}

// SpiceDB compares ids as text, and Postgres prints a UUID in lower case.
var uuid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func documentID(r request) (string, error) {
	id := r.PathValue("document")
	if !uuid.MatchString(id) {
		return "", invalid("a document's id is a UUID in lower case")
	}
	return id, nil
}

// text is what a person writes.
type text struct {
	Title string `json:"title"`
	Body  string `json:"body"`
}

const (
	maxTitle = 200
	maxText  = 10_000
)

func (t *text) check() error {
	t.Title = strings.TrimSpace(t.Title)
	switch {
	case t.Title == "":
		return invalid("a document needs a title")
	case utf8.RuneCountInString(t.Title) > maxTitle, utf8.RuneCountInString(t.Body) > maxText:
		return invalid("this is too long")
	case strings.ContainsRune(t.Title+t.Body, 0):
		return invalid("Postgres takes no NUL in a text")
	}
	return nil
}

// documents writes the rows of documents, for those who may.
type documents struct {
	rows        Rows
	permissions *permissions
	settler     *settler
}

// create adds a document. The browser has made its id, so that the same request can be
// sent again.
func (d *documents) create(ctx context.Context, r request) (any, error) {
	id, err := documentID(r)
	if err != nil {
		return nil, err
	}
	var in struct {
		ProjectID string `json:"project_id"`
		text
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	if err := d.knownProject(ctx, in.ProjectID); err != nil {
		return nil, err
	}
	if err := d.permissions.allowed(ctx, r, mayRead, "only who sees a project may add to it", project(in.ProjectID)); err != nil {
		return nil, err
	}
	txid, err := d.rows.Insert(ctx, r.person, Document{ID: id, ProjectID: in.ProjectID, Title: in.Title, Body: in.Body})
	if err != nil {
		return nil, err
	}
	return d.settler.second(ctx, id, txid), nil
}

// edit changes what a document says.
func (d *documents) edit(ctx context.Context, r request) (any, error) {
	id, err := documentID(r)
	if err != nil {
		return nil, err
	}
	var in text
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	// Asked before it is known whether the document exists: both are a denial.
	if err := d.permissions.allowed(ctx, r, mayEdit, "this document may be read, and not edited", document(id)); err != nil {
		return nil, err
	}
	txid, err := d.rows.Edit(ctx, id, in.Title, in.Body)
	return change{TxID: txid}, err
}

// move puts a document into another project. Who moves it manages both.
func (d *documents) move(ctx context.Context, r request) (any, error) {
	var in struct {
		ProjectID string `json:"project_id"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	if err := d.knownProject(ctx, in.ProjectID); err != nil {
		return nil, err
	}
	doc, err := d.managed(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := d.permissions.allowed(ctx, r, mayManage, notYours, project(in.ProjectID)); err != nil {
		return nil, err
	}
	if doc.ProjectID == in.ProjectID { // a request that is sent again: the row is moved already
		return d.settler.second(ctx, doc.ID, 0), nil
	}
	txid, err := d.rows.Move(ctx, doc.ID, doc.ProjectID, in.ProjectID)
	if err != nil {
		return nil, err
	}
	return d.settler.second(ctx, doc.ID, txid), nil
}

// managed returns the request's document, if the person manages its project. That a
// document is not there is told to nobody who could not manage it.
func (d *documents) managed(ctx context.Context, r request) (Document, error) {
	id, err := documentID(r)
	if err != nil {
		return Document{}, err
	}
	doc, err := d.rows.Document(ctx, id)
	if errors.Is(err, ErrNoRow) {
		return doc, forbidden(notYours)
	}
	if err != nil {
		return doc, err
	}
	return doc, d.permissions.allowed(ctx, r, mayManage, notYours, project(doc.ProjectID))
}

func (d *documents) knownProject(ctx context.Context, id string) error {
	projects, err := d.rows.Projects(ctx)
	if err != nil {
		return err
	}
	for _, p := range projects {
		if p.ID == id {
			return nil
		}
	}
	return invalid("there is no such project")
}
