package shapetoken_test

import (
	"encoding/json"
	"encoding/pem"
	"slices"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/shapetoken"
)

// RFC 8037, appendix A: a key, its public part, and its thumbprint.
const (
	rfcPrivate    = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n"
	rfcPublic     = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
	rfcThumbprint = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
)

func TestAKeyIsPublishedAsTheStandardsSay(t *testing.T) {
	s, err := shapetoken.ParseKeys([]byte(rfcPrivate))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"keys":[{"crv":"Ed25519","kty":"OKP","x":"` + rfcPublic + `","kid":"` + rfcThumbprint + `","alg":"EdDSA","use":"sig"}]}`
	if got := string(s.Public()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// NIST's P-256 is published with both coordinates, each of 32 bytes.
func TestAKeyOfP256IsPublishedWithBothCoordinates(t *testing.T) {
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal(keySet(t, newKey(t, "P-256")).Public(), &set); err != nil {
		t.Fatal(err)
	}
	k := set.Keys[0]
	if k["kty"] != "EC" || k["crv"] != "P-256" || k["alg"] != "ES256" || len(k["x"]) != 43 || len(k["y"]) != 43 {
		t.Errorf("published as %v", k)
	}
}

func TestTheFirstKeySignsAndAllVerify(t *testing.T) {
	old, young := newKey(t, "Ed25519"), newKey(t, "P-256")
	before, between, after := keySet(t, old), keySet(t, young, old), keySet(t, young)
	text := sign(t, authority(before), example())
	if _, err := authority(between).Verify(text); err != nil {
		t.Errorf("the old key, behind the new one: %v", err)
	}
	if _, err := authority(after).Verify(text); authz.KindOf(err) != authz.Unauthenticated {
		t.Errorf("the old key, when it is gone: %v", err)
	}
	if _, err := authority(after).Verify(sign(t, authority(between), example())); err != nil {
		t.Errorf("the new key: %v", err)
	}
	if !slices.Equal(between.IDs(), slices.Concat(after.IDs(), before.IDs())) {
		t.Errorf("the keys %v", between.IDs())
	}
}

func TestAFileWithoutGoodKeysIsRefused(t *testing.T) {
	good := string(inPEM(t, newKey(t, "Ed25519")))
	block := func(typ, content string) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: []byte(content)}))
	}
	for name, c := range map[string]struct{ text, says string }{
		"nothing":            {"", "openssl genpkey"},
		"a public key":       {block("PUBLIC KEY", "x"), "not a private key"},
		"a broken key":       {block("PRIVATE KEY", "x"), "cannot be read"},
		"an encrypted key":   {block("ENCRYPTED PRIVATE KEY", "x"), "without a password"},
		"a good one, twice":  {good + good, "same as key 1"},
		"one that is cut":    {good + good[:60], "cut off"},
		"a good one and not": {good + block("CERTIFICATE", "x"), "key 2"},
	} {
		_, err := shapetoken.ParseKeys([]byte(c.text))
		if authz.KindOf(err) != authz.Invalid || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A file that is read has at least one key, and publishes no private part.
func FuzzParseKeys(f *testing.F) {
	f.Add([]byte(rfcPrivate))
	f.Add(inPEM(f, newKey(f, "P-256"), newKey(f, "Ed25519")))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := shapetoken.ParseKeys(text)
		if err != nil {
			return
		}
		var set struct{ Keys []map[string]string }
		if err := json.Unmarshal(s.Public(), &set); err != nil || len(set.Keys) == 0 || len(set.Keys) != len(s.IDs()) {
			t.Fatalf("%d keys: %v: %s", len(s.IDs()), err, s.Public())
		}
		for _, k := range set.Keys {
			if _, ok := k["d"]; ok {
				t.Error("a private key is published")
			}
		}
	})
}
