package identity

import (
	"crypto/sha256"
	"sync"
)

// verified remembers tokens that held, by their SHA-256: a client sends the same one
// with each request, and a wait that is woken asks about it again. What a token says
// does not change, but for its being expired; and whether its signature holds changes
// only with the keys, which are numbered here.
type verified struct {
	mu         sync.RWMutex
	young, old map[[sha256.Size]byte]remembered
}

type remembered struct {
	identity Identity
	keys     uint64
}

// mostYoung bounds how many are remembered, of which there are young and old ones.
const mostYoung = 8192

func (v *verified) get(token [sha256.Size]byte, keys uint64) (Identity, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	r, ok := v.young[token]
	if !ok {
		r, ok = v.old[token]
	}
	return r.identity, ok && r.keys == keys
}

// put remembers a token. The oldest half is forgotten when there are too many, and
// whoever comes back is verified again.
func (v *verified) put(token [sha256.Size]byte, keys uint64, who Identity) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.young == nil || len(v.young) >= mostYoung {
		v.young, v.old = make(map[[sha256.Size]byte]remembered), v.young
	}
	v.young[token] = remembered{who, keys}
}
