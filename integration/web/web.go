// Package web has the demo app's page: React and TanStack DB over the shapes of a
// shapegate, with package backend behind it. Its sources are in src, and what is built of
// them in dist, so that no reader of this repository needs Node to see it:
//
//	npm ci && npm run build
//
// src/collections.ts is what an application copies.
package web

import (
	"embed"
	"io/fs"
	"net/http"
	"strings"
)

//go:embed all:dist
var files embed.FS

// policy lets the page load and ask its own origin alone.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Handler serves the page's files. Other paths are passed on to next.
func Handler(next http.Handler) http.Handler {
	dist, err := fs.Sub(files, "dist")
	if err != nil {
		panic(err) // the name is a constant
	}
	page := http.FileServerFS(dist)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/")
		if name != "" {
			if info, err := fs.Stat(dist, name); err != nil || info.IsDir() {
				next.ServeHTTP(w, r)
				return
			}
		}
		head := w.Header()
		head.Set("Content-Security-Policy", policy)
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("Referrer-Policy", "no-referrer")
		head.Set("Cache-Control", "no-cache")
		if strings.HasPrefix(name, "assets/") {
			head.Set("Cache-Control", "public, max-age=31536000, immutable") // their names change with them
		}
		page.ServeHTTP(w, r)
	})
}
