package cursor

import (
	"bytes"
	"testing"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
)

// full is a cursor that has everything.
func full() Cursor {
	fence := electric.NewFence(800, 805, []uint64{801, 803}, 27094008)
	named := func(n byte) Grants { return Grants{authz.Fingerprint{n}, []authz.ZedToken{"GhUKEzE3", "GhUKEzE4"}} }
	at := time.UnixMicro(1_800_000_000_000_000)
	moment := authz.Moment{Time: at, Losses: []authz.Loss{7, 1 << 31}}
	return Cursor{
		Upstream: "3297964-1795463878298592", Base: electric.Start, Served: named(1), At: moment,
		Pending: []Resync{{To: named(2), At: moment, Fence: fence, Mark: 129, Interrupted: [][]string{{"a"}, nil}, Fresh: true, Collapses: true, ByKey: true}},
		Steps:   []Step{{Before: []Grants{named(3)}, Interrupted: [][]string{{"b", "c"}}, Fence: fence, At: at}, {Fresh: true, At: at}},
	}
}

func FuzzDecode(f *testing.F) {
	c := full()
	f.Add(encode(nil, &c, 0))
	f.Add(encode(nil, &c, 2))
	f.Add(encode(nil, &Cursor{}, 0))
	f.Add([]byte{version})
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := decode(body)
		if err != nil {
			return
		}
		if again := encode(nil, &c, 0); !bytes.Equal(again, body) {
			t.Errorf("%x\nis encoded to\n%x", body, again)
		}
	})
}

func TestABodyHasOneSpelling(t *testing.T) {
	c := full()
	body := encode(nil, &c, 0)
	if _, err := decode(body); err != nil {
		t.Fatal(err)
	}
	for n := range body {
		if _, err := decode(body[:n]); err == nil {
			t.Errorf("cut after %d bytes it decodes", n)
		}
	}
	if _, err := decode(append(bytes.Clone(body), 0)); err == nil {
		t.Error("with one byte more it decodes")
	}
	for v := range byte(255) {
		body[0] = v
		if _, err := decode(body); (err == nil) != (v == version) {
			t.Errorf("version %d: %v", v, err)
		}
	}
	empty := encode(nil, &Cursor{}, 0)
	long := append([]byte{version, 0x80, 0}, empty[2:]...) // the length of Upstream, in two bytes
	if _, err := decode(long); err == nil {
		t.Error("a number in a longer spelling decodes")
	}
}

// The bytes that the package's documentation has.
func TestTheDocumentedBody(t *testing.T) {
	want := "\x03" +
		"\x183297964-1795463878298592" +
		"\x0a27065288_1" +
		"\x80\xa0\xbc\xad\xd3\xfe\x92\x03" + "\x00" +
		"\x01" +
		"\x01" + "\x00" + "\x00" +
		"\xa5\x06\x00\x00\xf8\xd7\xf5\x0c" +
		"\x80\xa0\xbc\xad\xd3\xfe\x92\x03" +
		"\x00" +
		"\xa1\x5f\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
		"\x01" +
		"\x14GhUKEzE3OTU0NjM4Nzk="
	base, err := electric.ParseOffset("27065288_1")
	if err != nil {
		t.Fatal(err)
	}
	c := FirstRead("3297964-1795463878298592", base, authz.Decision{
		Fingerprint: authz.Fingerprint{0xa1, 0x5f},
		Tokens:      []authz.ZedToken{"GhUKEzE3OTU0NjM4Nzk="},
		At:          authz.Moment{Time: time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)},
	}, electric.NewFence(805, 805, nil, 27094008))
	if got := string(encode(nil, &c, 0)); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
