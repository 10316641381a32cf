package cursor

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash"
	"strings"
	"sync"
)

// MaxHandle is the longest handle, in bytes. It travels in URLs, whose line may be
// 8 kB long at many proxies.
const MaxHandle = 4096

const (
	nonceBytes = 9
	sealBytes  = 15
)

// Key seals handles. Replicas that serve the same clients have the same one.
type Key struct {
	hashes *sync.Pool // of hash.Hash, each with the key: to make one takes half the time of a seal
}

// NewKey derives a key from a secret that the replicas share.
func NewKey(secret []byte) Key {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("shapegate/proxy/cursor/v3"))
	derived := mac.Sum(nil)
	return Key{&sync.Pool{New: func() any { return hmac.New(sha256.New, derived) }}}
}

// Scope is what a handle is good for: one subject's reading of one shape, with its
// params. Params holds whatever else decides which rows and columns the log has.
type Scope struct {
	Shape   string
	Subject string
	Params  []string
}

// ErrNotACursor says that a text is no handle of this version, or not one that was
// sealed with this key for this scope.
var ErrNotACursor = errors.New("cursor: not a handle that was sealed here")

// Seal spells the cursor as a handle. Two handles are never equal: after a 409 a client
// never again accepts the handle that it held. What does not fit into MaxHandle loses
// its revisions, those of the oldest steps first.
func (k Key) Seal(c *Cursor, s Scope) string {
	var nonce [nonceBytes]byte
	_, _ = rand.Read(nonce[:]) // never fails, by its documentation
	for drop := 0; ; drop++ {
		body := encode(c, drop)
		text := base64.RawURLEncoding.EncodeToString(k.sealed(body, nonce[:], s))
		if len(text) <= MaxHandle || !c.hasTokens(drop) {
			return text
		}
	}
}

// handleLen is how long the handle of a body is.
func handleLen(body int) int {
	return base64.RawURLEncoding.EncodedLen(nonceBytes + sealBytes + body)
}

func (k Key) sealed(body, nonce []byte, s Scope) []byte {
	return append(append(append([]byte(nil), nonce...), k.seal(body, nonce, s)...), body...)
}

// Open reads a handle. The error is ErrNotACursor.
func (k Key) Open(handle string, s Scope) (Cursor, error) {
	if !IsText(handle) { // a decoder of base64 passes over line breaks
		return Cursor{}, ErrNotACursor
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(handle)
	if err != nil || len(raw) < nonceBytes+sealBytes {
		return Cursor{}, ErrNotACursor
	}
	nonce, seal, body := raw[:nonceBytes], raw[nonceBytes:nonceBytes+sealBytes], raw[nonceBytes+sealBytes:]
	if !hmac.Equal(seal, k.seal(body, nonce, s)) {
		return Cursor{}, ErrNotACursor
	}
	return decode(body)
}

// seal is a keyed hash of all that the handle means. The parts are written with their
// lengths, so that none can be taken for the end of another.
func (k Key) seal(body, nonce []byte, s Scope) []byte {
	mac := k.hashes.Get().(hash.Hash)
	defer k.hashes.Put(mac)
	mac.Reset()
	write := func(part []byte) {
		var n [4]byte
		binary.BigEndian.PutUint32(n[:], uint32(len(part))) //nolint:gosec // parts are short
		mac.Write(n[:])
		mac.Write(part)
	}
	write(nonce)
	write(body)
	write([]byte(s.Shape))
	write([]byte(s.Subject))
	for _, p := range s.Params {
		write([]byte(p))
	}
	return mac.Sum(nil)[:sealBytes]
}

// IsText reports whether a text could be a handle, of whatever server: one that can
// stand in a header and in a URL as it is.
func IsText(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_~.", c) >= 0) {
			return false
		}
	}
	return s != "" && len(s) <= MaxHandle
}
