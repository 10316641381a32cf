package backend

import (
	"context"
	"errors"
	"time"
)

// Document is a row of the documents, as far as it is written here.
type Document struct {
	ID, ProjectID, Title, Body string
}

// Project is a row of the projects.
type Project struct {
	ID, Name string
}

// Rows keeps the documents, and the marks of those whose relationships are due. Standin
// and Postgres are two.
type Rows interface {
	// Projects returns the projects, by their names.
	Projects(ctx context.Context) ([]Project, error)

	// Document returns a row, or ErrNoRow.
	Document(ctx context.Context, id string) (Document, error)

	// Insert adds a row and marks it, in one transaction. Where the same person has added
	// the id before, it changes nothing, and returns the transaction of that time. Of
	// another row it is ErrTaken.
	Insert(ctx context.Context, person string, d Document) (txid int64, err error)

	// Edit changes a row's title and body, or is ErrNoRow. It marks nothing: no
	// relationship depends on them.
	Edit(ctx context.Context, id, title, body string) (txid int64, err error)

	// Move changes a row's project and marks the row, in one transaction. If the row is not
	// in from, it changes nothing, and is ErrMoved.
	Move(ctx context.Context, id, from, to string) (txid int64, err error)

	// Due returns the ids of rows that have been marked for at least so long.
	Due(ctx context.Context, age time.Duration) ([]string, error)

	// Settle calls do with a marked row as it is, and drops the mark if do returns nil.
	// Meanwhile nobody else settles or marks it. It does nothing if there is no mark.
	Settle(ctx context.Context, id string, do func(Document) error) error
}

// Errors of Rows that are the person's to know.
var (
	ErrNoRow = errors.New("there is no such document")
	ErrTaken = errors.New("a document with this id is there already")
	ErrMoved = errors.New("the document has been moved meanwhile")
)
