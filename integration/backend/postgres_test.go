package backend

import (
	"bytes"
	"os"
	"testing"

	"github.com/shapegate/shapegate/integration/postgrestest"
)

// postgres is the server of all tests, which have a database each.
var postgres *postgrestest.Server

func TestMain(m *testing.M) {
	code := m.Run()
	if postgres != nil {
		postgres.Stop()
	}
	os.Exit(code)
}

// realRows returns the demo's rows in a real database of their own.
func realRows(t *testing.T) *Postgres {
	t.Helper()
	if postgres == nil {
		postgres = postgrestest.Start(t)
	}
	p, err := OpenPostgres(t.Context(), postgres.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// What is there stays, at a second start.
func TestOpeningPostgresAgainKeepsItsRows(t *testing.T) {
	p := realRows(t)
	if _, err := p.Edit(t.Context(), charter, "Kept", ""); err != nil {
		t.Fatal(err)
	}
	if err := p.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d, err := p.Document(t.Context(), charter); err != nil || d.Title != "Kept" {
		t.Errorf("%+v, %v", d, err)
	}
}

// The txid is the one that a shape's log has of the row, which is its xmin.
func TestATxidOfPostgresIsThatOfTheRow(t *testing.T) {
	p := realRows(t)
	txid, err := p.Edit(t.Context(), charter, "Edited", "")
	if err != nil {
		t.Fatal(err)
	}
	var xmin int64
	if err := p.pool.QueryRow(t.Context(), "SELECT xmin::text::int8 FROM documents WHERE id = $1", charter).Scan(&xmin); err != nil || xmin != txid {
		t.Errorf("txid %d, xmin %d, %v", txid, xmin, err)
	}
}

func TestAnUnusableDatabaseURLIsNotQuoted(t *testing.T) {
	_, err := OpenPostgres(t.Context(), "postgres://user:hunter2@host:notaport/x")
	if err == nil || bytes.Contains([]byte(err.Error()), []byte("hunter2")) {
		t.Errorf("%v", err)
	}
}
