package cursor_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/cursor"
	"github.com/shapegate/shapegate/proxy/electric"
)

var (
	key   = cursor.NewKey([]byte("a secret that the replicas share"))
	scope = cursor.Scope{Shape: "documents", Subject: "user:alice", Params: []string{"p1", "full"}}
)

// alike compares cursors.
var alike = cmp.Options{
	cmp.Comparer(func(a, b electric.Offset) bool { return a == b }),
	cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) }),
	cmp.Comparer(func(a, b electric.Fence) bool {
		return a.XMin() == b.XMin() && a.XMax() == b.XMax() && cmp.Equal(a.XIP(), b.XIP()) && a.LSN() == b.LSN()
	}),
}

// One key seals for all requests at once: none may get the hash of another.
func TestAKeySealsAndOpensForManyAtOnce(t *testing.T) {
	c := first(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				if _, err := key.Open(key.Seal(&c, scope), scope); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

func TestAHandleIsGoodForItsScopeAlone(t *testing.T) {
	c := first(t)
	handle := key.Seal(&c, scope)
	if !cursor.IsText(handle) {
		t.Errorf("%s is no text of a handle", handle)
	}
	if _, err := key.Open(handle, scope); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		key  cursor.Key
		s    cursor.Scope
	}{
		{"another key", cursor.NewKey([]byte("another secret")), scope},
		{"another shape", key, cursor.Scope{Shape: "tasks", Subject: "user:alice", Params: scope.Params}},
		{"another subject", key, cursor.Scope{Shape: "documents", Subject: "user:bob", Params: scope.Params}},
		{"another param", key, cursor.Scope{Shape: "documents", Subject: "user:alice", Params: []string{"p2", "full"}}},
		{"params in another order", key, cursor.Scope{Shape: "documents", Subject: "user:alice", Params: []string{"full", "p1"}}},
		{"a param less", key, cursor.Scope{Shape: "documents", Subject: "user:alice", Params: []string{"p1"}}},
		{"a param more", key, cursor.Scope{Shape: "documents", Subject: "user:alice", Params: []string{"p1", "full", ""}}},
		{"params that read the same", key, cursor.Scope{Shape: "documents", Subject: "user:alice", Params: []string{"p1f", "ull"}}},
		{"a shape that goes on", key, cursor.Scope{Shape: "documentsuser:", Subject: "alice", Params: scope.Params}},
		{"a subject that ends early", key, cursor.Scope{Shape: "documents", Subject: "user:", Params: []string{"alice", "p1", "full"}}},
	} {
		if _, err := tt.key.Open(handle, tt.s); !errors.Is(err, cursor.ErrNotACursor) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestAHandleThatWasNotSealedHereIsRefused(t *testing.T) {
	c := first(t)
	handle := key.Seal(&c, scope)
	for name, text := range map[string]string{
		"nothing":             "",
		"Electric's own":      "3297964-1795463878298592",
		"no base64":           "!" + handle,
		"with padding":        handle + "=",
		"with a line break":   handle[:8] + "\n" + handle[8:],
		"longer than allowed": strings.Repeat("A", cursor.MaxHandle+4),
	} {
		if _, err := key.Open(text, scope); !errors.Is(err, cursor.ErrNotACursor) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for n := range len(handle) {
		if _, err := key.Open(handle[:n], scope); !errors.Is(err, cursor.ErrNotACursor) {
			t.Errorf("cut after %d: %v", n, err)
		}
		other := []byte(handle)
		if other[n]++; other[n] == handle[n] {
			continue
		}
		if _, err := key.Open(string(other), scope); !errors.Is(err, cursor.ErrNotACursor) {
			t.Errorf("changed at %d: %v", n, err)
		}
	}
}

// A client that was answered 409 never again takes its old handle.
func TestTwoHandlesAreNeverEqual(t *testing.T) {
	c := first(t)
	seen := make(map[string]bool)
	for range 1000 {
		handle := key.Seal(&c, scope)
		if seen[handle] {
			t.Fatal("two handles are equal")
		}
		seen[handle] = true
	}
}

func TestARandomCursorComesBackFromItsHandle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := randomCursor(t)
		handle := key.Seal(&c, scope)
		if len(handle) > cursor.MaxHandle {
			t.Skip("too long") // see TestALongHandleLosesItsOldestRevisions
		}
		back, err := key.Open(handle, scope)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c, back, alike); diff != "" {
			t.Fatal(diff)
		}
	})
}

func randomCursor(t *rapid.T) cursor.Cursor {
	number := rapid.Uint64Range(0, 1<<62)
	grants := rapid.Custom(func(t *rapid.T) cursor.Grants {
		g := cursor.Grants{Fingerprint: authz.Fingerprint(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "fingerprint"))}
		for _, token := range rapid.SliceOfN(rapid.StringN(0, 20, 40), 0, 2).Draw(t, "tokens") {
			g.Tokens = append(g.Tokens, authz.ZedToken(token))
		}
		return g
	})
	at := rapid.Custom(func(t *rapid.T) time.Time { return time.UnixMicro(rapid.Int64Range(0, 1<<61).Draw(t, "time")) })
	moment := rapid.Custom(func(t *rapid.T) authz.Moment {
		m := authz.Moment{Time: at.Draw(t, "time")}
		for range rapid.IntRange(0, authz.MostLosses).Draw(t, "losses") {
			m.Losses = append(m.Losses, authz.Loss(rapid.Uint32().Draw(t, "loss")))
		}
		return m
	})
	fence := rapid.Custom(func(t *rapid.T) electric.Fence {
		xmax := number.Draw(t, "xmax")
		var xip []uint64
		for range rapid.IntRange(0, 3).Draw(t, "running") {
			xip = append(xip, rapid.Uint64Range(0, xmax).Draw(t, "xip"))
		}
		return electric.NewFence(rapid.Uint64Range(0, xmax).Draw(t, "xmin"), xmax, xip, number.Draw(t, "lsn"))
	})
	ids := rapid.Custom(func(t *rapid.T) [][]string {
		var all [][]string
		for range rapid.IntRange(0, 2).Draw(t, "filters") {
			var of []string
			for range rapid.IntRange(0, 3).Draw(t, "ids") {
				of = append(of, rapid.StringN(1, 5, 10).Draw(t, "id"))
			}
			all = append(all, of)
		}
		return all
	})
	c := cursor.Cursor{Upstream: rapid.StringN(0, 30, 60).Draw(t, "upstream"), Served: grants.Draw(t, "served"), At: moment.Draw(t, "at")}
	c.Base = electric.Start
	if rapid.Bool().Draw(t, "has a base") {
		c.Base, _ = electric.ParseOffset(rapid.StringMatching(`[1-9][0-9]{0,15}_([1-9][0-9]?|inf)`).Draw(t, "base"))
	}
	for range rapid.IntRange(0, cursor.MaxPending).Draw(t, "pending") {
		c.Pending = append(c.Pending, cursor.Resync{
			To: grants.Draw(t, "to"), At: moment.Draw(t, "at"), Fence: fence.Draw(t, "fence"), Mark: number.Draw(t, "mark"), Interrupted: ids.Draw(t, "interrupted"),
			Fresh: rapid.Bool().Draw(t, "fresh"), Collapses: rapid.Bool().Draw(t, "collapses"), ByKey: rapid.Bool().Draw(t, "by key"),
		})
	}
	for range rapid.IntRange(0, cursor.MaxSteps).Draw(t, "steps") {
		s := cursor.Step{Interrupted: ids.Draw(t, "interrupted"), Fresh: rapid.Bool().Draw(t, "fresh"), Fence: fence.Draw(t, "fence"), At: at.Draw(t, "at")}
		for range rapid.IntRange(0, 3).Draw(t, "before") {
			s.Before = append(s.Before, grants.Draw(t, "grants"))
		}
		c.Steps = append(c.Steps, s)
	}
	return c
}

// tokens are revisions of two filters, as a datastore spells them.
func tokens(length int) []authz.ZedToken {
	return []authz.ZedToken{authz.ZedToken(strings.Repeat("a", length)), authz.ZedToken(strings.Repeat("b", length))}
}

func TestALongHandleLosesItsOldestRevisions(t *testing.T) {
	const postgres = 400 // with many transactions in progress
	c := cursor.Now("3297964-1795463878298592", offset(t, "27065288_1"), authz.Decision{Fingerprint: authz.Fingerprint{1}, Tokens: tokens(postgres), At: authz.Moment{Time: start}})
	for i := range 5 {
		r := resync(i+2, uint64(200+8*i))
		r.To.Tokens = tokens(postgres)
		c = must(c.Resynced(r))
	}
	handle := key.Seal(&c, scope)
	if len(handle) > cursor.MaxHandle {
		t.Fatalf("%d bytes", len(handle))
	}
	back, err := key.Open(handle, scope)
	if err != nil {
		t.Fatal(err)
	}
	var has []bool
	for _, s := range back.Steps {
		has = append(has, len(s.Before[0].Tokens) > 0)
	}
	has = append(has, len(back.Served.Tokens) > 0)
	if diff := cmp.Diff([]bool{false, false, false, true, true, true}, has); diff != "" {
		t.Errorf("grants with revisions, oldest first: %s", diff)
	}
	for i := range back.Steps {
		if back.Steps[i].Before[0].Fingerprint != c.Steps[i].Before[0].Fingerprint {
			t.Errorf("step %d has other grants", i)
		}
	}
}

func TestAnOrdinaryHandleIsShort(t *testing.T) {
	for name, length := range map[string]int{"in memory": 30, "Postgres": 100} {
		d := authz.Decision{Fingerprint: authz.Fingerprint{1}, Tokens: tokens(length), At: authz.Moment{Time: start}}
		c := cursor.Now("3297964-1795463878298592", offset(t, "27065288_1"), d)
		r := resync(2, 27094008)
		r.To.Tokens = tokens(length)
		c = must(c.Resynced(r))
		if handle := key.Seal(&c, scope); len(handle) >= 1000 {
			t.Errorf("%s: %d bytes", name, len(handle))
		} else {
			t.Logf("%s: %d bytes", name, len(handle))
		}
	}
}

func FuzzOpen(f *testing.F) {
	c := cursor.Now("up", electric.Start, decision(1))
	f.Add(key.Seal(&c, scope))
	f.Add("3297964-1795463878298592")
	f.Fuzz(func(t *testing.T, handle string) {
		c, err := key.Open(handle, scope)
		switch {
		case err == nil && !cursor.IsText(handle):
			t.Errorf("%q is a handle", handle)
		case err != nil && !errors.Is(err, cursor.ErrNotACursor):
			t.Error(err)
		case err == nil:
			_ = c.MayHold()
		}
	})
}

func TestIsText(t *testing.T) {
	for text, want := range map[string]bool{
		"3297964-1795463878298592": true, "a_b~c.d": true, "": false, "a b": false, "a/b": false, "é": false, "a\n": false,
		strings.Repeat("a", cursor.MaxHandle): true, strings.Repeat("a", cursor.MaxHandle+1): false,
	} {
		if cursor.IsText(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}
