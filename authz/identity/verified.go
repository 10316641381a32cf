package identity

import (
	"crypto/sha256"

	"github.com/shapegate/shapegate/authz/internal/recent"
)

// verified remembers tokens that held, by their SHA-256: a client sends the same
// one with each request, and a held request asks about it again. What a token says
// does not change, but for its being expired; and whether its signature holds
// changes only with its issuer's keys, which are numbered here.
type verified struct {
	tokens *recent.Map[[sha256.Size]byte, Identity]
}

// verifiedBytes bounds what is remembered: some ten thousand tokens of common
// size. A token that is forgotten is verified again.
const verifiedBytes = 32 << 20

func newVerified() verified {
	return verified{recent.New[[sha256.Size]byte, Identity](verifiedBytes)}
}

func (v verified) get(token [sha256.Size]byte) (who Identity, ok bool) {
	who, ok = v.tokens.Get(token)
	return who, ok && who.Holds()
}

func (v verified) put(token [sha256.Size]byte, who Identity) {
	v.tokens.Put(token, who, recent.Size(who.Subject.Claims)+len(who.Subject.ID))
}
