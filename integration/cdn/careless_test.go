package cdn_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shapegate/shapegate/authz/spicedb"
)

// ignoring makes nginx keep every answer for ten minutes, whatever the answers say in some of
// their headers. It is what nobody should write: CACHING.md says what it costs.
func ignoring(headers string) []string {
	return []string{"proxy_cache site;", "proxy_cache site; proxy_cache_valid any 10m; proxy_ignore_headers " + headers + ";"}
}

// Where Cache-Control is ignored, Vary still keeps people apart. But who has signed out, or has
// lost a permission, is answered as before.
func TestACacheThatIgnoresCacheControlKeepsPeopleApartAndNoMore(t *testing.T) {
	w := newWorld(t)
	f := w.nginx(ignoring("Cache-Control Set-Cookie")...)
	alice, bob, cookie := bearer(t, "alice"), bearer(t, "bob"), f.sessionCookie("bob")
	for range 2 {
		for name, who := range map[string]credentials{"alice": alice, "bob": bob, "bob's session": cookie, "nobody": nobody} {
			got, want := f.ask(who, theURL), w.direct().ask(who, theURL)
			if got.status != want.status || !cmp.Equal(got.titles(), want.titles()) {
				t.Errorf("%s: %d %q, and shapegate itself answers %d %q", name, got.status, got.titles(), want.status, want.titles())
			}
		}
	}
	before := f.ask(bob, theURL).titles()
	f.ask(cookie, "DELETE /v1/session").is(http.StatusNoContent)
	revoked := w.write(spicedb.Delete, bobsProject)
	w.direct().ask(cookie, theURL).is(http.StatusUnauthorized)
	if got := w.direct().ask(bob, theURL, freshness, revoked).titles(); len(got) > 0 {
		t.Errorf("shapegate itself still shows bob %q", got)
	}
	for name, who := range map[string]credentials{"after the revocation": bob, "after signing out": cookie} {
		if got := f.ask(who, theURL); !got.fromCache() || !slices.Equal(got.titles(), before) {
			t.Errorf("%s the cache answered %d %q: CACHING.md says that it still has what was there", name, got.status, got.titles())
		}
	}
}

// Where Vary is ignored, too, everybody has what the first one was answered.
func TestACacheThatIgnoresVaryGivesEverythingAway(t *testing.T) {
	w := newWorld(t)
	f := w.nginx(ignoring("Cache-Control Set-Cookie Vary")...)
	alice := f.ask(bearer(t, "alice"), theURL).is(http.StatusOK)
	for name, who := range map[string]credentials{"bob": bearer(t, "bob"), "nobody": nobody} {
		if got := f.ask(who, theURL); got.body != alice.body {
			t.Errorf("%s was answered %d: CACHING.md says that this gives alice's rows away", name, got.status)
		}
	}
}
