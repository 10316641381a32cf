package backend

import (
	"context"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/identity"
	"github.com/shapegate/shapegate/authz/session"
	"github.com/shapegate/shapegate/schema/demo"
)

// signer makes tokens, as an application's identity provider does.
type signer struct {
	secret []byte
	life   time.Duration
}

func (s signer) sign(p demo.Person) (string, error) {
	claims := jwt.MapClaims{"sub": p.Subject, "exp": jwt.NewNumericDate(time.Now().Add(s.life))}
	maps.Copy(claims, p.Claims)
	return jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(s.secret)
}

// accounts signs people in.
type accounts struct {
	people people
	signer signer
}

// signIn signs a token for a person. It asks for no password: this is a demo.
func (a *accounts) signIn(_ context.Context, r request) (any, error) {
	var in struct{ Person string }
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	p, err := a.people.named(in.Person)
	if err != nil {
		return nil, err
	}
	token, err := a.signer.sign(p)
	return map[string]any{"token": token, "expires_in": a.signer.life.Seconds()}, err
}

// listPeople returns who can sign in.
func (a *accounts) listPeople(context.Context, request) (any, error) {
	type person struct {
		ID    string `json:"id"`
		About string `json:"about"`
	}
	people := make([]person, len(a.people))
	for i, p := range a.people {
		people[i] = person{p.Subject, p.About}
	}
	return people, nil
}

// Identify returns a function for Config.Identify that takes what shapegate takes: a JWT
// or a session's token as bearer, or the session's cookie.
func Identify(tokens *identity.Verifier, sessions *session.Manager) func(*http.Request) (string, error) {
	return func(r *http.Request) (string, error) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if scheme == "" {
			if cookie, err := r.Cookie("shapegate_session"); err == nil {
				scheme, token = "Bearer", cookie.Value
			}
		}
		switch {
		case !strings.EqualFold(scheme, "Bearer"):
			return "", authz.E(authz.Unauthenticated, "read credentials", nil)
		case session.LooksLikeToken(token):
			s, err := sessions.Get(r.Context(), token)
			return s.Subject.ID, err
		default:
			who, err := tokens.Verify(r.Context(), token)
			return who.Subject.ID, err
		}
	}
}
