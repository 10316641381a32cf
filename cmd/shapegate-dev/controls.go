package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"

	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/cmd/internal/plural"
	"github.com/shapegate/shapegate/integration/electrictest"
)

// controls let a user of this machine change the world with curl: its relationships,
// and the stand-in's rows.
type controls struct {
	admin *spicedb.Client
	table *electrictest.Server // nil with a real Electric
}

func (c controls) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /relationships", control(c.relate(spicedb.Touch)))
	mux.HandleFunc("DELETE /relationships", control(c.relate(spicedb.Delete)))
	mux.HandleFunc("POST /sql", control(c.exec))
	return mux
}

// control reads a body, and answers with what do says of it.
func control(do func(r *http.Request, body string) (string, error)) http.HandlerFunc {
	const most = 1 << 20
	return func(rw http.ResponseWriter, r *http.Request) {
		// A page in a browser can send here, too; curl has no origin.
		if r.Header.Get("Origin") != "" {
			http.Error(rw, "not from a web page", http.StatusForbidden)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, most))
		if err == nil {
			var answer string
			if answer, err = do(r, string(body)); err == nil {
				_, _ = fmt.Fprintln(rw, answer)
				return
			}
		}
		http.Error(rw, err.Error(), http.StatusBadRequest)
	}
}

// relate writes or deletes relationships, one per line.
func (c controls) relate(op spicedb.Operation) func(*http.Request, string) (string, error) {
	return func(r *http.Request, body string) (string, error) {
		lines, err := spicedb.ParseLines("line", body)
		if err != nil {
			return "", err
		}
		token, err := write(r.Context(), c.admin, op, lines)
		if err != nil {
			return "", errors.New(spicedb.Explain(err))
		}
		return "written at " + token, nil
	}
}

// write writes or deletes relationships, and returns the ZedToken of that.
func write(ctx context.Context, admin *spicedb.Client, op spicedb.Operation, lines []spicedb.Line) (zedToken string, err error) {
	updates := make([]spicedb.Update, len(lines))
	for i, line := range lines {
		updates[i] = spicedb.Update{Operation: op, Relationship: line.Relationship}
	}
	return admin.WriteRelationships(ctx, updates...)
}

var errRealElectric = errors.New("the rows are in your own database: change them there")

// exec runs SQL on the stand-in. A SELECT shows its rows.
func (c controls) exec(_ *http.Request, body string) (string, error) {
	if c.table == nil {
		return "", errRealElectric
	}
	sql := strings.TrimSpace(body)
	if len(sql) >= 6 && strings.EqualFold(sql[:6], "select") {
		columns, rows, err := c.table.Query(sql)
		return tableOf(columns, rows), err
	}
	txid, err := c.table.Exec(sql)
	return fmt.Sprintf("committed as %d", txid), err
}

// tableOf lays rows out below the names of their columns.
func tableOf(columns []string, rows [][]*string) string {
	var text strings.Builder
	out := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, strings.Join(columns, "\t"))
	for _, row := range rows {
		values := make([]string, len(row))
		for i, value := range row {
			values[i] = "NULL"
			if value != nil {
				values[i] = *value
			}
		}
		fmt.Fprintln(out, strings.Join(values, "\t"))
	}
	_ = out.Flush()
	return fmt.Sprintf("%s(%s)", text.String(), plural.Count(len(rows), "row"))
}
