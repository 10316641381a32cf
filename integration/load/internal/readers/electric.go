package readers

import (
	"context"
	"net/url"
	"strings"

	"github.com/shapegate/shapegate/integration/load/internal/child"
	"github.com/shapegate/shapegate/integration/load/internal/world"
)

// electric is the Electric behind shapegate. It is nil where none was named: then
// nothing is compared with it.
type electric struct {
	base    *url.URL
	secret  string // empty: it asks for none
	control string // of the tool's own stand-in; empty: it runs elsewhere
}

// direct is the same table at Electric, asked for without shapegate, at a base that
// is Electric's or a relay's.
func (e *electric) direct(base *url.URL) *url.URL {
	u := *base
	u.Path = strings.TrimSuffix(u.Path, "/") + "/v1/shape"
	u.RawQuery = world.DirectQuery
	if e.secret != "" {
		u.RawQuery += "&secret=" + url.QueryEscape(e.secret)
	}
	return &u
}

// counts reports whether it is known what Electric is asked.
func (e *electric) counts() bool { return e != nil && e.control != "" }

// asked is what Electric was asked so far; zero where that is not known.
func (e *electric) asked(ctx context.Context) (u child.Upstream, err error) {
	if !e.counts() {
		return u, nil
	}
	return u, child.Get(ctx, e.control+"/upstream", &u)
}
