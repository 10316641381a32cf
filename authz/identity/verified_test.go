package identity

import (
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/authz"
)

func TestWhatIsRememberedOfTokensIsBoundedInBytes(t *testing.T) {
	v := newVerified()
	large := map[string]any{"groups": strings.Repeat("x", 6<<10)}
	for i := range 10_000 {
		who := Identity{Subject: authz.Subject{ObjectRef: authz.ObjectRef{Type: "user", ID: "alice"}, Claims: large}}
		v.put(sha256.Sum256([]byte{byte(i), byte(i >> 8)}), who)
	}
	if got := v.tokens.Bytes(); got > verifiedBytes || got < verifiedBytes/2 {
		t.Errorf("%d bytes are remembered", got)
	}
}
