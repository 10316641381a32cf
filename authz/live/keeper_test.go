package live

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shapegate/shapegate/authz"
)

func TestWhatIsKeptIsNotAskedForAgain(t *testing.T) {
	w := newWorld("alice document:d1#view", "bob document:d2#view")
	inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
		l := open(t, k, "alice", document)
		decide(t, l, "[d1]")
		asks(t, w, "document#view")
		for range 10 {
			decide(t, l, "[d1]")
			decide(t, open(t, k, "alice", document), "[d1]")
			later(10 * time.Second)
		}
		asks(t, w)
		decide(t, open(t, k, "bob", document), "[d2]")
		asks(t, w, "document#view")
	})
}

func TestAChangeConcernsWhomItConcerns(t *testing.T) {
	for _, tt := range []struct {
		name   string
		update string
		asks   []string // of alice and bob, who wait
	}{
		{"a person's own grant of one object", "document:d9#viewer@user:alice", []string{"document:d9#view"}},
		{"a grant to a group", "document:d9#viewer@group:g#member", []string{"document:d9#view", "document:d9#view"}},
		{"a grant to everybody", "document:d9#viewer@user:*", []string{"document:d9#view", "document:d9#view"}},
		{"joining a group", "group:g#member@user:alice", []string{"document#view"}},
		{"a group in a group", "group:g#member@group:h#member", []string{"document#view", "document#view"}},
		{"somebody else's grant", "document:d9#viewer@user:carol", nil},
		{"another relation", "document:d9#owner@user:alice", nil},
		{"another definition", "folder:d9#viewer@user:alice", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld("alice document:d1#view", "bob document:d2#view")
			inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
				alice, bob := open(t, k, "alice", document), open(t, k, "bob", document)
				decide(t, alice, "[d1]")
				decide(t, bob, "[d2]")
				w.questions()
				w.write(tt.update)
				synctest.Wait()
				asks(t, w, tt.asks...)
			})
		})
	}
}

// SpiceDB may answer what is asked right after a write with what was before it.
func TestAnAnswerThatCameSoonAfterAWriteIsAskedForOnceMore(t *testing.T) {
	for update, ask := range map[string]string{
		"document:d9#viewer@user:alice": "document:d9#view", "group:g#member@user:alice": "document#view",
	} {
		w := newWorld("alice document:d1#view")
		inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
			l := open(t, k, "alice", document)
			decide(t, l, "[d1]")
			w.questions()
			w.write(update) // and SpiceDB does not see it yet
			synctest.Wait()
			asks(t, w, ask)
			decide(t, l, "[d1]")
			w.set(func() { w.held["alice document:d9#view"] = true })
			later(time.Second)
			asks(t, w, ask)
			decide(t, l, "[d1 d9]")
			later(time.Minute)
			asks(t, w) // and no more
		})
	}
}

// Where something is written all the time, not everything is asked for all the time.
func TestAnAnswerIsNotAskedForAgainForWhatConcernsOthers(t *testing.T) {
	w := newWorld("alice document:d1#view", "bob document:d2#view")
	inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
		alice, bob := open(t, k, "alice", document), open(t, k, "bob", document)
		decide(t, alice, "[d1]")
		decide(t, bob, "[d2]")
		w.questions()
		w.write("document:alices#viewer@user:alice")
		for range 100 {
			w.write("document:bobs#viewer@user:bob")
			later(20 * time.Millisecond)
		}
		later(time.Second)
		ofAlice := 0
		for _, q := range w.questions() {
			if q == "document:alices#view" {
				ofAlice++
			}
		}
		if ofAlice < 2 || ofAlice > 3 {
			t.Errorf("SpiceDB was asked %d times about what alice was granted", ofAlice)
		}
	})
}

// Whoever comes right after a write may be answered from before it, too.
func TestAFirstAnswerSoonAfterAWriteIsAskedForOnceMore(t *testing.T) {
	w := newWorld("alice document:d1#view", "bob document:d2#view")
	inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
		decide(t, open(t, k, "bob", document), "[d2]") // for whom the permission is known
		w.questions()
		w.write("document:d9#viewer@user:alice") // and SpiceDB does not see it yet
		synctest.Wait()
		alice := open(t, k, "alice", document)
		decide(t, alice, "[d1]")
		w.set(func() { w.held["alice document:d9#view"] = true })
		later(time.Second)
		decide(t, alice, "[d1 d9]")
	})
}

func TestAChangeOfOneObjectConcernsTheGatesOnItAlone(t *testing.T) {
	w := newWorld("alice workspace:main#sync", "alice document:d1#view")
	inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
		l := openRule(t, k, "alice", authz.Rule{Gate: mainSync, Filters: []authz.Filter{document}})
		decide(t, l, "[d1]")
		w.questions()
		w.write("workspace:other#member@user:alice")
		synctest.Wait()
		asks(t, w)
		w.write("workspace:main#member@user:alice")
		synctest.Wait()
		asks(t, w, "workspace:main#sync")
	})
}

// Where one object's permission rests on that of another object of its type, a
// change of one may change any.
func TestAPermissionThatRecursThroughItsTypeIsLookedUp(t *testing.T) {
	w := newWorld("alice document:d1#view")
	deps := rests("document#viewer", "document#parent")
	deps.Subjects["document"] = true
	w.deps["document#view"] = deps
	inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
		decide(t, open(t, k, "alice", document), "[d1]")
		w.questions()
		w.write("document:d1#viewer@user:alice")
		synctest.Wait()
		asks(t, w, "document#view")
		w.write("document:d2#parent@document:d1") // which concerns whoever sees d1
		synctest.Wait()
		asks(t, w, "document#view")
	})
}

// Nor does a permission that is gone from the schema, and comes back, lose a change.
func TestAPermissionOfWhichNothingIsKnownIsAskedForAtEveryChange(t *testing.T) {
	w := newWorld("alice document:d1#view")
	inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
		l := open(t, k, "alice", document)
		decide(t, l, "[d1]")
		w.mu.Lock()
		delete(w.deps, "document#view")
		w.tell(authz.WatchEvent{SchemaChanged: true})
		w.mu.Unlock()
		later(time.Second)
		w.questions()
		changed := l.Changed()
		w.write("whatever:x#relation@user:bob", "alice document:d2#view")
		later(time.Second)
		if !isClosed(changed) {
			t.Error("whoever waits is not told")
		}
		decide(t, l, "[d1 d2]")
	})
}

func TestWhoeverWaitsIsWokenByTheirOwnGrantsAlone(t *testing.T) {
	w := newWorld("alice document:d1#view", "bob document:d2#view")
	inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
		alice, bob := open(t, k, "alice", document), open(t, k, "bob", document)
		decide(t, alice, "[d1]")
		decide(t, bob, "[d2]")
		a, b := alice.Changed(), bob.Changed()
		w.write("document:d3#viewer@group:g#member", "alice document:d3#view")
		synctest.Wait()
		if !isClosed(a) || isClosed(b) {
			t.Errorf("woken: alice %v, bob %v", isClosed(a), isClosed(b))
		}
		decide(t, alice, "[d1 d3]")
	})
}

func TestHowADecisionDiffersFromAnEarlierOne(t *testing.T) {
	for _, tt := range []struct {
		name               string
		writes             [][]string // what each changes
		kept, lost, gained string
	}{
		{"nothing", nil, "[d1 d2]", "[]", "[]"},
		{"a grant", [][]string{{"alice document:d3#view"}}, "[d1 d2]", "[]", "[d3]"},
		{"a revocation", [][]string{{"-alice document:d1#view"}}, "[d2]", "[d1]", "[]"},
		{"both", [][]string{{"-alice document:d1#view"}, {"alice document:d3#view"}}, "[d2]", "[d1]", "[d3]"},
		{"taken away and given back", [][]string{{"-alice document:d1#view"}, {"alice document:d1#view"}}, "[d2]", "[d1]", "[d1]"},
		{"given and taken away again", [][]string{{"alice document:d3#view"}, {"-alice document:d3#view"}}, "[d1 d2]", "[d3]", "[]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld("alice document:d1#view", "alice document:d2#view")
			inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
				l := open(t, k, "alice", document)
				then := decide(t, l, "[d1 d2]")
				for _, holds := range tt.writes {
					w.write("group:g#member@user:alice", holds...)
					later(time.Minute / 2) // past any pause between lookups
				}
				now, err := l.Decide(t.Context(), authz.Bounded, "")
				if err != nil {
					t.Fatal(err)
				}
				c, ok := l.Since(now, then.Mark, then.Name)
				if !ok || !c.Exact {
					t.Fatalf("known: %v, exactly: %v", ok, c.Exact)
				}
				if got, want := sets(c.Kept)+sets(c.Lost)+sets(c.Gained), tt.kept+tt.lost+tt.gained; got != want {
					t.Errorf("kept, lost, gained: %s, want %s", got, want)
				}
				if got := sets(c.Before); got != "[d1 d2]" {
					t.Errorf("before: %s", got)
				}
				if c.Empty() != (len(tt.writes) == 0) {
					t.Errorf("empty: %v", c.Empty())
				}
			})
		})
	}
}

// What was taken away and given back before anybody asked looks as before.
func TestGrantsThatFlickeredAreLostAndGained(t *testing.T) {
	const own, group = "document:d1#viewer@user:alice", "group:g#member@user:alice"
	for _, tt := range []struct {
		name    string
		updates []string
		want    string // lost, gained
	}{
		{"a grant of one object", []string{"-" + own, own}, "[d1][d1]"},
		{"a ban", []string{"document:d1#viewer@user:mallory", own, "-" + own}, "[d1][d1]"},
		{"a membership", []string{"-" + group, group}, "[d1 d2][d1 d2]"},
		{"written once more", []string{own, own}, "[][]"},
		{"another one", []string{"-" + own, "document:d2#viewer@user:alice"}, "[][]"},
		{"one of two grants of an object by the other", []string{"-" + own, "document:d1#viewer@group:g#member"}, "[d1][d1]"},
	} {
		for _, waiting := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/waiting %v", tt.name, waiting), func(t *testing.T) {
				w := newWorld("alice document:d1#view", "alice document:d2#view")
				inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
					l := open(t, k, "alice", document)
					then := decide(t, l, "[d1 d2]")
					if !waiting {
						l.Release()
					}
					changed := l.Changed()
					for _, u := range tt.updates {
						w.write(u) // both ways are done before any is told of
					}
					synctest.Wait()
					if isClosed(changed) {
						t.Error("somebody was woken for nothing")
					}
					l = open(t, k, "alice", document)
					now := decide(t, l, "[d1 d2]")
					c, ok := l.Since(now, then.Mark, then.Name)
					if got := sets(c.Lost) + sets(c.Gained); !ok || got != tt.want {
						t.Errorf("lost and gained %s, want %s", got, tt.want)
					}
				})
			})
		}
	}
}

// Who left one group and joined another before anybody asked may have been in none.
func TestAMembershipMayReplaceAnother(t *testing.T) {
	for _, tt := range []struct {
		name, then, now, want string
	}{
		{"at once", "-group:g#member@user:alice", "group:h#member@user:alice", "[d1][d1]"},
		{"by a grant of one's own", "-group:g#member@user:alice", "document:d1#viewer@user:alice", "[d1][d1]"},
		{"by a grant of something else", "-group:g#member@user:alice", "document:d9#viewer@user:alice", "[][]"},
		{"of an object that was taken", "-document:d1#viewer@group:g#member", "group:h#member@user:alice", "[d1][d1]"},
		{"of an object, by another group's", "-document:d1#viewer@group:g#member", "group:h#member@group:i#member", "[d1][d1]"},
		{"of another group's", "-group:g#member@group:i#member", "group:h#member@user:alice", "[d1][d1]"},
		{"the other way round", "group:h#member@user:alice", "-group:g#member@user:alice", "[][]"},
		{"somebody else's", "-group:g#member@group:i#member", "group:h#member@group:i#member", "[][]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld("alice document:d1#view")
			inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
				l := open(t, k, "alice", document)
				then := decide(t, l, "[d1]")
				l.Release()
				w.write(tt.then)
				synctest.Wait()
				w.write(tt.now)
				synctest.Wait()
				l = open(t, k, "alice", document)
				now := decide(t, l, "[d1]")
				c, ok := l.Since(now, then.Mark, then.Name)
				if got := sets(c.Lost) + sets(c.Gained); !ok || got != tt.want {
					t.Errorf("lost and gained %s, want %s", got, tt.want)
				}
			})
		})
	}
}

// Where the loss was seen, the rest of the set is as it was.
func TestALossThatWasSeenIsNoFlicker(t *testing.T) {
	w := newWorld("alice document:d1#view", "alice document:d2#view")
	inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
		l := open(t, k, "alice", document)
		then := decide(t, l, "[d1 d2]")
		w.write("-group:g#member@user:alice", "-alice document:d1#view")
		later(time.Minute)
		w.write("group:g#member@user:alice", "alice document:d1#view")
		later(time.Minute)
		now := decide(t, l, "[d1 d2]")
		if c, ok := l.Since(now, then.Mark, then.Name); !ok || sets(c.Lost)+sets(c.Gained) != "[d1][d1]" {
			t.Errorf("lost and gained %s%s", sets(c.Lost), sets(c.Gained))
		}
	})
}

func TestGrantsThatNobodyUsesAreLetGoAndRemembered(t *testing.T) {
	w := newWorld("alice document:d1#view", "alice document:d2#view")
	inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
		l := open(t, k, "alice", document)
		then := decide(t, l, "[d1 d2]")
		l.Release()
		later(2 * time.Minute)
		if len(k.holdings)+len(k.lineages) != 0 {
			t.Errorf("%d holdings and %d lineages are kept", len(k.holdings), len(k.lineages))
		}
		w.questions()
		w.write("document:d1#viewer@user:alice", "-alice document:d1#view", "alice document:d3#view")
		synctest.Wait()
		asks(t, w)

		l = open(t, k, "alice", document)
		now := decide(t, l, "[d2 d3]")
		c, ok := l.Since(now, then.Mark, then.Name)
		if !ok || c.Exact {
			t.Fatalf("known: %v, exactly: %v", ok, c.Exact)
		}
		if got := sets(c.Kept) + sets(c.Lost) + sets(c.Gained); got != "[d2][d1][d3]" {
			t.Errorf("kept, lost, gained: %s", got)
		}
		// Nobody can name another person's set.
		bob := open(t, k, "bob", document)
		if _, ok := bob.Since(decide(t, bob, "[]"), then.Mark, then.Name); ok {
			t.Error("bob can name what alice held")
		}
	})
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	w := newWorld()
	inBubble(t, w, func(c *Config) { c.Memory = 8 << 10 }, func(t *testing.T, k *Keeper) {
		l := open(t, k, "alice", document)
		first := decide(t, l, "[]")
		for i := range 200 {
			id := fmt.Sprintf("document:d%03d#view", i)
			w.write(strings.Replace(id, "#view", "#viewer", 1)+"@user:alice", "alice "+id)
			synctest.Wait()
			if _, err := l.Decide(t.Context(), authz.Bounded, ""); err != nil {
				t.Fatal(err)
			}
			if size := k.history.size + k.memory.size; size > 8<<10 {
				t.Fatalf("%d bytes are remembered", size)
			}
		}
		now, err := l.Decide(t.Context(), authz.Bounded, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := l.Since(now, first.Mark, first.Name); ok {
			t.Error("everything is remembered, for ever")
		}
		w.write("document:d000#viewer@user:alice", "-alice document:d000#view")
		synctest.Wait()
		next, err := l.Decide(t.Context(), authz.Bounded, "")
		if err != nil {
			t.Fatal(err)
		}
		if c, ok := l.Since(next, now.Mark, now.Name); !ok || sets(c.Lost) != "[d000]" {
			t.Errorf("what just happened is not known: %v", ok)
		}
	})
}

func TestNoMoreQuestionsAreHeldThanThereIsRoomFor(t *testing.T) {
	w := newWorld()
	inBubble(t, w, func(c *Config) { c.Questions = 3 }, func(t *testing.T, k *Keeper) {
		for i := range 3 {
			decide(t, open(t, k, fmt.Sprintf("p%d", i), document), "[]")
		}
		ask := func() (authz.Lease, error) {
			return k.Open(authz.Question{Subject: person("p9"), Rule: authz.Rule{Filters: []authz.Filter{document}}})
		}
		if _, err := ask(); authz.KindOf(err) != authz.Unavailable {
			t.Fatalf("one more: %v", err)
		}
		first := open(t, k, "p0", document) // which is held already
		first.Release()
		first.Release()
		if _, err := ask(); err == nil {
			t.Fatal("a lease that was released twice counts twice")
		}
		for _, l := range k.lineages {
			l.leases = 0
		}
		l, err := ask()
		if err != nil {
			t.Fatalf("after the others were let go: %v", err)
		}
		l.Release()
	})
}

func TestABurstOfWritesCostsFewCalls(t *testing.T) {
	const writes, perMillisecond = 10_000, 10
	for name, update := range map[string]string{
		"of one person's objects":    "document:d%d#viewer@user:alice",
		"of one person's groups":     "group:g%d#member@user:alice",
		"that concern everybody":     "document:d%d#viewer@group:g#member",
		"of groups that hold groups": "group:g%d#member@group:h#member",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
				decide(t, open(t, k, "alice", document), "[]")
				decide(t, open(t, k, "bob", document), "[]")
				w.questions()
				w.takes = 10 * time.Millisecond
				for i := range writes {
					w.write(fmt.Sprintf(update, i))
					if i%perMillisecond == 0 {
						time.Sleep(time.Millisecond) // of the bubble
					}
				}
				later(time.Minute)
				if w.calls == 0 || w.calls > writes/40 {
					t.Errorf("%d calls for %d writes", w.calls, writes)
				}
			})
		})
	}
}

func TestASchemaChangeIsAChangeOfEverything(t *testing.T) {
	w := newWorld("alice document:d1#view")
	inBubble(t, w, nil, func(t *testing.T, k *Keeper) {
		l := open(t, k, "alice", document)
		decide(t, l, "[d1]")
		w.questions()
		w.mu.Lock()
		w.deps["document#view"] = rests("document#reader")
		w.held["alice document:d2#view"] = true
		w.tell(authz.WatchEvent{SchemaChanged: true})
		w.mu.Unlock()
		synctest.Wait()
		decide(t, l, "[d1 d2]")
		w.questions()
		w.write("document:d3#viewer@user:alice")
		synctest.Wait()
		asks(t, w) // not a relation of the permission any more
		w.write("document:d3#reader@user:alice", "alice document:d3#view")
		synctest.Wait()
		decide(t, l, "[d1 d2 d3]")
	})
}
