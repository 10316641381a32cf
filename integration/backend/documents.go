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

// create adds a document. The browser has made its id, so that the same request can be
// sent again.
func (b *Backend) create(ctx context.Context, r request) (any, error) {
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
	if err := b.knownProject(ctx, in.ProjectID); err != nil {
		return nil, err
	}
	if err := b.allowed(ctx, r, mayRead, "only who sees a project may add to it", project(in.ProjectID)); err != nil {
		return nil, err
	}
	txid, err := b.rows.Insert(ctx, r.person, Document{ID: id, ProjectID: in.ProjectID, Title: in.Title, Body: in.Body})
	if err != nil {
		return nil, err
	}
	return b.second(ctx, id, txid), nil
}

// second does the second of two writes. The first is done, so this is no error any more:
// where the second fails, the person is told that it will follow.
func (b *Backend) second(ctx context.Context, id string, txid int64) change {
	// The browser may have gone. What was begun is finished.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	w, err := b.settle(ctx, id)
	if err != nil {
		b.log.Warn("a document's relationships are due", "document", id, "cause", err)
	}
	return change{TxID: txid, Pending: err != nil, written: w}
}

// edit changes what a document says.
func (b *Backend) edit(ctx context.Context, r request) (any, error) {
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
	if err := b.allowed(ctx, r, mayRead, "only who sees a document may edit it", document(id)); err != nil {
		return nil, err
	}
	txid, err := b.rows.Edit(ctx, id, in.Title, in.Body)
	return change{TxID: txid}, err
}

// move puts a document into another project. Who moves it manages both.
func (b *Backend) move(ctx context.Context, r request) (any, error) {
	var in struct {
		ProjectID string `json:"project_id"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	if err := b.knownProject(ctx, in.ProjectID); err != nil {
		return nil, err
	}
	d, err := b.managed(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := b.allowed(ctx, r, mayManage, notYours, project(in.ProjectID)); err != nil {
		return nil, err
	}
	if d.ProjectID == in.ProjectID { // a request that is sent again: the row is moved already
		return b.second(ctx, d.ID, 0), nil
	}
	txid, err := b.rows.Move(ctx, d.ID, d.ProjectID, in.ProjectID)
	if err != nil {
		return nil, err
	}
	return b.second(ctx, d.ID, txid), nil
}

// managed returns the request's document, if the person manages its project. That a
// document is not there is told to nobody who could not manage it.
func (b *Backend) managed(ctx context.Context, r request) (Document, error) {
	id, err := documentID(r)
	if err != nil {
		return Document{}, err
	}
	d, err := b.rows.Document(ctx, id)
	if errors.Is(err, ErrNoRow) {
		return d, forbidden(notYours)
	}
	if err != nil {
		return d, err
	}
	return d, b.allowed(ctx, r, mayManage, notYours, project(d.ProjectID))
}

func (b *Backend) knownProject(ctx context.Context, id string) error {
	projects, err := b.rows.Projects(ctx)
	if err != nil {
		return err
	}
	for _, p := range projects {
		if p == id {
			return nil
		}
	}
	return invalid("there is no such project")
}
