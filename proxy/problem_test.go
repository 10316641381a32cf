package proxy

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/shapegate/shapegate/authz"
)

func TestEachKindOfFailureHasItsAnswer(t *testing.T) {
	for _, tt := range []struct {
		err    error
		status int
		kind   kind
		field  string
	}{
		{authz.E(authz.Unauthenticated, "x", nil), http.StatusUnauthorized, unauthenticated, ""},
		{authz.E(authz.Denied, "x", nil), http.StatusForbidden, forbidden, ""},
		{authz.E(authz.Unanswerable, "x", nil), http.StatusForbidden, "permission_unanswerable", ""},
		{fmt.Errorf("%w: %w", authz.ErrFreshness, authz.E(authz.Invalid, "x", nil)), http.StatusBadRequest, badRequest, "shapegate-at-least-as-fresh"},
		{authz.E(authz.Invalid, "x", nil), http.StatusBadRequest, badRequest, ""},
		{authz.E(authz.Unavailable, "x", nil), http.StatusServiceUnavailable, unavailable, ""},
		{authz.E(authz.Internal, "x", nil), http.StatusInternalServerError, internal, ""},
		{&problem{kind: shapeMisconfigured}, http.StatusBadGateway, "shape_misconfigured", ""},
	} {
		p := problemOf(fmt.Errorf("wrapped: %w", tt.err))
		if p.status() != tt.status || p.kind != tt.kind || p.field != tt.field {
			t.Errorf("%v: status %d, kind %s, field %q", tt.err, p.status(), p.kind, p.field)
		}
	}
	if got := authz.Unanswerable.String(); got != "unanswerable" {
		t.Errorf("the kind is called %s", got)
	}
}
