package proxy

import (
	"strings"
	"testing"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
)

var (
	testSecret = []byte("a secret for tests, long enough!")
	testScope  = scope{shape: "documents", params: []string{"p1"}, subject: subjectNamed("alice")}
)

func subjectNamed(id string) authz.Subject {
	return authz.Subject{ObjectRef: authz.ObjectRef{Type: "user", ID: id}}
}

func offsetOf(s string) electric.Offset {
	o, err := electric.ParseOffset(s)
	if err != nil {
		panic(err)
	}
	return o
}

func decided(ids ...string) *authz.Decision {
	d := authz.Decision{Grants: []*authz.GrantSet{grantsOf(ids...)}, Mark: authz.Mark{Lineage: 1 << 60, Version: 7}}
	d.Name = d.Fingerprint(authz.NewFingerprintKey(testSecret))
	return &d
}

func TestAHandleIsReadBackAsItWasMinted(t *testing.T) {
	key := newHandleKey(testSecret)
	h := key.mint(testScope, "104252396-1795463873759360", decided("d1"), offsetOf("27029048_1"))
	got, ok := parseHandle(h.String())
	if !ok || got != h {
		t.Fatalf("parseHandle(%s) = %+v, %v", h, got, ok)
	}
	if !key.holds(testScope, got) {
		t.Error("a minted handle does not hold")
	}
	if parts := strings.Split(h.String(), "~"); len(parts) != 3 || parts[0] != h.upstream || parts[1] != h.fingerprint.String() {
		t.Errorf("%s is not of the form <upstream>~<fingerprint>~<nonce>", h)
	}
}

func TestNoTwoHandlesAreTheSame(t *testing.T) {
	key := newHandleKey(testSecret)
	a := key.mint(testScope, "1-1", decided("d1"), electric.Start)
	b := key.mint(testScope, "1-1", decided("d1"), electric.Start)
	if a.String() == b.String() {
		t.Error("a client that was told 409 would refuse the new handle")
	}
}

func TestAHandleHoldsForNothingButWhatItWasMintedFor(t *testing.T) {
	key := newHandleKey(testSecret)
	h := key.mint(testScope, "1-1", decided("d1"), offsetOf("5_0"))
	for name, forge := range map[string]func(*handle, *scope){
		"another shape":       func(_ *handle, s *scope) { s.shape = "projects" },
		"another param":       func(_ *handle, s *scope) { s.params = []string{"p2"} },
		"no params":           func(_ *handle, s *scope) { s.params = nil },
		"another subject":     func(_ *handle, s *scope) { s.subject = subjectNamed("bob") },
		"an earlier base":     func(h *handle, _ *scope) { h.base = electric.Start },
		"another fingerprint": func(h *handle, _ *scope) { h.fingerprint = decided("d1", "d2").Name },
		"another time":        func(h *handle, _ *scope) { h.mark.Version++ },
		"another keeper":      func(h *handle, _ *scope) { h.mark.Lineage++ },
		"another log":         func(h *handle, _ *scope) { h.upstream = "2-2" },
		"another nonce":       func(h *handle, _ *scope) { h.nonce = strings.Repeat("A", len(h.nonce)) },
		"no nonce":            func(h *handle, _ *scope) { h.nonce = "" },
	} {
		forged, s := h, testScope
		forge(&forged, &s)
		if key.holds(s, forged) {
			t.Errorf("a handle with %s holds", name)
		}
	}
	if newHandleKey([]byte("the secret of another deployment")).holds(testScope, h) {
		t.Error("a handle of another deployment holds")
	}
	if !newHandleKey(testSecret).holds(testScope, h) {
		t.Error("a handle does not hold on another replica, or after a restart")
	}
}

func FuzzParseHandle(f *testing.F) {
	key := newHandleKey(testSecret)
	f.Add(key.mint(testScope, "104252396-1795463873759360", decided("d1"), offsetOf("27029048_1")).String())
	f.Add("1~2~3")
	f.Add("~~")
	f.Add("a\r\nSet-Cookie: x~b~0_0.c")
	f.Fuzz(func(t *testing.T, s string) {
		h, ok := parseHandle(s)
		if !ok {
			return
		}
		if h.String() != s {
			t.Errorf("parseHandle(%q) is spelled %q", s, h)
		}
		if !isHandleText(s) {
			t.Errorf("%q could not stand in a header", s)
		}
		if key.holds(scope{shape: "another"}, h) {
			t.Errorf("%q holds for a shape it was not minted for", s)
		}
	})
}
