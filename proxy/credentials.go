package proxy

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/authz/session"
)

// TokenVerifier reads bearer JWTs. *identity.Verifier is one.
type TokenVerifier interface {
	// Verify returns who the token speaks for. Errors are Unauthenticated, or
	// Unavailable where the keys could not be had.
	Verify(ctx context.Context, token string) (identity.Identity, error)
}

// Sessions keeps sessions. *session.Manager is one.
type Sessions interface {
	Create(ctx context.Context, who identity.Identity, at authz.ZedToken) (token string, s session.Session, err error)
	Get(ctx context.Context, token string) (session.Session, error)
	Delete(ctx context.Context, token string) error

	// Watch has ended called once, when the session of a token has been ended by
	// this process or another, unless stop is called before. ended does not block.
	Watch(token string, ended func()) (stop func())
}

const sessionCookie = "shapegate_session"

// credentials are what a request brought to show who sends it: a bearer token
// or, without one, a session cookie. They are verified each time they are used:
// a request that waited for a minute may have outlived them.
type credentials struct {
	token   string
	session bool      // the token is a session's, not a JWT
	expires time.Time // set when they are verified
}

// Expires returns when the credentials cease to hold by themselves: the end of the
// JWT or of the session. They must have been verified.
func (c credentials) Expires() time.Time { return c.expires }

var (
	errNoCredentials = errors.New("neither a bearer token nor a session cookie")
	errScheme        = errors.New("an Authorization header that is not of the Bearer scheme")
	errNoSessions    = errors.New("a session token, but sessions are not configured")
)

// credentialsOf finds the credentials of a request, as far as they are in the places of
// shapegate's own. An Authorization header wins over a cookie, even where it does not hold:
// what was said last counts. See tokenSources.credentials for the other places.
func credentialsOf(r *http.Request) (credentials, error) {
	if headers := r.Header.Values("Authorization"); len(headers) > 0 {
		if len(headers) > 1 {
			return credentials{}, invalid("authorization", "given more than once")
		}
		scheme, token, _ := strings.Cut(headers[0], " ")
		token = strings.TrimSpace(token)
		if !strings.EqualFold(scheme, "Bearer") || token == "" {
			return credentials{}, authz.E(authz.Unauthenticated, "read credentials", errScheme)
		}
		return credentials{token: token, session: session.LooksLikeToken(token)}, nil
	}
	if cookie, err := r.Cookie(sessionCookie); err == nil && cookie.Value != "" {
		return credentials{token: cookie.Value, session: true}, nil
	}
	return credentials{}, authz.E(authz.Unauthenticated, "read credentials", errNoCredentials)
}

// authentication says whose credentials are, and when they cease to hold.
type authentication struct {
	sources  tokenSources
	tokens   TokenVerifier
	sessions Sessions // nil: there are none
	watches  watches
}

// credentials finds the credentials of a request.
func (a *authentication) credentials(r *http.Request) (credentials, error) {
	return a.sources.credentials(r)
}

// identify verifies the credentials. It returns whose they are and, of a session,
// the revision that its decisions must have seen. It notes when they expire.
func (a *authentication) identify(ctx context.Context, c *credentials) (authz.Subject, authz.ZedToken, error) {
	if !c.session {
		who, err := a.tokens.Verify(ctx, c.token)
		c.expires = who.Expires
		return who.Subject, "", err
	}
	if a.sessions == nil {
		return authz.Subject{}, "", authz.E(authz.Unauthenticated, "read session", errNoSessions)
	}
	s, err := a.sessions.Get(ctx, c.token)
	c.expires = s.Expires
	return s.Subject, s.ZedToken, err
}

// watch returns a channel that is closed as soon as verified credentials have ceased to
// hold: when they expire, at once when their session is ended here,
// and within about a second when it is ended by another process. A held request
// that sees it closed verifies its credentials again, which says why they do not
// hold. The caller calls stop.
func (a *authentication) watch(c credentials) (ended <-chan struct{}, stop func()) {
	return a.watches.watch(c, a.sessions, time.Now())
}
