package forwarded_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/proxy/forwarded"
)

func proxies(t testing.TB, list string) forwarded.Proxies {
	t.Helper()
	p, err := forwarded.ParseProxies(list)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTheClientIsTheFirstFromTheRightThatIsNotTrusted(t *testing.T) {
	trusted := proxies(t, "10.0.0.0/8, 192.168.1.1,2001:db8:1::/48")
	const xff, rfc = forwarded.XForwardedFor, forwarded.Forwarded
	for _, tt := range []struct {
		peer  string
		of    forwarded.Header
		lines []string
		want  string // "invalid IP": not known
	}{
		// Who is not trusted says nothing of themselves.
		{"203.0.113.9", xff, []string{"198.51.100.1"}, "203.0.113.9"},
		{"203.0.113.9", rfc, []string{"for=198.51.100.1"}, "203.0.113.9"},
		{"192.168.1.2", xff, []string{"198.51.100.1"}, "192.168.1.2"},

		{"10.1.2.3", xff, nil, "10.1.2.3"},
		{"10.1.2.3", xff, []string{"198.51.100.1"}, "198.51.100.1"},
		{"::ffff:10.1.2.3", xff, []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"192.168.1.1", xff, []string{"198.51.100.1"}, "198.51.100.1"},
		{"2001:db8:1::7", xff, []string{"2001:db8:2::1"}, "2001:db8:2::1"},
		// What a client wrote itself stands to the left.
		{"10.1.2.3", xff, []string{"10.9.9.9, 198.51.100.1"}, "198.51.100.1"},
		{"10.1.2.3", xff, []string{"1.1.1.1", "2.2.2.2, 198.51.100.1"}, "198.51.100.1"},
		{"10.1.2.3", xff, []string{"nonsense, 198.51.100.1"}, "198.51.100.1"},
		{"10.1.2.3", xff, []string{",,198.51.100.1"}, "198.51.100.1"},
		// Several trusted proxies.
		{"10.1.2.3", xff, []string{"1.1.1.1, 198.51.100.1, 10.0.0.1", "192.168.1.1"}, "198.51.100.1"},
		{"10.1.2.3", xff, []string{"10.0.0.1, 10.0.0.2"}, "10.0.0.1"},
		// With a port.
		{"10.1.2.3", xff, []string{"198.51.100.1:4711"}, "198.51.100.1"},
		{"10.1.2.3", xff, []string{"[2001:db8::1]:4711"}, "2001:db8::1"},
		{"10.1.2.3", xff, []string{"[2001:db8::1]"}, "2001:db8::1"},
		// Malformed.
		{"10.1.2.3", xff, []string{""}, "invalid IP"},
		{"10.1.2.3", xff, []string{"198.51.100.1,"}, "invalid IP"},
		{"10.1.2.3", xff, []string{"unknown"}, "invalid IP"},
		{"10.1.2.3", xff, []string{"198.51.100.1, unknown, 10.0.0.1"}, "invalid IP"},
		{"10.1.2.3", xff, []string{"198.51.100.1 10.0.0.1"}, "invalid IP"},
		{"10.1.2.3", xff, []string{"198.51.100"}, "invalid IP"},
		{"10.1.2.3", xff, []string{"198.51.100.256"}, "invalid IP"},
		{"10.1.2.3", xff, []string{"fe80::1%eth0"}, "invalid IP"},
		{"10.1.2.3", xff, []string{"[198.51.100.1]"}, "invalid IP"},
		{"10.1.2.3", xff, []string{"localhost:80"}, "invalid IP"},
		{"10.1.2.3", xff, []string{`"198.51.100.1"`}, "invalid IP"},
		// The other header says nothing.
		{"10.1.2.3", xff, []string{"for=198.51.100.1"}, "invalid IP"},

		{"10.1.2.3", rfc, []string{"for=198.51.100.1"}, "198.51.100.1"},
		{"10.1.2.3", rfc, []string{"For=198.51.100.1;Proto=https;by=10.0.0.1"}, "198.51.100.1"},
		{"10.1.2.3", rfc, []string{`proto=https ; for="[2001:db8::1]:4711"`}, "2001:db8::1"},
		{"10.1.2.3", rfc, []string{`for="198.51.100.1:80";host="a,b;for=1.1.1.1"`}, "198.51.100.1"},
		{"10.1.2.3", rfc, []string{"for=1.1.1.1, for=198.51.100.1", "for=10.0.0.1;proto=http"}, "198.51.100.1"},
		{"10.1.2.3", rfc, []string{`for="a\"b, c", for=198.51.100.1`}, "198.51.100.1"},
		{"10.1.2.3", rfc, []string{"for=unknown"}, "invalid IP"},
		{"10.1.2.3", rfc, []string{"for=_hidden, for=10.0.0.1"}, "invalid IP"},
		{"10.1.2.3", rfc, []string{"proto=https"}, "invalid IP"},
		{"10.1.2.3", rfc, []string{"for=198.51.100.1;for=1.1.1.1"}, "invalid IP"},
		{"10.1.2.3", rfc, []string{`for="198.51.100.1`}, "invalid IP"},
		{"10.1.2.3", rfc, []string{`for="198.51.100.1"x`}, "invalid IP"},
		{"10.1.2.3", rfc, []string{"for=198.51.100.1 x"}, "invalid IP"},
		{"10.1.2.3", rfc, []string{"for"}, "invalid IP"},
		{"10.1.2.3", rfc, []string{"for="}, "invalid IP"},
		// A quote that a client opens must not swallow what a proxy adds.
		{"10.1.2.3", rfc, []string{`for="1.1.1.1`, "for=198.51.100.1"}, "invalid IP"},
	} {
		got := trusted.Client(netip.MustParseAddr(tt.peer), http.Header{string(tt.of): tt.lines}, tt.of)
		if got.String() != tt.want {
			t.Errorf("%s: %s %q: %s, want %s", tt.peer, tt.of, tt.lines, got, tt.want)
		}
	}
	other := http.Header{"Forwarded": {"for=1.1.1.1"}, "X-Forwarded-For": {"198.51.100.1"}}
	if got := trusted.Client(netip.MustParseAddr("10.0.0.1"), other, xff).String(); got != "198.51.100.1" {
		t.Errorf("of two headers: %s", got)
	}
	if got := forwarded.Proxies(nil).Client(netip.MustParseAddr("10.0.0.1"), other, xff).String(); got != "10.0.0.1" {
		t.Errorf("without trusted proxies: %s", got)
	}
}

func TestProxiesAreAddressesAndNetworks(t *testing.T) {
	p := proxies(t, " 10.1.2.3/8 ,, ::ffff:192.0.2.1 ,2001:db8::/32,")
	for address, want := range map[string]bool{
		"10.255.0.1": true, "11.0.0.1": false, "192.0.2.1": true, "::ffff:192.0.2.1": true, "192.0.2.2": false, "2001:db8:ffff::1": true, "2001:db9::1": false,
	} {
		if got := p.Contain(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
	for _, wrong := range []string{"10.0.0.0/33", "example.com", "300.0.0.1", "fe80::1%eth0", "10.0.0.0/8;11.0.0.0/8", "::ffff:10.0.0.0/104", "0.0.0.0/0", "::/0", "*"} {
		if _, err := forwarded.ParseProxies(wrong); err == nil || strings.Contains(err.Error(), wrong) {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}

// Whatever a client writes, it stands to the left of what the trusted proxy adds.
func FuzzAClientCannotChooseItsAddress(f *testing.F) {
	for _, s := range []string{"", "1.1.1.1", `for="1.1.1.1`, `for=1.1.1.1;x="`, `",`, `\`, "for=1.1.1.1,", "unknown"} {
		f.Add(s)
	}
	trusted := proxies(f, "10.0.0.0/8")
	f.Fuzz(func(t *testing.T, sent string) {
		for added, of := range map[string]forwarded.Header{
			"198.51.100.1": forwarded.XForwardedFor, "for=198.51.100.1": forwarded.Forwarded,
			`for="198.51.100.1:80";proto=https`: forwarded.Forwarded, `for=198.51.100.1;host="a\"b"`: forwarded.Forwarded,
		} {
			for _, lines := range [][]string{{sent, added}, {sent + ", " + added}} {
				got := trusted.Client(netip.MustParseAddr("10.0.0.1"), http.Header{string(of): lines}, of)
				if got.IsValid() && got.String() != "198.51.100.1" {
					t.Errorf("%s %q: %s", of, lines, got)
				}
			}
		}
	})
}
