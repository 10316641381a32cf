package electrictest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/integration/electrictest"
)

const benchRows = 10_000

// benchID is the UUID of row i.
func benchID(i int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", i) }

func benchServer(b *testing.B, rows int) *electrictest.Server {
	b.Helper()
	s := electrictest.New(electrictest.Options{})
	b.Cleanup(s.Close)
	if _, err := s.Exec(`create table docs(id uuid primary key, project text not null, title text, done bool not null default false, n int)`); err != nil {
		b.Fatal(err)
	}
	if _, err := s.Tx(func(tx *electrictest.Tx) error {
		for i := range rows {
			if err := tx.Insert("docs", map[string]any{
				"id": benchID(i), "project": "p" + fmt.Sprint(i%10), "title": "the title of a document", "n": i,
			}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	return s
}

// discard is a response writer that counts.
type discard struct {
	header http.Header
	n      int64
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(b []byte) (int, error) { d.n += int64(len(b)); return len(b), nil }
func (d *discard) Flush()                      {}

func serve(b *testing.B, s http.Handler, method, query, body string) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(method, "/v1/shape?"+query, strings.NewReader(body))
		w := &discard{header: http.Header{}}
		if s.ServeHTTP(w, r); w.status != http.StatusOK {
			b.Fatalf("status %d", w.status)
		}
		b.SetBytes(w.n)
	}
}

func BenchmarkSubsetOf10000Rows(b *testing.B) {
	serve(b, benchServer(b, benchRows), http.MethodPost, "table=docs&offset=now&log=changes_only", `{"where":"true"}`)
}

func BenchmarkSubsetByIDs(b *testing.B) {
	for _, n := range []int{100, 10_000, 200_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			ids := make([]string, n)
			for i := range ids {
				ids[i] = benchID(i)
			}
			body := `{"where":"\"id\" = ANY($1)","params":{"1":"{` + strings.Join(ids, ",") + `}"}}`
			serve(b, benchServer(b, benchRows), http.MethodPost, "table=docs&offset=now&log=changes_only", body)
		})
	}
}

func BenchmarkCatchUp(b *testing.B) {
	s := benchServer(b, benchRows)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/shape?table=docs&offset=now&log=changes_only", nil))
	if _, err := s.Exec(`update docs set done = true`); err != nil {
		b.Fatal(err)
	}
	serve(b, s, http.MethodGet, "table=docs&log=changes_only&offset=0_inf&handle="+w.Header().Get("Electric-Handle"), "")
}

func BenchmarkInsertInOneShape(b *testing.B) {
	s := benchServer(b, 0)
	s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/v1/shape?table=docs&offset=now&log=changes_only", nil))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, err := s.Tx(func(tx *electrictest.Tx) error {
			return tx.Insert("docs", map[string]any{"id": benchID(i), "project": "p", "n": i})
		}); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
