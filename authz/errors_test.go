package authz

import (
	"errors"
	"fmt"
	"testing"
)

func TestAnErrorSaysItsKindOnce(t *testing.T) {
	cause := errors.New("it is empty")
	for want, err := range map[string]error{
		"read: invalid":                                  E(Invalid, "read", nil),
		"read: invalid: it is empty":                     E(Invalid, "read", cause),
		"sign: read: invalid: it is empty":               E(Invalid, "sign", E(Invalid, "read", cause)),
		"sign: user: read: invalid: it is empty":         E(Invalid, "sign", fmt.Errorf("user: %w", E(Invalid, "read", cause))),
		"sign: unavailable: read: invalid: it is empty":  E(Unavailable, "sign", E(Invalid, "read", cause)),
		"sign: unavailable: read: internal: it is empty": E(Unavailable, "sign", E(Internal, "read", cause)),
	} {
		if got := err.Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
