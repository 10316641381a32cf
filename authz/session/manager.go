package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/identity"
)

// DefaultTTL is how long a session lasts if nothing else is said.
const DefaultTTL = 15 * time.Minute

// Session is what a session token stands for.
type Session struct {
	Subject authz.Subject

	// Created and Expires are exact to the millisecond. A session holds until
	// Expires, and no longer.
	Created, Expires time.Time

	// ZedToken is a revision that whatever is decided for the session must have
	// seen, or empty.
	ZedToken authz.ZedToken
}

// DefaultPerSubject is how many sessions one subject may have if nothing else is
// said.
const DefaultPerSubject = 100

// Manager makes, reads and ends sessions. It is safe for concurrent use.
type Manager struct {
	store      Store
	ttl        time.Duration
	perSubject int
	now        func() time.Time
	cache      *cache
}

// Option changes a Manager.
type Option func(*Manager)

// WithClock has sessions timed by now instead of time.Now.
func WithClock(now func() time.Time) Option { return func(m *Manager) { m.now = now } }

// WithPerSubject has a subject keep at most n sessions: the next one ends the
// oldest.
func WithPerSubject(n int) Option { return func(m *Manager) { m.perSubject = n } }

// NewManager returns a manager of the sessions in store, which last for ttl, or
// for DefaultTTL if ttl is not positive.
func NewManager(store Store, ttl time.Duration, opts ...Option) *Manager {
	if ttl <= 0 {
		ttl = DefaultTTL
	}
	m := &Manager{store: store, ttl: ttl, perSubject: DefaultPerSubject, now: time.Now}
	for _, o := range opts {
		o(m)
	}
	m.cache = newCache(store, m.now)
	return m
}

const (
	opCreate = "create session"
	opGet    = "read session"
	opDelete = "delete session"
)

var (
	errExpiredIdentity = errors.New("the identity is expired")
	errMalformed       = errors.New("malformed session token")
	errUnknown         = errors.New("no such session")
	errExpired         = errors.New("the session is expired")
)

// Create makes a session for a verified identity and returns its token, which
// exists nowhere else. It lasts for the manager's TTL, but never longer than the
// identity. at is the session's ZedToken, or empty. The subject's oldest sessions
// end where it would have too many.
//
// Errors are Unauthenticated if the identity is expired, Invalid if its subject
// is none or its claims are larger than MaxClaims, and Unavailable if the store
// is away.
func (m *Manager) Create(ctx context.Context, id identity.Identity, at authz.ZedToken) (token string, s Session, err error) {
	// The store counts in milliseconds. Both ends are rounded down, so that what
	// is said here is what is stored.
	created := m.now().Truncate(time.Millisecond)
	expires := created.Add(m.ttl)
	if id.Expires.Before(expires) {
		expires = id.Expires
	}
	expires = expires.Truncate(time.Millisecond)
	if !expires.After(created) {
		return "", Session{}, authz.E(authz.Unauthenticated, opCreate, errExpiredIdentity)
	}
	if _, err := authz.NewObjectRef(id.Subject.Type, id.Subject.ID); err != nil {
		return "", Session{}, fmt.Errorf("%s: %w", opCreate, err)
	}
	s = Session{Subject: id.Subject, Created: created, Expires: expires, ZedToken: at}
	data, err := encode(s)
	if err != nil {
		return "", Session{}, authz.E(authz.Invalid, opCreate, err)
	}
	token = newToken(id.Subject.ObjectRef)
	key, _ := keyOf(token)
	if err := m.store.Put(ctx, key, data, expires.Sub(created), m.perSubject); err != nil {
		return "", Session{}, storeError(opCreate, err)
	}
	return token, s, nil
}

// Get returns the session that a token stands for. The store is asked for each
// session at most once a second: one that was ended by another process is returned
// for up to that long, and while the store does not answer for up to five seconds.
// The subject's claims are shared and must not be changed.
//
// Errors are Unauthenticated if the token is malformed, unknown or expired, and
// Unavailable if the store is away.
func (m *Manager) Get(ctx context.Context, token string) (Session, error) {
	key, ok := keyOf(token)
	if !ok {
		return Session{}, authz.E(authz.Unauthenticated, opGet, errMalformed)
	}
	return m.get(ctx, key)
}

func (m *Manager) get(ctx context.Context, key Key) (Session, error) {
	s, err := m.cache.get(ctx, key)
	if err != nil {
		return Session{}, err
	}
	if !m.now().Before(s.Expires) {
		return Session{}, authz.E(authz.Unauthenticated, opGet, errExpired)
	}
	return s, nil
}

// Watch has ended called once, as soon as it is known that the session of a token
// has been ended: at once if by this process, within about a second if by another.
// That its time is over is the caller's to know. ended must not block. The caller
// calls stop when it need not know any more.
func (m *Manager) Watch(token string, ended func()) (stop func()) {
	key, ok := keyOf(token)
	if !ok {
		ended()
		return func() {}
	}
	return m.cache.watch(key, ended)
}

// Delete ends the session that a token stands for. It is no error if there is
// none, or never can have been. Errors are Unavailable: the session may then
// still exist.
func (m *Manager) Delete(ctx context.Context, token string) error {
	key, ok := keyOf(token)
	if !ok {
		return nil
	}
	if err := m.store.Delete(ctx, key); err != nil {
		return storeError(opDelete, err)
	}
	m.cache.delete(key)
	return nil
}

// storeError makes an error of the store Unavailable, whatever it was: nothing
// that a store says can make a token good or bad.
func storeError(op string, err error) error {
	if authz.KindOf(err) == authz.Unavailable {
		return fmt.Errorf("%s: %w", op, err)
	}
	return authz.E(authz.Unavailable, op, err)
}
