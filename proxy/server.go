package proxy

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/cursor"
	"github.com/shapegate/shapegate/proxy/rush"
	"github.com/shapegate/shapegate/schema"
)

// server is what answers requests, whatever they are for: it knows who asks, how much they
// may ask for, and how long a request is held.
type server struct {
	ready      func() bool // nil: requests may always be served
	auth       *authentication
	limiter    *limiter
	authorizer Authorizer
	key        cursor.Key
	bodies     bodies
	holding    holding
	rushes     *rush.Rushes
	metrics    *metrics
	log        *slog.Logger
}

// holding says how long requests are held.
type holding struct {
	longPoll, stream, keepAlive time.Duration

	draining context.Context //nolint:containedctx // ends with Handler.Drain
}

// admit authenticates a request by the credentials that find finds, and admits it within its
// subject's limits. Without valid credentials, the answer does not say what there is. The
// caller releases the access.
func (s *server) admit(r *http.Request, find func(*http.Request) (credentials, error)) (*access, error) {
	if s.ready != nil && !s.ready() {
		return nil, &problem{kind: unavailable, message: "starting"}
	}
	creds, err := find(r)
	if err != nil {
		return nil, err
	}
	who, err := s.auth.identify(r.Context(), &creds)
	if err != nil {
		return nil, err
	}
	place, err := s.limiter.admit(r.Context(), who.subject.String())
	if err != nil {
		return nil, err
	}
	return &access{
		auth: s.auth, creds: creds, jwt: who.jwt, subject: who.subject, place: place, decisions: &s.metrics.decisions,
		fresh: who.fresh, only: who.only,
	}, nil
}

// authorize subscribes to what the subject may see of a definition with a label, and decides
// for the first time.
func (s *server) authorize(r *http.Request, def *schema.Guarded, label string, params map[string]string, who *access) (authz.Decision, error) {
	q, err := question(def, label, who.subject, params, clientIP(r))
	if err != nil {
		return authz.Decision{}, err
	}
	if who.sub, err = s.authorizer.Subscribe(q); err != nil {
		return authz.Decision{}, err
	}
	return who.decide(r.Context())
}

// open admits a request, and has begin find its answer. Where it returns an exchange, whatever
// the error, respond releases it.
func (s *server) open(r *http.Request, find func(*http.Request) (credentials, error), begin func(*access) (*exchange, answer, error)) (x *exchange, a answer, err error) {
	who, err := s.admit(r, find)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if x == nil {
			who.release()
		}
	}()
	return begin(who)
}

// respond answers a request, unless it waits and too many do. x, a and err are of open.
func (s *server) respond(ctx context.Context, x *exchange, a answer, err error) error {
	if x == nil {
		return err
	}
	defer x.release()
	if err == nil && x.req.live {
		err = x.access.place.hold(s.metrics.held.WithLabelValues(x.req.def.Name))
	}
	if err == nil {
		err = a.serve(ctx)
	}
	if errors.Is(err, errStaleHandle) && !x.w.Written() {
		writeMustRefetch(x.w, x.client.another())
		return nil
	}
	return err
}
