package authz

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func setOf(ids ...string) *GrantSet { return NewGrantSet(NewIDs(testKey), slices.Values(ids)) }

// A fingerprint outlives the process: clients hold it, other replicas read it.
// If this test fails, every client refetches at the next deployment.
func TestFingerprintsStayTheSameOverVersions(t *testing.T) {
	for _, tt := range []struct {
		name string
		got  Fingerprint
		want string
	}{
		{"empty set", setOf().Fingerprint(), "KzXDE127Nu8nLt2ZwUYyVA"},
		{"set", setOf("a", "b").Fingerprint(), "mHJ9ZuM3hVR-Fv29ZQLyXw"},
		{"combination", CombineFingerprints(testKey, "label", setOf("a").Fingerprint()), "WW8_OwKBKms7e6AeoITbvg"},
		{"grants", GrantsOf(setOf("a"), setOf()).Fingerprint(testKey, "label"), "8bXJGYAOnDFszDeiLgUZ7Q"},
		{"everything", Everything().Fingerprint(testKey, "label"), "-Oeoebuv4WPkS5E_7sg7LA"},
	} {
		if got := tt.got.String(); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestAnotherKeyGivesAnotherFingerprint(t *testing.T) {
	other := NewFingerprintKey([]byte("another secret"))
	a := NewGrantSet(NewIDs(other), slices.Values([]string{"a"}))
	if a.Fingerprint() == setOf("a").Fingerprint() {
		t.Error("the fingerprint does not depend on the key")
	}
	if !a.Equal(setOf("a")) {
		t.Error("the sets are equal all the same")
	}
}

func TestDifferentGrantsHaveDifferentFingerprints(t *testing.T) {
	a, b, none := setOf("a"), setOf("b"), setOf()
	grants := map[string]Grants{
		"everything":           Everything(),
		"no filter":            GrantsOf(),
		"a":                    GrantsOf(a),
		"b":                    GrantsOf(b),
		"nothing":              GrantsOf(none),
		"a by the first of 2":  GrantsOf(a, none),
		"a by the second of 2": GrantsOf(none, a),
		"a, b":                 GrantsOf(a, b),
		"b, a":                 GrantsOf(b, a),
		"a ∪ b":                GrantsOf(a.Union(b)),
	}
	seen := make(map[Fingerprint]string)
	for name, g := range grants {
		for _, label := range []string{"label", "other"} {
			f := g.Fingerprint(testKey, label)
			if other, ok := seen[f]; ok {
				t.Errorf("%q by %q and %q have the same fingerprint", name, label, other)
			}
			seen[f] = name + " by " + label
		}
	}
	if GrantsOf(nil).Fingerprint(testKey, "label") != grants["nothing"].Fingerprint(testKey, "label") {
		t.Error("a set that was never looked up is not the empty set")
	}
}

func TestCombinationsHaveDifferentFingerprints(t *testing.T) {
	f, g := setOf("a").Fingerprint(), setOf("b").Fingerprint()
	combined := []Fingerprint{
		CombineFingerprints(testKey, "document#view", f),
		CombineFingerprints(testKey, "project#view", f),
		CombineFingerprints(testKey, "document#view", g),
		CombineFingerprints(testKey, "document#view", f, g),
		CombineFingerprints(testKey, "document#view", g, f),
		CombineFingerprints(testKey, "document#view"),
		CombineFingerprints(testKey, "document#view"+string(f[:])),
		f,
	}
	for i, a := range combined {
		if slices.Contains(combined[:i], a) {
			t.Errorf("combination %d is not new", i)
		}
	}
}

func TestFingerprintsHaveOneSpelling(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var f Fingerprint
		copy(f[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "bytes"))
		s := f.String()
		if len(s) != 22 || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Fatalf("%q is not 22 URL-safe characters", s)
		}
		if got, err := ParseFingerprint(s); err != nil || got != f {
			t.Fatalf("%q was read as %v, %v", s, got, err)
		}
		// Any other text is refused, or the fingerprint of its own.
		i := rapid.IntRange(0, 21).Draw(t, "place")
		other := s[:i] + string(rapid.Byte().Draw(t, "character")) + s[i+1:]
		if got, err := ParseFingerprint(other); other != s && err == nil && got.String() != other {
			t.Fatalf("%q was read as %v", other, got)
		}
	})
	for _, s := range []string{"", "abc", strings.Repeat("A", 21), strings.Repeat("A", 23), strings.Repeat("A", 21) + "B", strings.Repeat("A", 21) + "\n", strings.Repeat("+", 22)} {
		if f, err := ParseFingerprint(s); err == nil || KindOf(err) != Invalid {
			t.Errorf("%q was read as %v, %v", s, f, err)
		}
	}
}

func TestTheKeyDoesNotPrint(t *testing.T) {
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(verb, testKey); got != redactedKey {
			t.Errorf("%s prints %s", verb, got)
		}
	}
	if got, want := fmt.Sprintf("%x", testKey), fmt.Sprintf("%x", redactedKey); got != want {
		t.Errorf("%%x prints %s", got)
	}
	inside := struct{ Key FingerprintKey }{testKey}
	if got := fmt.Sprintf("%v", inside); got != "{"+redactedKey+"}" {
		t.Errorf("inside a struct it prints %s", got)
	}
	if got, err := json.Marshal(inside); err != nil || string(got) != `{"Key":"`+redactedKey+`"}` {
		t.Errorf("as JSON it is %s, %v", got, err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("", "key", testKey, "in", inside)
	slog.New(slog.NewTextHandler(&log, nil)).Info("", "key", testKey)
	if n := strings.Count(log.String(), redactedKey); n != 3 {
		t.Errorf("the log is %s", &log)
	}
}
