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
	"github.com/shapegate/shapegate/authz/shapetoken"
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

	// GetReferred and WatchReferred are Get and Watch for a session that credentials refer
	// to, which were got with it.
	GetReferred(ctx context.Context, r session.Reference) (session.Session, error)
	WatchReferred(r session.Reference, ended func()) (stop func())
}

const sessionCookie = "shapegate_session"

// credentials are what a request brought to show who sends it: a bearer token
// or, without one, a session cookie. They are verified each time they are used:
// a request that waited for a minute may have outlived them.
type credentials struct {
	token   string
	session bool // the token is a session's, not a JWT
	shape   bool // the token is one of the gatekeeper's, good for one shape

	// Set when they are verified:
	expires time.Time
	gotWith session.Reference // the session that they end with; empty: none
}

// Expires returns when the credentials cease to hold by themselves: the end of the
// JWT or of the session. They must have been verified.
func (c credentials) Expires() time.Time { return c.expires }

// referToSession returns the session that credentials which are got with these have to end
// with; empty: there is none.
func (c credentials) referToSession() session.Reference {
	if !c.session {
		return ""
	}
	return session.ReferenceTo(c.token)
}

var (
	errNoCredentials = errors.New("neither a bearer token nor a session cookie")
	errScheme        = errors.New("an Authorization header that is not of the Bearer scheme")
	errNoSessions    = errors.New("a session token, but sessions are not configured")
	errNoGatekeeper  = errors.New("a shape token, but the gatekeeper is not configured")
	errOneShapeAlone = errors.New("a shape token, which is good for reading its shape and for nothing else")
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
		return credentials{token: token, session: session.LooksLikeToken(token), shape: shapetoken.LooksLikeToken(token)}, nil
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
	sessions Sessions    // nil: there are none
	shapes   ShapeTokens // nil: there are none
	watches  watches
}

// credentials finds the credentials of a request for anything but a shape: a token of the
// gatekeeper is refused.
func (a *authentication) credentials(r *http.Request) (credentials, error) {
	c, err := a.readerCredentials(r)
	if err == nil && c.shape {
		return credentials{}, authz.E(authz.Unauthenticated, "read credentials", errOneShapeAlone)
	}
	return c, err
}

// readerCredentials finds the credentials of a request for a shape. Who takes a token of the
// gatekeeper must hold the request to it: see access.only.
func (a *authentication) readerCredentials(r *http.Request) (credentials, error) {
	return a.sources.credentials(r)
}

// bearer is whose credentials are.
type bearer struct {
	subject authz.Subject
	fresh   authz.ZedToken    // the revision that each decision must have seen; empty: none
	only    *shapetoken.Shape // what the credentials are good for; nil: everything

	jwt *identity.Identity // nil: the credentials are no JWT, or its verifier has to be asked each time
}

// identify verifies the credentials, and returns whose they are. It notes when they expire.
func (a *authentication) identify(ctx context.Context, c *credentials) (bearer, error) {
	switch {
	case c.shape && a.shapes == nil:
		return bearer{}, authz.E(authz.Unauthenticated, "verify a shape token", errNoGatekeeper)
	case c.shape:
		return a.identifyShapeToken(ctx, c)
	case c.session && a.sessions == nil:
		return bearer{}, authz.E(authz.Unauthenticated, "read session", errNoSessions)
	case c.session:
		s, err := a.sessions.Get(ctx, c.token)
		c.expires = s.Expires
		return bearer{subject: s.Subject, fresh: s.ZedToken}, err
	default:
		who, err := a.tokens.Verify(ctx, c.token)
		c.expires = who.Expires
		b := bearer{subject: who.Subject}
		if _, ok := a.tokens.(*identity.Verifier); ok { // another one may know more of the token than Holds
			b.jwt = &who
		}
		return b, err
	}
}

// identifyShapeToken is identify for a token of the gatekeeper. One that was got with a
// session holds as long as the session.
func (a *authentication) identifyShapeToken(ctx context.Context, c *credentials) (bearer, error) {
	t, err := a.shapes.Verify(c.token)
	if err == nil && t.Session != "" {
		if a.sessions == nil {
			return bearer{}, authz.E(authz.Unauthenticated, "verify a shape token", errNoSessions)
		}
		_, err = a.sessions.GetReferred(ctx, session.Reference(t.Session))
	}
	c.expires, c.gotWith = t.Expires, session.Reference(t.Session)
	return bearer{subject: t.Subject, fresh: t.Fresh, only: &t.Shape}, err
}

// watch returns a channel that is closed as soon as verified credentials have ceased to
// hold: when they expire, at once when their session is ended here,
// and within about a second when it is ended by another process. A held request
// that sees it closed verifies its credentials again, which says why they do not
// hold. The caller calls stop.
func (a *authentication) watch(c credentials) (ended <-chan struct{}, stop func()) {
	return a.watches.watch(c, a.sessions, time.Now())
}
