package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// record is a session as the store keeps it. Its form is a contract between
// replicas of different versions: a new form gets a new number, and a replica
// that meets a number it does not know takes the session for unknown.
type record struct {
	Version int            `json:"v"`
	Type    string         `json:"type"`
	ID      string         `json:"id"`
	Claims  map[string]any `json:"claims,omitempty"`
	Created int64          `json:"created"` // milliseconds since 1970
	Expires int64          `json:"expires"` // milliseconds since 1970

	// ZedToken came later. A replica that does not know it serves the session as
	// one without.
	ZedToken authz.ZedToken `json:"at_least_as_fresh,omitempty"`
}

const recordVersion = 1

// MaxClaims is the largest that a subject's claims may be in a session, in bytes
// of JSON.
const MaxClaims = 16 << 10

func encode(s Session) ([]byte, error) {
	claims, err := json.Marshal(s.Subject.Claims)
	if err != nil {
		// The marshaller's text may quote a value.
		return nil, errors.New("the claims cannot be written as JSON")
	}
	if len(claims) > MaxClaims {
		return nil, fmt.Errorf("the claims have %d bytes, more than %d", len(claims), MaxClaims)
	}
	return json.Marshal(record{
		Version: recordVersion,
		Type:    s.Subject.Type,
		ID:      s.Subject.ID,
		Claims:  s.Subject.Claims,
		Created: s.Created.UnixMilli(),
		Expires: s.Expires.UnixMilli(),

		ZedToken: s.ZedToken,
	})
}

var errRecord = errors.New("the stored session cannot be read")

// decode trusts the store no further than it must: what it holds may be old, of
// another version, or written by other software.
func decode(data []byte) (Session, error) {
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return Session{}, errRecord
	}
	if r.Version != recordVersion {
		return Session{}, fmt.Errorf("%w: version %d", errRecord, r.Version)
	}
	ref, err := authz.NewObjectRef(r.Type, r.ID)
	if err != nil {
		return Session{}, errRecord
	}
	return Session{
		Subject: authz.Subject{ObjectRef: ref, Claims: r.Claims},
		Created: time.UnixMilli(r.Created),
		Expires: time.UnixMilli(r.Expires),

		ZedToken: r.ZedToken,
	}, nil
}
