package live

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/shapegate/shapegate/authz"
)

// SpiceDB may be ahead of the watch: what the watch told was taken away is granted, by
// something that it has yet to tell.
func TestWhatWasTakenAwayAndIsStillGrantedIsInDoubt(t *testing.T) {
	const own = "document:d1#viewer@user:alice"
	for _, tt := range []struct {
		name, taken, given string
		asks               string
		silent             time.Duration // how long the watch tells nothing more
		want               string        // lost, gained
	}{
		{"an object, given back", "-" + own, "document:d1#viewer@group:g#member", "document:d1#view", time.Second, "[d1][d1]"},
		{"an object, granted twice", "-" + own, "", "document:d1#view", time.Second, "[][]"},
		{"an object, and another", "-" + own, "document:d2#viewer@user:alice", "document:d1#view", time.Second, "[][]"},
		{"a membership, replaced", "-group:g#member@user:alice", "group:h#member@user:alice", "document#view", time.Second, "[d1 d2][d1 d2]"},
		{"one of two memberships", "-group:g#member@user:alice", "", "document#view", time.Second, "[][]"},
		{"a membership, replaced by a grant", "-group:g#member@user:alice", own, "document#view", time.Second, "[d1][d1]"},
		{"an object, for all that is known", "-" + own, "", "document:d1#view", time.Minute, "[d1][d1]"},
		{"a membership, for all that is known", "-group:g#member@user:alice", "", "document#view", time.Minute, "[d1 d2][d1 d2]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld("alice document:d1#view", "alice document:d2#view")
			inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
				l := open(t, k, "alice", document)
				then := decide(t, l, "[d1 d2]")
				answer := make(chan struct{})
				w.set(func() { w.gates[tt.asks] = answer })
				w.write(tt.taken)
				synctest.Wait()
				w.set(func() { w.silent = true })
				if tt.given != "" {
					w.write(tt.given)
				}
				close(answer)
				w.set(func() { clear(w.gates) })

				decided := make(chan authz.Decision, 1)
				go func() { decided <- decide(t, l, "[d1 d2]") }()
				later(tt.silent / 2)
				if tt.silent == time.Second && len(decided) > 0 {
					t.Error("it is decided before the watch has told everything")
				}
				later(tt.silent / 2)
				w.set(func() { w.silent = false })
				c, ok := l.Since(<-decided, then.Mark, then.Name)
				if got := sets(c.Lost) + sets(c.Gained); !ok || !c.Exact || got != tt.want {
					t.Errorf("lost and gained %s, want %s", got, tt.want)
				}
			})
		})
	}
}

func TestAGateInDoubt(t *testing.T) {
	for given, known := range map[string]bool{"": true, "group:h#member@user:alice": false} {
		w := newWorld("alice workspace:main#sync")
		w.deps["workspace#sync"] = rests("workspace#member", "group#member")
		inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
			l := openRule(t, k, "alice", authz.Rule{Gate: mainSync})
			then := decide(t, l, "unrestricted")
			answer := make(chan struct{})
			w.set(func() { w.gates["workspace:main#sync"] = answer })
			w.write("-group:g#member@user:alice")
			synctest.Wait()
			w.set(func() { w.silent = true })
			if given != "" {
				w.write(given)
			}
			close(answer)
			w.set(func() { clear(w.gates) })
			later(100 * time.Millisecond)
			w.set(func() { w.silent = false })
			now := decide(t, l, "unrestricted")
			if _, ok := l.Since(now, then.Mark, then.Name); ok != known {
				t.Errorf("%q: what happened since is known: %v", given, ok)
			}
		})
	}
}

// Where something is taken away all the time, decisions come all the same.
func TestDoubtsDoNotKeepAnybodyWaiting(t *testing.T) {
	w := newWorld("alice document:d1#view")
	inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
		w.set(func() { w.takes = 10 * time.Millisecond })
		l := open(t, k, "alice", document)
		decide(t, l, "[d1]")
		for range 50 {
			w.write("-group:g#member@group:i#member")
			later(3 * time.Millisecond)
			before := time.Now()
			decide(t, l, "[d1]")
			if waited := time.Since(before); waited > 30*time.Millisecond {
				t.Fatalf("a decision took %v", waited)
			}
		}
	})
}

func TestWithoutACanaryNothingIsInDoubt(t *testing.T) {
	w := newWorld("alice document:d1#view")
	w.canary = false
	inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
		l := open(t, k, "alice", document)
		then := decide(t, l, "[d1]")
		w.write("-document:d1#viewer@user:alice")
		synctest.Wait()
		before := time.Now()
		now := decide(t, l, "[d1]")
		if c, ok := l.Since(now, then.Mark, then.Name); !ok || !c.Empty() || time.Since(before) > 0 {
			t.Errorf("lost %s, gained %s, after %v", sets(c.Lost), sets(c.Gained), time.Since(before))
		}
	})
}
