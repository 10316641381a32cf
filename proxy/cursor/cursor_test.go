package cursor_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/cursor"
	"github.com/shapegate/shapegate/proxy/electric"
)

var start = time.UnixMilli(1_800_000_000_000)

func after(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }

func moment(seconds int) authz.Moment {
	return authz.Moment{Time: after(seconds), Losses: []authz.Loss{authz.Loss(seconds)}}
}

// decision n is made after n seconds. Each has other grants.
func decision(n int) authz.Decision {
	return authz.Decision{
		Fingerprint: authz.Fingerprint{byte(n)},
		Tokens:      []authz.ZedToken{authz.ZedToken("token-" + strconv.Itoa(n))},
		At:          moment(n),
	}
}

func grants(n int) cursor.Grants { return cursor.Named(decision(n)) }

func fence(lsn uint64) electric.Fence { return electric.NewFence(800, 805, []uint64{801}, lsn) }

// resync brings a client to decision n, with rows of a snapshot at an LSN; 0: without.
func resync(n int, lsn uint64) cursor.Resync {
	r := cursor.Resync{To: grants(n), At: moment(n)}
	if lsn > 0 {
		r.Fence = fence(lsn)
	}
	return r
}

func marked(r cursor.Resync, lsn uint64) cursor.Resync {
	r.Mark = electric.Marked(lsn)
	return r
}

func offset(t testing.TB, s string) electric.Offset {
	t.Helper()
	o, err := electric.ParseOffset(s)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// show says in short what a cursor holds: what was served, what is pending and with which
// mark, and the steps, with the grants before them.
func show(c cursor.Cursor) string {
	name := func(g cursor.Grants) string { return strconv.Itoa(int(g.Fingerprint[0])) }
	s := "served " + name(c.Served)
	for _, p := range c.Pending {
		s += fmt.Sprintf(", pending %s@%d", name(p.To), p.Mark)
	}
	for _, step := range c.Steps {
		var before []string
		for _, g := range step.Before {
			before = append(before, name(g))
		}
		s += fmt.Sprintf(", step@%d", step.Fence.LSN())
		if len(before) > 0 {
			s += " from " + strings.Join(before, "+")
		}
		if step.Fresh {
			s += " fresh"
		}
		for _, ids := range step.Interrupted {
			s += " without " + strings.Join(ids, "+")
		}
	}
	return s + ", base " + c.Base.String()
}

// must is for operations that have to fit.
func must(c cursor.Cursor, ok bool) cursor.Cursor {
	if !ok {
		panic("the cursor is too large")
	}
	return c
}

func first(t testing.TB) cursor.Cursor {
	return cursor.FirstRead("up", offset(t, "104_2"), decision(1), fence(120))
}

func TestWhatACursorBecomes(t *testing.T) {
	now := func() cursor.Cursor { return cursor.Now("up", offset(t, "104_2"), decision(1)) }
	acknowledge := func(c cursor.Cursor, at string) cursor.Cursor {
		c, _ = c.Acknowledge(offset(t, at))
		return c
	}
	onward := func(c cursor.Cursor, n int) cursor.Cursor { return must(c.Onward(decision(n))) }
	offered := must(first(t).Offered(marked(resync(2, 136), 128)))
	twice := must(offered.Offered(marked(resync(3, 152), 144)))
	interrupted := resync(2, 136)
	interrupted.Interrupted = [][]string{{"a", "b"}, nil}
	fresh := resync(2, 136)
	fresh.Fresh = true

	for _, tt := range []struct {
		name string
		c    cursor.Cursor
		want string
	}{
		{"a first read has a snapshot, through which nothing was kept", first(t), "served 1, step@120 fresh, base 104_2"},
		{"a read from now on has none", now(), "served 1, base 104_2"},

		{"a resync is a step from what was served", must(first(t).Resynced(resync(2, 136))), "served 2, step@120 fresh, step@136 from 1, base 104_2"},
		{"a resync without rows is no step", must(first(t).Resynced(resync(2, 0))), "served 2, step@120 fresh, base 104_2"},
		{"a resync names what was interrupted", must(now().Resynced(interrupted)), "served 2, step@136 from 1 without a+b without , base 104_2"},
		{"a resync may have brought every row", must(now().Resynced(fresh)), "served 2, step@136 from 1 fresh, base 104_2"},

		{"a resync in a stream is pending", offered, "served 1, pending 2@129, step@120 fresh, step@136 from 1, base 104_2"},
		{"and so is the next one", twice, "served 1, pending 2@129, pending 3@145, step@120 fresh, step@136 from 1, step@152 from 1+2, base 104_2"},
		{"an earlier offset acknowledges nothing", acknowledge(offered, "120_4"), "served 1, pending 2@129, step@120 fresh, step@136 from 1, base 104_2"},
		{"nor does the end of the same transaction", acknowledge(must(now().Offered(marked(resync(2, 136), 128))), "128_inf"), "served 1, pending 2@129, step@136 from 1, base 104_2"},
		{"the mark does", acknowledge(must(now().Offered(marked(resync(2, 136), 128))), "129_0"), "served 2, step@136 from 1, base 104_2"},
		{"and a higher offset, which passes steps too", acknowledge(offered, "136_0"), "served 2, step@136 from 1, base 136_0"},
		{"the last resync alone is acknowledged", acknowledge(twice, "129_0"), "served 1, pending 2@129, pending 3@145, step@136 from 1, step@152 from 1+2, base 128_0"},
		{"and with it the client may have held the others", acknowledge(twice, "145_0"), "served 3, step@152 from 1+2, base 144_0"},
		{"a JSON answer takes the place of what is pending", must(twice.Resynced(resync(4, 160))), "served 4, step@120 fresh, step@136 from 1, step@152 from 1+2, step@160 from 1+2+3, base 104_2"},
		{"offsets that are no position acknowledge nothing", acknowledge(twice, "now"), show(twice)},
		{"nor is one before everything", acknowledge(twice, "-1"), show(twice)},

		{"an answer without a resync takes the marks away", onward(offered, 2), "served 1, pending 2@0, step@120 fresh, step@136 from 1, base 104_2"},
		{"so that a high offset does not acknowledge it", acknowledge(onward(now(), 2), "160_0"), "served 1, pending 2@0, base 104_2"},
		{"its grants are pending", onward(offered, 5), "served 1, pending 2@0, pending 5@0, step@120 fresh, step@136 from 1, base 104_2"},
		{"unless they were served", onward(offered, 1), "served 1, pending 2@0, step@120 fresh, step@136 from 1, base 104_2"},

		{"an offset passes the steps that are older", acknowledge(first(t), "128_0"), "served 1, base 128_0"},
		{"not one of the same transaction, which is read again", acknowledge(first(t), "121_0"), "served 1, step@120 fresh, base 104_2"},
		{"the log passes a step when Electric has seen as much", first(t).Pass(offset(t, "112_0"), 120, start), "served 1, base 112_0"},
		{"and not before", first(t).Pass(offset(t, "112_0"), 119, start), "served 1, step@120 fresh, base 104_2"},
		{"or after a minute", first(t).Pass(offset(t, "112_0"), 0, after(62)), "served 1, base 112_0"},
		{"and not before", first(t).Pass(offset(t, "112_0"), 0, after(61)), "served 1, step@120 fresh, base 104_2"},
		{"a feed that is away passes no step by time", first(t).Pass(offset(t, "112_0"), 0, time.Time{}), "served 1, step@120 fresh, base 104_2"},
		{"a read from before the base does not lower it", first(t).Pass(offset(t, "104_0"), 120, start), "served 1, base 104_2"},
		{"nothing to pass leaves the base", now().Pass(offset(t, "112_0"), 200, start), "served 1, base 104_2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := show(tt.c); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestAcknowledgeSaysWhetherTheCursorIsAnotherOne(t *testing.T) {
	offered := must(cursor.Now("up", offset(t, "104_2"), decision(1)).Offered(marked(resync(2, 136), 128)))
	for _, tt := range []struct {
		name string
		c    cursor.Cursor
		at   string
		want bool
	}{
		{"nothing is pending", cursor.Now("up", offset(t, "104_2"), decision(1)), "300_0", false},
		{"not acknowledged", offered, "128_0", false},
		{"acknowledged", offered, "129_0", true},
		{"a step is passed", first(t), "128_0", true},
		{"no step is passed", first(t), "120_0", false},
		{"no position", offered, "now", false},
	} {
		if next, changed := tt.c.Acknowledge(offset(t, tt.at)); changed != tt.want || changed == cmp.Equal(show(next), show(tt.c)) {
			t.Errorf("%s: changed %v: %s", tt.name, changed, show(next))
		}
	}
}

func TestACursorKnowsItsGrants(t *testing.T) {
	c := must(must(first(t).Offered(marked(resync(2, 0), 128))).Offered(marked(resync(3, 0), 144)))
	if got := c.Surely(); got.Fingerprint != grants(1).Fingerprint {
		t.Errorf("surely %v", got)
	}
	if diff := cmp.Diff([]cursor.Grants{grants(1), grants(2), grants(3)}, c.MayHold()); diff != "" {
		t.Error(diff)
	}
	c = c.Confirmed(authz.Decision{Fingerprint: grants(1).Fingerprint, Tokens: []authz.ZedToken{"newer"}, At: moment(9)})
	if c.Served.Tokens[0] != "newer" || !cmp.Equal(c.At, moment(9)) {
		t.Errorf("confirmed: %+v", c)
	}
}

// The methods return changed copies: an answer that is lost leaves the client's cursor.
func TestACursorDoesNotChange(t *testing.T) {
	c := must(first(t).Resynced(resync(2, 136)))
	c = must(must(c.Offered(marked(resync(3, 152), 144))).Offered(marked(resync(4, 160), 152)))
	before := show(c)
	c.Steps, c.Pending = c.Steps[:len(c.Steps):cap(c.Steps)], c.Pending[:len(c.Pending):cap(c.Pending)]
	_, _ = c.Resynced(resync(5, 168))
	_, _ = c.Offered(resync(6, 168))
	_, _ = c.Acknowledge(offset(t, "400_0"))
	_, _ = c.Onward(decision(7))
	c.Pass(offset(t, "400_0"), 500, after(500))
	if got := show(c); got != before {
		t.Errorf("got  %s\nwant %s", got, before)
	}
}

func TestResume(t *testing.T) {
	for at, want := range map[string]string{
		"50_0":    "104_2", // an event stream's client resumes at the start of a transaction
		"104_0":   "104_2",
		"104_2":   "104_2",
		"104_4":   "104_4",
		"112_0":   "112_0",
		"113_0":   "112_0", // without its mark
		"104_inf": "104_inf",
	} {
		c := cursor.Now("up", offset(t, "104_2"), decision(1))
		if got := c.Resume(offset(t, at)); got.String() != want {
			t.Errorf("%s: resumes at %s, want %s", at, got, want)
		}
	}
}

// stepped returns a cursor with n steps, each from other grants.
func stepped(t testing.TB, n int) cursor.Cursor {
	c := cursor.Now("up", offset(t, "104_2"), decision(1))
	for i := range n {
		c = must(c.Resynced(resync(i+2, uint64(200+8*i))))
	}
	return c
}

func TestTheLastStepCollapsesAll(t *testing.T) {
	c := stepped(t, cursor.MaxSteps-1)
	if c.MustCollapse() {
		t.Errorf("%d steps have to collapse", len(c.Steps))
	}
	c = stepped(t, cursor.MaxSteps)
	if !c.MustCollapse() {
		t.Errorf("%d steps need not collapse", len(c.Steps))
	}
	if _, ok := c.Resynced(resync(20, 400)); ok {
		t.Error("one step more fits")
	}
	all := resync(20, 400)
	all.Collapses = true
	byKey := all
	byKey.ByKey = true
	empty := resync(20, 0)
	empty.Collapses = true
	for _, tt := range []struct {
		name string
		r    cursor.Resync
		want string
	}{
		{"it names all grants in between", all, "served 20, step@400 from 1+2+3+4+5+6+7+8+9, base 104_2"},
		{"where ids are keys, the oldest and what was served", byKey, "served 20, step@400 from 1+9, base 104_2"},
		{"without a snapshot there is nothing to take their place", empty, strings.Replace(show(c), "served 9", "served 20", 1)},
	} {
		if got := show(must(c.Resynced(tt.r))); got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func TestWhatDoesNotFitIsRefused(t *testing.T) {
	many := resync(2, 136)
	many.Interrupted = [][]string{strings.Split(strings.Repeat("x ", cursor.MaxInterrupted)+"x", " ")}
	long := resync(2, 136)
	long.Interrupted = [][]string{{strings.Repeat("x", 1024), strings.Repeat("y", 1024), strings.Repeat("z", 1024)}}
	busy := resync(2, 136)
	xip := make([]uint64, 4000)
	for i := range xip {
		xip[i] = uint64(10_000 + i)
	}
	busy.Fence = electric.NewFence(10_000, 20_000, xip, 136)
	for name, r := range map[string]cursor.Resync{"too many interrupted ids": many, "too long ids": long, "too many transactions": busy} {
		if _, ok := first(t).Resynced(r); ok {
			t.Errorf("%s fit in a JSON answer", name)
		}
		if _, ok := first(t).Offered(r); ok {
			t.Errorf("%s fit in a stream", name)
		}
	}
	c := first(t)
	for i := range cursor.MaxPending {
		c = must(c.Offered(resync(2+i, 0)))
	}
	if _, ok := c.Offered(resync(30, 0)); ok {
		t.Error("one pending resync more fits")
	}
	if _, ok := c.Onward(decision(30)); ok {
		t.Error("one pending decision more fits")
	}
}

// What was offered can be acknowledged: then it is too late to say that it does not fit.
func TestAnOfferedResyncFitsOnceItIsAcknowledged(t *testing.T) {
	c := stepped(t, cursor.MaxSteps)
	for _, collapsed := range []int{20, 40, 60} {
		r := marked(resync(collapsed, uint64(1000*collapsed)), uint64(1000*collapsed))
		r.Collapses = true
		offered, ok := c.Offered(r)
		if !ok {
			return // it begins anew
		}
		if c, ok = offered.Acknowledge(offset(t, strconv.Itoa(1000*collapsed+1)+"_0")); !ok {
			t.Fatal("not acknowledged")
		}
		handle := key.Seal(&c, scope)
		if _, err := key.Open(handle, scope); err != nil {
			t.Fatalf("after %d: %s: %v", collapsed, show(c), err)
		}
		for i := range cursor.MaxSteps - 1 {
			n := collapsed + 1 + i
			c = must(c.Resynced(resync(n, uint64(1000*n))))
		}
	}
	t.Error("however many grants a step has before it, they fit")
}
