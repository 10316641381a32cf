package proxy

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/session"
)

var errWantsJWT = errors.New("a session is got for a bearer JWT, not for a session or a cookie")

// createSession exchanges a bearer JWT for a session: a token in the answer's
// body, and the same one in a cookie that scripts cannot read.
func (h *Handler) createSession(c *gin.Context) {
	ctx := c.Request.Context()
	creds, err := credentialsOf(c.Request)
	if err == nil && creds.session {
		err = authz.E(authz.Unauthenticated, "create session", errWantsJWT)
	}
	if err != nil {
		h.fail(c, err)
		return
	}
	who, err := h.tokens.Verify(ctx, creds.token)
	if err != nil {
		h.fail(c, err)
		return
	}
	place, err := h.limiter.admit(ctx, who.Subject.String())
	if err != nil {
		h.fail(c, err)
		return
	}
	defer place.leave()
	// A client may send a body along, and it says nothing.
	if _, err := h.readBody(c); err != nil {
		h.fail(c, err)
		return
	}
	at, err := freshness(c.Request)
	if err != nil {
		h.fail(c, err)
		return
	}
	token, s, err := h.sessions.Create(ctx, who, at)
	if authz.KindOf(err) == authz.Invalid {
		err = &problem{kind: badRequest, field: "authorization", message: "the token's claims are too large for a session", cause: err}
	}
	if err != nil {
		h.fail(c, err)
		return
	}
	http.SetCookie(c.Writer, h.cookie.session(token, s.Expires, h.now()))
	body := sessionBody(s)
	body["token"] = token
	c.JSON(http.StatusCreated, body)
}

// showSession answers whose session it is, and when it ends.
func (h *Handler) showSession(c *gin.Context) {
	s, err := h.sessionOf(c.Request.Context(), c.Request)
	if err == nil {
		_, err = h.readBody(c)
	}
	if err != nil {
		h.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, sessionBody(s))
}

// deleteSession logs out. It succeeds where there is nothing to log out of: the
// session is not there, which is what was asked for.
func (h *Handler) deleteSession(c *gin.Context) {
	creds, err := credentialsOf(c.Request)
	if err == nil && !creds.session {
		err = authz.E(authz.Unauthenticated, "delete session", errWantsSession)
	}
	if err == nil {
		err = h.sessions.Delete(c.Request.Context(), creds.token)
	}
	if err != nil {
		h.fail(c, err)
		return
	}
	http.SetCookie(c.Writer, h.cookie.session("", time.Unix(0, 0), h.now()))
	c.Status(http.StatusNoContent)
	c.Writer.WriteHeaderNow()
}

var errWantsSession = errors.New("neither a session token nor a session cookie")

func (h *Handler) sessionOf(ctx context.Context, r *http.Request) (session.Session, error) {
	creds, err := credentialsOf(r)
	if err != nil {
		return session.Session{}, err
	}
	if !creds.session {
		return session.Session{}, authz.E(authz.Unauthenticated, "read session", errWantsSession)
	}
	return h.sessions.Get(ctx, creds.token)
}

func sessionBody(s session.Session) gin.H {
	return gin.H{"subject": s.Subject.String(), "expires_at": s.Expires.UTC().Format(time.RFC3339)}
}

// Cookie is the form of a session's cookie. Scripts never see it.
type Cookie struct {
	// SameSite says which requests of other sites' pages carry the cookie. Lax, the
	// default, keeps it out of all but links that are followed. None is for an
	// application on another site than shapegate: whose pages may use the cookie is
	// then what CORSOrigins says. Strict keeps it out of everything.
	SameSite http.SameSite

	// Insecure leaves out Secure, so that the cookie goes over plain HTTP, too. It is
	// for development on another host than localhost. SameSite None forbids it.
	Insecure bool
}

var errCookie = errors.New("a session cookie with SameSite=None has to be Secure")

func (k Cookie) withDefaults() (Cookie, error) {
	if k.SameSite == 0 || k.SameSite == http.SameSiteDefaultMode {
		k.SameSite = http.SameSiteLaxMode
	}
	if k.SameSite == http.SameSiteNoneMode && k.Insecure {
		return k, errCookie
	}
	return k, nil
}

// session returns the session cookie; an expiry in the past deletes it.
func (k Cookie) session(token string, expires, now time.Time) *http.Cookie {
	maxAge := int(expires.Sub(now) / time.Second)
	if maxAge <= 0 {
		maxAge = -1
	}
	return &http.Cookie{
		Name: sessionCookie, Value: token, Path: "/",
		Expires: expires, MaxAge: maxAge,
		HttpOnly: true, Secure: !k.Insecure, SameSite: k.SameSite,
	}
}
