package electric_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/shapegate/shapegate/integration/electrictest"
	"github.com/shapegate/shapegate/proxy/electric"
)

const secret = "the-secret-of-the-sync-service"

// service is an Electric with a table, and a client of it.
func service(t *testing.T, configure func(*httptest.Server)) (*electrictest.Server, *electric.Client) {
	t.Helper()
	server := electrictest.New(electrictest.Options{Secret: secret})
	t.Cleanup(server.Close)
	if _, err := server.Exec(`create table docs(id int primary key, project text, title text); insert into docs values (1, 'p', 'a')`); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewUnstartedServer(server)
	if configure != nil {
		configure(web)
	}
	web.Start()
	t.Cleanup(web.Close)
	client, err := electric.NewClient(electric.Config{URL: web.URL, Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	return server, client
}

func docs() *electric.LogSpec {
	return &electric.LogSpec{Schema: "public", Table: "docs", Columns: []string{"id", "project"}}
}

// rows reads a subset to its end.
func rows(t *testing.T, c *electric.Client, s electric.Subset) (n int, err error) {
	resp, err := c.ReadSubset(t.Context(), docs(), s)
	if err != nil {
		return 0, err
	}
	defer resp.Close()
	for {
		if _, err := resp.Next(); errors.Is(err, io.EOF) {
			return n, nil
		} else if err != nil {
			return n, err
		}
		n++
	}
}

// Electric closes a connection after some requests, and a request that is on its way into
// it gets no answer. It is sent again: a reader never hears of it.
func TestARequestIntoAClosingConnectionIsSentAgain(t *testing.T) {
	for _, n := range []int{1, 3, 50} {
		t.Run(fmt.Sprint("after ", n), func(t *testing.T) {
			_, client := service(t, func(web *httptest.Server) { web.Config.ConnState = electrictest.CloseAfter(n) })
			long := `"project" <> '` + strings.Repeat("x", 4000) + `'`
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					for range 60 {
						if got, err := rows(t, client, electric.Subset{Where: long}); err != nil || got != 1 {
							t.Errorf("%d rows, %v", got, err)
							return
						}
						if _, err := client.Probe(t.Context(), docs()); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

func TestAShapeThatCannotBeServedSaysWhatIsWrong(t *testing.T) {
	_, client := service(t, nil)
	for _, tt := range []struct {
		name   string
		change func(*electric.LogSpec)
		reason string // begins with it; empty: it is the fault of a value
	}{
		{"no such table", func(s *electric.LogSpec) { s.Table = "doks" }, `table: Table "public"."doks" does not exist`},
		{"no such schema", func(s *electric.LogSpec) { s.Schema = "privat" }, `table: Table "privat"."docs" does not exist`},
		{"no such column", func(s *electric.LogSpec) { s.Columns = []string{"id", "projekt"} }, `queryable_columns: `},
		{"no primary key", func(s *electric.LogSpec) { s.Columns = []string{"project"} }, `queryable_columns: `},
		{"a where with a name that is not there", func(s *electric.LogSpec) { s.Where = `"hidden" = 'classified'` }, `where: `},
		{"a where that is no SQL", func(s *electric.LogSpec) { s.Where = `classified =` }, `where: `},
		{"a where that is too long", func(s *electric.LogSpec) { s.Where = `"title" = '` + strings.Repeat("classified", 1000) + `'` }, `where, columns: `},
		{"a value that is not of the column's type", func(s *electric.LogSpec) { s.Where, s.WhereParams = `"id" = $1`, []string{"classified"} }, ``},
	} {
		t.Run(tt.name, func(t *testing.T) {
			spec := docs()
			tt.change(spec)
			_, err := client.Probe(t.Context(), spec)
			var wrong *electric.MisconfiguredError
			if tt.reason == "" {
				if !errors.Is(err, electric.ErrRefused) || errors.As(err, &wrong) {
					t.Errorf("%v, want ErrRefused alone", err)
				}
				return
			}
			if !errors.As(err, &wrong) || !errors.Is(err, electric.ErrRefused) || !strings.HasPrefix(wrong.Reason, tt.reason) {
				t.Fatalf("%v, want a reason that begins with %q", err, tt.reason)
			}
			for _, hidden := range []string{"classified", secret, "http"} {
				if strings.Contains(err.Error(), hidden) {
					t.Errorf("the reason has %q: %v", hidden, err)
				}
			}
		})
	}
	schema, err := client.Probe(t.Context(), docs())
	if err != nil || len(schema.Columns) != 2 || !schema.InKey("id") {
		t.Errorf("%+v, %v", schema, err)
	}
}

// What a client asks of a subset is the client's fault, and not the shape's.
func TestARefusedSubsetWhereIsNotAFaultOfTheShape(t *testing.T) {
	_, client := service(t, nil)
	for _, s := range []electric.Subset{
		{Where: `"nope" = 1`},
		{Where: `"id" = ANY($1)`, Params: map[string]string{"1": "{x}"}},
		{Where: `"title" = 'a'`}, // not among the shape's columns
	} {
		_, err := rows(t, client, s)
		var wrong *electric.MisconfiguredError
		if !errors.Is(err, electric.ErrRefused) || errors.As(err, &wrong) {
			t.Errorf("%+v: %v, want ErrRefused alone", s, err)
		}
	}
}

// Electric's texts, as its source has them for what the stand-in does not imitate.
func TestARefusalIsReadAsElectricWordsIt(t *testing.T) {
	for body, want := range map[string]string{
		`{"message":"Invalid request","errors":{"columns":["The following columns are generated and cannot be included in the shape: hours"]}}`: `columns: The following columns are generated and cannot be included in the shape: hours`,
		`{"message":"Invalid request","errors":{"columns":"odd"}}`:                                                                              `columns: refused`,
		`{"message":"Invalid request","errors":{"table":["` + strings.Repeat("é", 1000) + `"]}}`:                                                `table: ` + strings.Repeat("é", 246) + `…`,
		`{"message":"Invalid request","errors":{"offset":["out of bounds for this shape"]}}`:                                                    ``,
		`{"error":"Invalid JSON in request body"}`:                                                                                              ``,
		`[]`: ``, ``: ``, `nope`: ``,
	} {
		server, client := service(t, nil)
		server.Intercept(func(*http.Request, []byte) error {
			return &electrictest.Fault{Status: http.StatusBadRequest, Body: body}
		})
		_, err := client.Probe(t.Context(), docs())
		var wrong *electric.MisconfiguredError
		switch {
		case !errors.Is(err, electric.ErrRefused), errors.As(err, &wrong) != (want != ""):
			t.Errorf("%s: %v", body, err)
		case wrong != nil && wrong.Reason != want:
			t.Errorf("%s: %q, want %q", body, wrong.Reason, want)
		}
	}
}
