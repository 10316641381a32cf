package proxy

import (
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/session"
)

var errWantsJWT = errors.New("a session is got for a bearer JWT, not for a session or a cookie")

// sessionServer answers requests for sessions.
type sessionServer struct {
	auth    *authentication // its sessions are not nil
	limiter *limiter
	bodies  bodies
	cookie  Cookie
}

// create exchanges a bearer JWT for a session: a token in the answer's body, and the same
// one in a cookie that scripts cannot read.
func (s *sessionServer) create(c *gin.Context) error {
	ctx := c.Request.Context()
	creds, err := s.auth.credentials(c.Request)
	if err != nil {
		return err
	}
	if creds.session {
		return authz.E(authz.Unauthenticated, "create session", errWantsJWT)
	}
	who, err := s.auth.tokens.Verify(ctx, creds.token)
	if err != nil {
		return err
	}
	place, err := s.limiter.admit(ctx, who.Subject.String())
	if err != nil {
		return err
	}
	defer place.leave()
	// A client may send a body along, and it says nothing.
	if _, err := s.bodies.read(c); err != nil {
		return err
	}
	at, err := freshness(c.Request)
	if err != nil {
		return err
	}
	token, made, err := s.auth.sessions.Create(ctx, who, at)
	if authz.KindOf(err) == authz.Invalid {
		return &problem{kind: badRequest, field: "authorization", message: "the token's claims are too large for a session", cause: err}
	}
	if err != nil {
		return err
	}
	http.SetCookie(c.Writer, s.cookie.session(token, made.Expires, time.Now()))
	body := sessionBody(made)
	body["token"] = token
	c.JSON(http.StatusCreated, body)
	return nil
}

// show answers whose session it is, and when it ends.
func (s *sessionServer) show(c *gin.Context) error {
	token, err := sessionToken(c.Request, "read session")
	if err != nil {
		return err
	}
	of, err := s.auth.sessions.Get(c.Request.Context(), token)
	if err != nil {
		return err
	}
	if _, err := s.bodies.read(c); err != nil {
		return err
	}
	c.JSON(http.StatusOK, sessionBody(of))
	return nil
}

// delete logs out. It succeeds where there is nothing to log out of: the session is not
// there, which is what was asked for.
func (s *sessionServer) delete(c *gin.Context) error {
	token, err := sessionToken(c.Request, "delete session")
	if err != nil {
		return err
	}
	if err := s.auth.sessions.Delete(c.Request.Context(), token); err != nil {
		return err
	}
	http.SetCookie(c.Writer, s.cookie.session("", time.Unix(0, 0), time.Now()))
	c.Status(http.StatusNoContent)
	c.Writer.WriteHeaderNow()
	return nil
}

var errWantsSession = errors.New("neither a session token nor a session cookie")

// sessionToken returns the token of the session that a request is about, whatever token a
// gateway added to it. The error names what was to be done with it.
func sessionToken(r *http.Request, op string) (string, error) {
	creds, err := credentialsOf(r)
	if err == nil && !creds.session {
		err = authz.E(authz.Unauthenticated, op, errWantsSession)
	}
	return creds.token, err
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

	path string // that the cookie is for
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
		Name: sessionCookie, Value: token, Path: k.path,
		Expires: expires, MaxAge: maxAge,
		HttpOnly: true, Secure: !k.Insecure, SameSite: k.SameSite,
	}
}
