package proxy_test

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/proxy"
)

// withdrawing is a verifier in front of another. It may refuse tokens that the other takes.
type withdrawing struct {
	proxy.TokenVerifier
	withdrawn atomic.Bool
}

func (w *withdrawing) Verify(ctx context.Context, token string) (identity.Identity, error) {
	if w.withdrawn.Load() {
		return identity.Identity{}, authz.E(authz.Unauthenticated, "verify a token", errors.New("it was withdrawn"))
	}
	return w.TokenVerifier.Verify(ctx, token)
}

// A verifier is asked whenever a held request is about to be answered: it may know more of a
// token than its issuer.
func TestAHeldRequestEndsWithATokenThatItsVerifierRefuses(t *testing.T) {
	var tokens withdrawing
	behindIt := func(d *deployment) reader {
		d.replica(func(c *proxy.Config) { tokens.TokenVerifier, c.Tokens = c.Tokens, &tokens })
		return d.as("alice")
	}
	eachKindOfWaiting(t, "documents", behindIt, func(l *heldLog) {
		tokens.withdrawn.Store(true)
		defer tokens.withdrawn.Store(false)
		l.d.exec("update documents set title = 'after' where id = $1", full("d1"))
		l.endsWith(http.StatusUnauthorized)
	})
}
