package proxy

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/shapegate/shapegate/authz"
)

// TokenSources are places of a request where a JWT may be, besides the Authorization header.
// A gateway in front puts it there. It is verified as any other: whoever reaches shapegate
// past the gateway and names somebody in the header gets nothing.
type TokenSources struct {
	// Header is the name of a header, as in X-Pomerium-Jwt-Assertion; empty: none.
	Header string

	// Cookie is the name of a cookie, as in CF_Authorization; empty: none. A browser sends
	// it whichever page asks. So it counts for pages of the same origin and of CORSOrigins
	// alone.
	Cookie string
}

var (
	headerName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,63}$`)
	cookieName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

	// otherMeaning are headers that say something else.
	otherMeaning = []string{"Authorization", "Cookie", "Origin", "Accept-Encoding", "Host", "Connection", "Content-Type", "Content-Length", "Shapegate-At-Least-As-Fresh"}
)

// Check reports what is wrong with the names. Its errors do not repeat them.
func (s TokenSources) Check() error {
	switch {
	case s.Header != "" && (!headerName.MatchString(s.Header) || slices.Contains(otherMeaning, http.CanonicalHeaderKey(s.Header))):
		return errors.New("must be the name of a header that has no other meaning, as in X-Pomerium-Jwt-Assertion")
	case s.Cookie != "" && (!cookieName.MatchString(s.Cookie) || s.Cookie == sessionCookie):
		return errors.New("must be the name of a cookie that is not the session's, as in CF_Authorization")
	}
	return nil
}

// tokenSources looks for tokens.
type tokenSources struct {
	TokenSources
	pages *http.CrossOriginProtection // knows whose pages may use the cookie
}

func newTokenSources(s TokenSources, origins []string) (tokenSources, error) {
	if err := s.Check(); err != nil {
		return tokenSources{}, err
	}
	s.Header = http.CanonicalHeaderKey(s.Header)
	pages := http.NewCrossOriginProtection()
	for _, origin := range origins {
		if origin == "*" {
			continue // any page may call, and none with cookies
		}
		if err := pages.AddTrustedOrigin(origin); err != nil {
			return tokenSources{}, err
		}
	}
	return tokenSources{s, pages}, nil
}

// vary is the Vary of every answer.
func (s TokenSources) vary() string {
	if s.Header == "" {
		return "Authorization, Cookie, Origin, Accept-Encoding"
	}
	return "Authorization, " + http.CanonicalHeaderKey(s.Header) + ", Cookie, Origin, Accept-Encoding"
}

var (
	errEmptyHeader = errors.New("the header for the gateway's token has none")
	errOtherPage   = errors.New("the token's cookie does not count for a page of another origin, which SHAPEGATE_CORS_ORIGINS does not name")
)

// credentials finds the credentials of a request. The order is:
//
//  1. headers: Authorization, and the gateway's. Where a request has both, both must have
//     the same token: which of two persons was meant cannot be known.
//  2. the gateway's cookie. The gateway renews it at each login, so a session that somebody
//     else left behind in the browser does not count beside it.
//  3. the session's cookie.
//
// What is found first counts, even where it does not hold.
func (s tokenSources) credentials(r *http.Request) (credentials, error) {
	token, given, err := s.inHeader(r)
	switch {
	case err != nil:
		return credentials{}, err
	case given && r.Header.Values("Authorization") != nil:
		other, err := credentialsOf(r)
		if err != nil || other.token != token {
			return credentials{}, invalid(strings.ToLower(s.Header), "Authorization says something else: send one of the two")
		}
		return other, nil
	case given:
		return credentials{token: token}, nil
	case r.Header.Values("Authorization") != nil:
		return credentialsOf(r)
	}
	if token, given, err = s.inCookie(r); given || err != nil {
		return credentials{token: token}, err
	}
	return credentialsOf(r)
}

// inHeader returns the token of the gateway's header.
func (s tokenSources) inHeader(r *http.Request) (token string, given bool, err error) {
	if s.Header == "" {
		return "", false, nil
	}
	values := r.Header.Values(s.Header)
	switch len(values) {
	case 0:
		return "", false, nil
	case 1:
	default:
		return "", false, invalid(strings.ToLower(s.Header), "given more than once")
	}
	token = strings.TrimSpace(values[0])
	if scheme, rest, ok := strings.Cut(token, " "); ok && strings.EqualFold(scheme, "Bearer") {
		token = strings.TrimSpace(rest)
	}
	if token == "" {
		return "", false, authz.E(authz.Unauthenticated, "read credentials", errEmptyHeader)
	}
	return token, true, nil
}

// inCookie returns the token of the gateway's cookie.
func (s tokenSources) inCookie(r *http.Request) (token string, given bool, err error) {
	if s.Cookie == "" {
		return "", false, nil
	}
	for _, c := range r.CookiesNamed(s.Cookie) {
		if given && c.Value != token { // another host of the domain has set one, too
			return "", false, invalid("cookie", "two cookies have the name of the token's, and different values")
		}
		token, given = c.Value, c.Value != ""
	}
	if !given {
		return "", false, nil
	}
	if !s.mayUseCookies(r) {
		return "", false, authz.E(authz.Unauthenticated, "read credentials", errOtherPage)
	}
	return token, true, nil
}

// noHost is the host of no origin. The empty host would be that of the origin "null", which
// sandboxed pages have.
const noHost = "?"

// mayUseCookies reports whether the page that sends a request, if a page does, may use the
// gateway's cookie. How the gateway restricts the cookie is not known here. Reads count
// too: a page that cannot see the answer could still use up its visitor's limits.
func (s tokenSources) mayUseCookies(r *http.Request) bool {
	asked := *r
	asked.Method = http.MethodPost // of others the package lets each page send what it likes
	if asked.Host == "" {          // a server in front has asked, which may say no host
		asked.Host = noHost
	}
	return s.pages.Check(&asked) == nil
}
