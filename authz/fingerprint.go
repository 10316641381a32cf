package authz

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash"
	"log/slog"
	"math/bits"
	"sync"
)

// FingerprintKey keys every fingerprint. All replicas must have the same one:
// then equal sets have equal fingerprints on each of them, and after a restart.
// Make one with NewFingerprintKey: the zero value is no key.
//
// It is a secret. It prints as a placeholder, so that it cannot reach a log.
type FingerprintKey struct {
	hashes *sync.Pool // of *keyedHash: to make one takes half the time of a fingerprint
}

// NewFingerprintKey derives a key from a secret that the replicas share. The
// secret should have at least 32 bytes of randomness; it may serve other
// purposes too, since the key is derived for this one alone.
func NewFingerprintKey(secret []byte) FingerprintKey {
	// HMAC with a fixed label is a pseudorandom function of the secret, whatever
	// the secret's length: what HKDF does, for one key of one block.
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("shapegate/authz/fingerprint/v1"))
	derived := mac.Sum(nil)
	return FingerprintKey{&sync.Pool{New: func() any { return &keyedHash{of: hmac.New(sha256.New, derived)} }}}
}

// keyedHash is HMAC-SHA-256 under the key, of one input. It is not safe for concurrent use.
type keyedHash struct {
	of  hash.Hash
	in  []byte // the input; the caller appends to it
	out [sha256.Size]byte
}

// begin returns the hash of an input that is for a use, and is not complete yet.
func (k FingerprintKey) begin(use byte) *keyedHash {
	h := k.hashes.Get().(*keyedHash)
	h.in = append(h.in[:0], use)
	return h
}

// end returns the hash of the input. The caller does not use h any more.
func (k FingerprintKey) end(h *keyedHash) [sha256.Size]byte {
	defer k.hashes.Put(h)
	h.of.Reset()
	h.of.Write(h.in)
	return [sha256.Size]byte(h.of.Sum(h.out[:0]))
}

const redactedKey = "[fingerprint key]"

// String returns a placeholder.
func (FingerprintKey) String() string { return redactedKey }

// GoString returns a placeholder.
func (FingerprintKey) GoString() string { return redactedKey }

// LogValue returns a placeholder.
func (FingerprintKey) LogValue() slog.Value { return slog.StringValue(redactedKey) }

// MarshalText returns a placeholder, which no encoding of a struct that holds a
// key can get round.
func (FingerprintKey) MarshalText() ([]byte, error) { return []byte(redactedKey), nil }

// What the key is used for. The first byte of every input to the keyed function
// says which, so that an output for one use is never one for another.
const (
	useElement byte = 1 + iota
	useSet
	useCombined
)

// Fingerprint stands for the content of a set, or of several: 128 bits that
// cannot be predicted, or have content chosen for them, without the key.
//
// Fingerprints of sets are built in two steps.
//
//  1. Each id is mapped by HMAC-SHA-256 under the key to a number, and the
//     numbers of a set's ids are added modulo 2^128. A sum has no order, and
//     can be brought up to date by adding what came and subtracting what went.
//  2. HMAC-SHA-256 under the key of the sum and of the number of ids, cut to
//     128 bits, is the fingerprint.
//
// Sums of hashes alone are open to forgery: who can compute the summands finds
// two sets with the same sum by Wagner's generalized birthday attack. Here the
// summands cannot be computed without the key, and no sum is ever shown, only
// its keyed hash. Without the key, the numbers are independent and
// uniform, so two different sets, however chosen, differ in at least one uniform
// summand and have equal sums with probability 2^-128.
type Fingerprint [16]byte

// String returns the fingerprint in 22 characters of the URL-safe base64
// alphabet (RFC 4648 section 5), without padding.
func (f Fingerprint) String() string { return base64.RawURLEncoding.EncodeToString(f[:]) }

var errNotAFingerprint = errors.New("not a fingerprint")

// ParseFingerprint reads what String wrote. Every fingerprint has one spelling:
// any other is an Invalid error.
func ParseFingerprint(s string) (Fingerprint, error) {
	var f Fingerprint
	if len(s) != base64.RawURLEncoding.EncodedLen(len(f)) {
		return Fingerprint{}, E(Invalid, "parse fingerprint", errNotAFingerprint)
	}
	// Decode passes over line breaks, which the length leaves no room for, and
	// Strict refuses stray bits in the last character.
	n, err := base64.RawURLEncoding.Strict().Decode(f[:], []byte(s))
	if err != nil || n != len(f) {
		return Fingerprint{}, E(Invalid, "parse fingerprint", errNotAFingerprint)
	}
	return f, nil
}

// CombineFingerprints makes one fingerprint of several, in their order. The
// label says what they are: the same parts under another label give another
// fingerprint, so sets of the same ids for two filters have different ones.
func CombineFingerprints(key FingerprintKey, label string, parts ...Fingerprint) Fingerprint {
	h := key.begin(useCombined)
	h.in = binary.BigEndian.AppendUint64(h.in, uint64(len(label)))
	h.in = append(h.in, label...)
	for _, p := range parts {
		h.in = append(h.in, p[:]...)
	}
	return truncated(key.end(h))
}

// ofSet is the second step: from the sum and the number of ids.
func (k FingerprintKey) ofSet(sum elementSum, count uint64) Fingerprint {
	h := k.begin(useSet)
	h.in = binary.BigEndian.AppendUint64(h.in, sum.hi)
	h.in = binary.BigEndian.AppendUint64(h.in, sum.lo)
	h.in = binary.BigEndian.AppendUint64(h.in, count)
	return truncated(k.end(h))
}

func truncated(full [sha256.Size]byte) Fingerprint { return Fingerprint(full[:len(Fingerprint{})]) }

// element is the first step, for one id.
func (k FingerprintKey) element(id string) elementSum {
	h := k.begin(useElement)
	h.in = append(h.in, id...)
	out := k.end(h)
	return elementSum{hi: binary.BigEndian.Uint64(out[0:]), lo: binary.BigEndian.Uint64(out[8:])}
}

// elementSum is a sum of elements modulo 2^128.
type elementSum struct{ hi, lo uint64 }

func (s elementSum) plus(t elementSum) elementSum {
	lo, carry := bits.Add64(s.lo, t.lo, 0)
	hi, _ := bits.Add64(s.hi, t.hi, carry)
	return elementSum{hi, lo}
}

func (s elementSum) minus(t elementSum) elementSum {
	lo, borrow := bits.Sub64(s.lo, t.lo, 0)
	hi, _ := bits.Sub64(s.hi, t.hi, borrow)
	return elementSum{hi, lo}
}
