package proxy

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
)

// handle is what a client holds instead of Electric's handle. It is spelled
//
//	<upstream handle>~<fingerprint>~<base offset>.<mark>.<nonce><seal>
//
// and says: this client was served the log <upstream handle>, filtered by the
// grants that <fingerprint> names, as they were at <mark>, from <base offset> on.
//
// The mark tells two times apart at which the grants were the same: what was
// written between them, while they were others, is nobody's to read. Only the
// process that made it understands it; for another one, the fingerprint counts.
//
// The nonce makes it new: after a 409 a client never again accepts the handle it
// held. The seal makes it ours, and the subject's: without it, a client could
// pair today's fingerprint with an offset from before a row was granted to it,
// and read what was written about the row in the meantime. What it may read
// begins at the base.
type handle struct {
	upstream    string
	fingerprint authz.Fingerprint
	base        electric.Offset
	mark        authz.Mark
	nonce       string // nonce and seal, as they are spelled
}

const (
	nonceBytes = 9
	sealBytes  = 15
	// maxHandle bounds what is looked at. Electric's own handles are under 40 bytes.
	maxHandle = 512
)

// handleKey seals handles. All replicas derive the same one.
type handleKey [sha256.Size]byte

func newHandleKey(secret []byte) handleKey {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("shapegate/proxy/handle/v1"))
	return handleKey(mac.Sum(nil))
}

// scope is what a handle is good for: one subject's reading of one shape, with
// its params.
type scope struct {
	shape   string
	params  []string
	subject authz.Subject
}

// mint returns a new handle.
func (k handleKey) mint(s scope, upstream string, d *authz.Decision, base electric.Offset) handle {
	h := handle{upstream: upstream, fingerprint: d.Name, base: base, mark: d.Mark}
	var nonce [nonceBytes]byte
	_, _ = rand.Read(nonce[:]) // never fails, by its documentation
	h.nonce = base64.RawURLEncoding.EncodeToString(append(nonce[:], k.seal(s, h, nonce[:])...))
	return h
}

// holds reports whether the handle was minted with this key, for this scope.
func (k handleKey) holds(s scope, h handle) bool {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(h.nonce)
	if err != nil || len(raw) != nonceBytes+sealBytes {
		return false
	}
	return hmac.Equal(raw[nonceBytes:], k.seal(s, h, raw[:nonceBytes]))
}

func (k handleKey) seal(s scope, h handle, nonce []byte) []byte {
	mac := hmac.New(sha256.New, k[:])
	write := func(part string) {
		var n [4]byte
		binary.BigEndian.PutUint32(n[:], uint32(len(part)))
		mac.Write(n[:])
		mac.Write([]byte(part))
	}
	write(s.shape)
	write(s.subject.Type)
	write(s.subject.ID)
	write(h.upstream)
	write(h.fingerprint.String())
	write(h.base.String())
	write(spellMark(h.mark))
	write(string(nonce))
	for _, p := range s.params {
		write(p)
	}
	return mac.Sum(nil)[:sealBytes]
}

// String spells the handle as clients hold it.
func (h handle) String() string {
	return h.upstream + "~" + h.fingerprint.String() + "~" + h.base.String() + "." + spellMark(h.mark) + "." + h.nonce
}

const markRadix = 36

func spellMark(m authz.Mark) string {
	return strconv.FormatUint(m.Lineage, markRadix) + "-" + strconv.FormatUint(m.Version, markRadix)
}

// parseMark reads what spellMark wrote, in that spelling alone.
func parseMark(s string) (m authz.Mark, ok bool) {
	lineage, version, ok := strings.Cut(s, "-")
	if !ok {
		return m, false
	}
	var err, err2 error
	m.Lineage, err = strconv.ParseUint(lineage, markRadix, 64)
	m.Version, err2 = strconv.ParseUint(version, markRadix, 64)
	return m, err == nil && err2 == nil && spellMark(m) == s
}

// parseHandle reads a handle. It says nothing of who minted it: see holds.
func parseHandle(s string) (handle, bool) {
	if len(s) > maxHandle || !isHandleText(s) {
		return handle{}, false
	}
	parts := strings.Split(s, "~")
	ok := len(parts) == 3
	if !ok || parts[0] == "" {
		return handle{}, false
	}
	rest := strings.Split(parts[2], ".")
	if len(rest) != 3 {
		return handle{}, false
	}
	base, mark, nonce := rest[0], rest[1], rest[2]
	h := handle{upstream: parts[0], nonce: nonce}
	var err error
	if h.mark, ok = parseMark(mark); !ok {
		return handle{}, false
	}
	if h.fingerprint, err = authz.ParseFingerprint(parts[1]); err != nil {
		return handle{}, false
	}
	if h.base, err = electric.ParseOffset(base); err != nil || !h.base.IsPosition() {
		return handle{}, false
	}
	return h, true
}

// isHandleText reports whether s could stand in a header and in a URL as it is.
func isHandleText(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_~.", c) >= 0) {
			return false
		}
	}
	return s != ""
}
