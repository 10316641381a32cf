package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/shapegate/shapegate/authz/spicedb"
)

// serveControls lets somebody at this machine change the world with curl: its
// relationships, and the stand-in's rows.
func (w *world) serveControls() <-chan error {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /relationships", w.control(w.relate(spicedb.Touch)))
	mux.HandleFunc("DELETE /relationships", w.control(w.relate(spicedb.Delete)))
	mux.HandleFunc("POST /sql", w.control(w.exec))
	return w.serve(&http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}, w.controlListener)
}

// control reads a body, and answers with what do says of it.
func (w *world) control(do func(r *http.Request, body string) (string, error)) http.HandlerFunc {
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
func (w *world) relate(op spicedb.Operation) func(*http.Request, string) (string, error) {
	return func(r *http.Request, body string) (string, error) {
		token, err := w.write(r.Context(), op, strings.Split(strings.TrimSpace(body), "\n"))
		return "written at " + token, err
	}
}

func (w *world) write(ctx context.Context, op spicedb.Operation, relationships []string) (zedToken string, err error) {
	updates := make([]spicedb.Update, len(relationships))
	for i, text := range relationships {
		updates[i].Operation = op
		if updates[i].Relationship, err = spicedb.ParseRelationship(text); err != nil {
			return "", err
		}
	}
	return w.admin.WriteRelationships(ctx, updates...)
}

var errRealElectric = errors.New("the rows are in your own database: change them there")

func (w *world) exec(_ *http.Request, body string) (string, error) {
	if w.table == nil {
		return "", errRealElectric
	}
	txid, err := w.table.Exec(strings.TrimSpace(body))
	return fmt.Sprintf("committed as %d", txid), err
}
