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
	sealers *sync.Pool // of *sealer: to make one takes half the time of a seal
}

// sealer has the keyed hash, and memory for one handle at a time.
type sealer struct {
	mac           hash.Hash
	in, raw, text []byte
}

// NewKey derives a key from a secret that the replicas share.
func NewKey(secret []byte) Key {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("shapegate/proxy/cursor/v3"))
	derived := mac.Sum(nil)
	return Key{&sync.Pool{New: func() any { return &sealer{mac: hmac.New(sha256.New, derived)} }}}
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
	l := k.sealers.Get().(*sealer)
	defer k.sealers.Put(l)
	var head [nonceBytes + sealBytes]byte
	_, _ = rand.Read(head[:nonceBytes]) // never fails, by its documentation
	for drop := 0; ; drop++ {
		l.raw = encode(append(l.raw[:0], head[:]...), c, drop)
		nonce, seal, body := parts(l.raw)
		copy(seal, l.seal(body, nonce, s))
		l.text = base64.RawURLEncoding.AppendEncode(l.text[:0], l.raw)
		if len(l.text) <= MaxHandle || !c.hasTokens(drop) {
			return string(l.text)
		}
	}
}

// parts takes a handle apart that was decoded.
func parts(raw []byte) (nonce, seal, body []byte) {
	return raw[:nonceBytes], raw[nonceBytes : nonceBytes+sealBytes], raw[nonceBytes+sealBytes:]
}

// handleLen is how long the handle of a body is.
func handleLen(body int) int {
	return base64.RawURLEncoding.EncodedLen(nonceBytes + sealBytes + body)
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
	l := k.sealers.Get().(*sealer)
	defer k.sealers.Put(l)
	nonce, seal, body := parts(raw)
	if !hmac.Equal(seal, l.seal(body, nonce, s)) {
		return Cursor{}, ErrNotACursor
	}
	return decode(body)
}

// seal is a keyed hash of all that the handle means. The parts are written with their
// lengths, so that none can be taken for the end of another.
func (l *sealer) seal(body, nonce []byte, s Scope) []byte {
	l.in = appendPart(appendPart(l.in[:0], nonce), body)
	l.in = appendPart(appendPart(l.in, s.Shape), s.Subject)
	for _, p := range s.Params {
		l.in = appendPart(l.in, p)
	}
	l.mac.Reset()
	l.mac.Write(l.in)
	l.in = l.mac.Sum(l.in[:0])
	return l.in[:sealBytes]
}

func appendPart[T ~string | ~[]byte](dst []byte, part T) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(part))) //nolint:gosec // parts are short
	return append(dst, part...)
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
