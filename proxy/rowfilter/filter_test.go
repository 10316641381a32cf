package rowfilter_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/rowfilter"
)

// ids has what the sets of these tests hold.
var ids = authz.NewIDs(authz.NewFingerprintKey([]byte("a secret")))

// grants of one filter: one letter for each id. "*" is everything.
func grants(of ...string) authz.Grants {
	if slices.Contains(of, "*") {
		return authz.Everything()
	}
	var sets []*authz.GrantSet
	for _, letters := range of {
		sets = append(sets, authz.NewGrantSet(ids, slices.Values(strings.Split(letters, ""))))
	}
	return authz.GrantsOf(sets...)
}

// step is a snapshot before transaction xmax.
func step(xmax uint64, kept string, held ...string) rowfilter.Step {
	s := rowfilter.Step{Fence: electric.NewFence(xmax, xmax, nil, 0), Kept: grants(kept)}
	for _, h := range held {
		s.Held = append(s.Held, grants(h))
	}
	return s
}

func parse(t testing.TB, raw string) *electric.Message {
	t.Helper()
	m, err := electric.ParseMessage([]byte(raw))
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return &m
}

// message returns the message of a log of replica=full about row 1 in a transaction. before and
// after are its project; "" says that it is not there, "null" that it is in none.
func message(t testing.TB, xid int, before, after string) *electric.Message {
	t.Helper()
	project := func(p string) string {
		if p == "null" {
			return p
		}
		return `"` + p + `"`
	}
	op, value, old := "update", after, ""
	switch {
	case before == "":
		op = "insert"
	case after == "":
		op, value = "delete", before
	default:
		old = `"old_value":{"title":"old"`
		if before != after {
			old += `,"project":` + project(before)
		}
		old += `},`
	}
	return parse(t, fmt.Sprintf(`{"key":"\"public\".\"t\"/\"1\"","value":{"id":"1","project":%s,"title":"new"},%s"headers":{"operation":%q,"relation":["public","t"],"txids":[%d]}}`,
		project(value), old, op, xid))
}

var (
	byProject = &rowfilter.Rule{Schema: "public", Table: "t", Key: []string{"id"}, Filters: []string{"project"}}
	byID      = &rowfilter.Rule{Schema: "public", Table: "t", Key: []string{"id"}, Filters: []string{"id"}}
	byBoth    = &rowfilter.Rule{Schema: "public", Table: "t", Key: []string{"id"}, Filters: []string{"id", "project"}}
)

const (
	nothing  = rowfilter.Nothing
	send     = rowfilter.Send
	asInsert = rowfilter.SendAsInsert
	del      = rowfilter.Delete
	byKey    = rowfilter.DeleteByKey
	ask      = rowfilter.AskAgain
)

// The table of the design: what becomes of a message, by what is granted today, what was
// served, what is pending, and what the snapshots that have seen it kept and may have found.
// A snapshot is of before transaction 100: 90 is late, and 110 is not.
func TestTheFateOfAMessage(t *testing.T) {
	none := []rowfilter.Step(nil)
	gained := []rowfilter.Step{step(100, "a", "a")} // b came with the snapshot, and c went: held "ac" below
	lost := []rowfilter.Step{step(100, "a", "ac")}
	for _, tt := range []struct {
		name        string
		now, served string
		pending     []string
		interrupted string
		steps       []rowfilter.Step
		xid         int
		before, aft string
		want        rowfilter.Fate
	}{
		// A reader that has what it may see.
		{"an insert that is permitted", "a", "a", nil, "", none, 110, "", "a", send},
		{"an insert that is not", "a", "a", nil, "", none, 110, "", "x", nothing},
		{"an insert of no project", "a", "a", nil, "", none, 110, "", "null", nothing},
		{"an update of a permitted row", "a", "a", nil, "", none, 110, "a", "a", send},
		{"an update that brings a row", "a", "a", nil, "", none, 110, "x", "a", asInsert},
		{"an update that brings a row from no project", "a", "a", nil, "", none, 110, "null", "a", asInsert},
		{"an update that takes a row away", "a", "a", nil, "", none, 110, "a", "x", del},
		{"an update that takes a row out of all projects", "a", "a", nil, "", none, 110, "a", "null", del},
		{"an update of a hidden row", "a", "a", nil, "", none, 110, "x", "x", nothing},
		{"a delete of a permitted row", "a", "a", nil, "", none, 110, "a", "", send},
		{"a delete of a hidden row", "a", "a", nil, "", none, 110, "x", "", nothing},
		{"a reader of everything: an insert", "*", "*", nil, "", none, 110, "", "x", send},
		{"a reader of everything: an update", "*", "*", nil, "", none, 110, "x", "null", send},
		{"a reader of everything: a delete", "*", "*", nil, "", none, 110, "null", "", send},

		// Grants have changed: the resync behind brings and takes the rest.
		{"a row of a new grant", "ab", "a", nil, "", none, 110, "", "b", nothing},
		{"a row of a new grant changes", "ab", "a", nil, "", none, 110, "b", "b", nothing},
		{"a row of a new grant ends", "ab", "a", nil, "", none, 110, "b", "", nothing},
		{"a row moves into a new grant", "ab", "a", nil, "", none, 110, "a", "b", del},
		{"a row moves out of a new grant", "ab", "a", nil, "", none, 110, "b", "a", asInsert},
		{"a row of a lost grant comes", "a", "ac", nil, "", none, 110, "", "c", nothing},
		{"a row of a lost grant changes", "a", "ac", nil, "", none, 110, "c", "c", nothing},
		{"a row of a lost grant ends", "a", "ac", nil, "", none, 110, "c", "", byKey},
		{"a row moves out of a lost grant", "a", "ac", nil, "", none, 110, "c", "a", asInsert},
		{"a row moves out of a lost grant into a hidden one", "a", "ac", nil, "", none, 110, "c", "x", byKey},
		{"a row moves into a lost grant", "a", "ac", nil, "", none, 110, "a", "c", del},
		{"everything is lost", "", "*", nil, "", none, 110, "x", "x", nothing},
		{"a row of an interrupted grant comes", "a", "a", nil, "a", none, 110, "", "a", nothing},
		{"a row of an interrupted grant changes", "a", "a", nil, "a", none, 110, "a", "a", nothing},
		{"an interruption of another grant", "ab", "ab", nil, "b", none, 110, "a", "a", send},

		// A resync is pending: the reader may have it or not.
		{"a row that may have come ends", "a", "a", []string{"ab"}, "", none, 110, "b", "", byKey},
		{"a row that may have come changes", "ab", "a", []string{"ab"}, "", none, 110, "b", "b", nothing},
		{"a row that may have come moves", "ab", "a", []string{"ab"}, "", none, 110, "b", "a", asInsert},
		{"a row of what stayed", "ab", "a", []string{"ab"}, "", none, 110, "a", "a", send},
		{"a row that may have gone comes", "a", "a", []string{"b"}, "", none, 110, "", "a", nothing},
		{"a row that may have gone changes", "a", "a", []string{"b"}, "", none, 110, "a", "a", nothing},
		{"a row that may have gone, of everything", "*", "*", []string{"a"}, "", none, 110, "a", "a", nothing},
		{"late: a row that may have come ends: before it may have come", "a", "a", []string{"ab"}, "", gained, 90, "b", "", nothing},

		// The message is late: a snapshot has seen it.
		{"late: a kept row comes", "ab", "ab", nil, "", gained, 90, "", "a", send},
		{"late: a kept row changes", "ab", "ab", nil, "", gained, 90, "a", "a", send},
		{"late: a row moves into a kept grant", "ab", "ab", nil, "", gained, 90, "x", "a", asInsert},
		{"late: a kept row ends", "ab", "ab", nil, "", gained, 90, "a", "", ask},
		{"late: a kept row leaves", "ab", "ab", nil, "", gained, 90, "a", "x", ask},
		{"late: a kept row moves into a gained grant", "ab", "ab", nil, "", gained, 90, "a", "b", ask},
		{"late: a gained row comes", "ab", "ab", nil, "", gained, 90, "", "b", nothing},
		{"late: a gained row changes", "ab", "ab", nil, "", gained, 90, "b", "b", nothing},
		{"late: a gained row ends", "ab", "ab", nil, "", gained, 90, "b", "", nothing},
		{"late: a gained row leaves", "ab", "ab", nil, "", gained, 90, "b", "x", nothing},
		{"late: a gained row moves into a kept grant", "ab", "ab", nil, "", gained, 90, "b", "a", asInsert},
		{"late: a row that was lost before the snapshot ends", "a", "a", nil, "", lost, 90, "c", "", ask},
		{"late: a row that was lost before the snapshot leaves", "a", "a", nil, "", lost, 90, "c", "x", ask},
		{"late: a row moves from a lost grant into a kept one", "a", "a", nil, "", lost, 90, "c", "a", asInsert},
		{"late: a hidden row", "ab", "ab", nil, "", gained, 90, "x", "x", nothing},
		{"late: a kept row that is lost today changes", "b", "ab", nil, "", gained, 90, "a", "a", ask},
		{"late: a kept row moves into what is granted today alone", "abd", "ab", nil, "", gained, 90, "a", "d", ask},
		{"late: after a first read", "a", "a", nil, "", []rowfilter.Step{step(100, "")}, 90, "a", "a", nothing},
		{"late: an end, after a first read", "a", "a", nil, "", []rowfilter.Step{step(100, "")}, 90, "a", "", nothing},
		{"not late: after a first read", "a", "a", nil, "", []rowfilter.Step{step(100, "")}, 110, "a", "a", send},
		{"not late: a gained row changes", "ab", "ab", nil, "", gained, 110, "b", "b", send},
		{"not late: a gained row ends", "ab", "ab", nil, "", gained, 110, "b", "", send},
		{"not late: a row that was lost before the snapshot ends", "a", "a", nil, "", lost, 110, "c", "", nothing},
		{"late for the second snapshot alone: gained by the first", "ab", "ab", nil, "", []rowfilter.Step{step(100, "a", "a"), step(200, "ab", "ab")}, 110, "b", "b", send},
		{"late for both: gained by the first", "ab", "ab", nil, "", []rowfilter.Step{step(100, "a", "a"), step(200, "ab", "ab")}, 90, "b", "x", nothing},
		{"late for both: held before the first", "b", "b", nil, "", []rowfilter.Step{step(100, "a", "a"), step(200, "b", "ab")}, 90, "a", "x", ask},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var pending []authz.Grants
			for _, p := range tt.pending {
				pending = append(pending, grants(p))
			}
			f := rowfilter.New(byProject, grants(tt.now), grants(tt.served), pending, tt.steps)
			if tt.interrupted != "" {
				f = f.Interrupted(grants(tt.interrupted))
			}
			m := message(t, tt.xid, tt.before, tt.aft)
			got, err := f.Fate(m)
			if err != nil || got != tt.want {
				t.Errorf("%q -> %q: fate %d, %v, want %d", tt.before, tt.aft, got, err, tt.want)
			}
			if tt.now == tt.served && tt.pending == nil && tt.steps == nil && tt.interrupted == "" {
				if steady, _ := rowfilter.Steady(byProject, grants(tt.now)).Fate(m); steady != got {
					t.Errorf("a steady filter says %d", steady)
				}
			}
		})
	}
}

// A log without whole rows has the primary key, and what changed.
func TestTheFateOfAMessageThatNamesTheKeyAlone(t *testing.T) {
	for _, tt := range []struct {
		name, now, served string
		steps             []rowfilter.Step
		message           string
		want              rowfilter.Fate
	}{
		{"an update", "1", "1", nil, `"value":{"id":"1","title":"new"},"headers":{"operation":"update","txids":[90]}`, send},
		{"a delete", "1", "1", nil, `"value":{"id":"1"},"headers":{"operation":"delete","txids":[90]}`, send},
		{"an update of a hidden row", "2", "2", nil, `"value":{"id":"1","title":"new"},"headers":{"operation":"update","txids":[90]}`, nothing},
		{"a lost row ends", "2", "12", nil, `"value":{"id":"1"},"headers":{"operation":"delete","txids":[90]}`, byKey},
		{"late: a gained row changes", "12", "12", []rowfilter.Step{step(100, "2", "2")}, `"value":{"id":"1","title":"new"},"headers":{"operation":"update","txids":[90]}`, nothing},
		{"late: a gained row ends", "12", "12", []rowfilter.Step{step(100, "2", "2")}, `"value":{"id":"1"},"headers":{"operation":"delete","txids":[90]}`, nothing},
		{"late: a kept row ends", "12", "12", []rowfilter.Step{step(100, "1", "1")}, `"value":{"id":"1"},"headers":{"operation":"delete","txids":[90]}`, ask},
	} {
		f := rowfilter.New(byID, grants(tt.now), grants(tt.served), nil, tt.steps)
		if got, err := f.Fate(parse(t, `{"key":"\"public\".\"t\"/\"1\"",`+tt.message+`}`)); err != nil || got != tt.want {
			t.Errorf("%s: fate %d, %v, want %d", tt.name, got, err, tt.want)
		}
	}
	// A filter on another column cannot decide.
	f := rowfilter.Steady(byProject, grants("a"))
	if got, err := f.Fate(parse(t, `{"key":"k","value":{"id":"1","title":"new"},"headers":{"operation":"update"}}`)); err != nil || got != nothing {
		t.Errorf("a row without the filter's column: fate %d, %v", got, err)
	}
}

// A row is sent if one id reaches it all the time. What one id reached until a while ago,
// and another from today on, may have been written in between.
func TestOneGrantReachesARowAllTheTime(t *testing.T) {
	m := message(t, 110, "a", "a") // of id 1
	for _, tt := range []struct {
		name        string
		now, served authz.Grants
		want        rowfilter.Fate
	}{
		{"by its id", grants("1", ""), grants("1", "a"), send},
		{"by its project", grants("1", "a"), grants("", "a"), send},
		{"by the project until a while ago, and by the id today", grants("1", ""), grants("", "a"), nothing},
		{"by neither today", grants("", ""), grants("1", "a"), nothing},
	} {
		if got, err := rowfilter.New(byBoth, tt.now, tt.served, nil, nil).Fate(m); err != nil || got != tt.want {
			t.Errorf("%s: fate %d, %v, want %d", tt.name, got, err, tt.want)
		}
	}
	steps := []rowfilter.Step{{Fence: electric.NewFence(200, 200, nil, 0), Kept: grants("", "a"), Held: []authz.Grants{grants("", "a")}}}
	if got, err := rowfilter.New(byBoth, grants("1", ""), grants("1", ""), nil, steps).Fate(m); err != nil || got != ask {
		t.Errorf("late, by the id that was gained: fate %d, %v", got, err)
	}
}

func TestWhatIsSentOfAMessage(t *testing.T) {
	const (
		rowKey  = `{"key":"\"public\".\"t\"/\"1\"",`
		headers = `"relation":["public","t"],"txids":[110]`
	)
	moved := func(before, after string) *electric.Message { return message(t, 110, before, after) }
	changed := func(op, header, other string) *electric.Message {
		return parse(t, fmt.Sprintf(`%s"value":{"id":"1","project":"a"},"headers":{"operation":%q,%q:"\"public\".\"t\"/\"%s\"",%s}}`, rowKey, op, header, other, headers))
	}
	for _, tt := range []struct {
		name        string
		rule        *rowfilter.Rule
		now, served string
		m           *electric.Message
		want        string
	}{
		{"as it is", byProject, "a", "a", moved("a", "a"), string(moved("a", "a").Raw)},
		{"as an insert, without old values", byProject, "a", "a", moved("x", "a"), rowKey + `"value":{"id":"1","project":"a","title":"new"},"headers":{"operation":"insert",` + headers + `}}`},
		{"as a delete of the row as it was", byProject, "a", "a", moved("a", "x"), rowKey + `"value":{"id":"1","project":"a","title":"old"},"headers":{"operation":"delete",` + headers + `}}`},
		{"as a delete of the key", byProject, "", "a", moved("a", "x"), rowKey + `"value":{"id":"1"},"headers":{"operation":"delete",` + headers + `}}`},
		{"nothing", byProject, "a", "a", moved("x", "x"), ``},
		{"a key that changes names what it becomes", byID, "12", "12", changed("delete", "key_change_to", "2"), string(changed("delete", "key_change_to", "2").Raw)},
		{"unless that is hidden", byID, "1", "1", changed("delete", "key_change_to", "2"), rowKey + `"value":{"id":"1","project":"a"},"headers":{"operation":"delete",` + headers + `}}`},
		{"or was not served", byID, "12", "1", changed("delete", "key_change_to", "2"), rowKey + `"value":{"id":"1","project":"a"},"headers":{"operation":"delete",` + headers + `}}`},
		{"or the key does not decide", byProject, "a", "a", changed("insert", "key_change_from", "2"), rowKey + `"value":{"id":"1","project":"a"},"headers":{"operation":"insert",` + headers + `}}`},
		{"everything is seen", byProject, "*", "*", changed("insert", "key_change_from", "2"), string(changed("insert", "key_change_from", "2").Raw)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := rowfilter.New(tt.rule, grants(tt.now), grants(tt.served), nil, nil)
			got, _, err := f.Append([]byte("before "), tt.m)
			if err != nil || string(got) != "before "+tt.want {
				t.Errorf("%v\ngot  %s\nwant before %s", err, got, tt.want)
			}
		})
	}
}

func TestWhatIsPresent(t *testing.T) {
	late := message(t, 90, "a", "x")
	row := func(project string) *electric.Message {
		return parse(t, `{"key":"\"public\".\"t\"/\"1\"","value":{"id":"1","project":"`+project+`","title":"now"},"headers":{"operation":"insert"}}`)
	}
	const gone = `{"key":"\"public\".\"t\"/\"1\"","value":{"id":"1"},"headers":{"operation":"delete"`
	for _, tt := range []struct {
		name string
		f    *rowfilter.Filter
		row  *electric.Message
		want string
	}{
		// The delete names no transaction: it is of now, and newer than what a subset has seen.
		{"not there", rowfilter.Steady(byProject, grants("a")), nil, gone + `,"relation":["public","t"]}}`},
		{"hidden", rowfilter.Steady(byProject, grants("a")), row("x"), gone + `}}`},
		{"permitted", rowfilter.Steady(byProject, grants("a")), row("a"), string(row("a").Raw)},
		{"permitted until a moment ago", rowfilter.Steady(byProject, grants("a")).Narrowed(grants("")), row("a"), gone + `}}`},
		{"permitted, and not named by the answer's handle", rowfilter.New(byProject, grants("ab"), grants("a"), nil, nil), row("b"), gone + `}}`},
		{"behind a resync", rowfilter.Steady(byProject, grants("ab")), row("b"), string(row("b").Raw)},
	} {
		got, err := tt.f.Present(nil, tt.row, late)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: %v\ngot  %s\nwant %s", tt.name, err, got, tt.want)
		}
	}
}

// Of what an answer's handle names, something was lost while the answer is written.
func TestWhatIsLostWhileAnAnswerIsWritten(t *testing.T) {
	late := []rowfilter.Step{step(200, "a", "ac")}
	for _, tt := range []struct {
		name          string
		f             *rowfilter.Filter
		before, after string
		want          rowfilter.Fate
	}{
		{"a row comes", rowfilter.Steady(byProject, grants("ab")), "", "b", nothing},
		{"a row changes", rowfilter.Steady(byProject, grants("ab")), "b", "b", nothing},
		{"a row ends", rowfilter.Steady(byProject, grants("ab")), "b", "", byKey},
		{"a row leaves", rowfilter.Steady(byProject, grants("ab")), "b", "x", byKey},
		{"a row moves into it", rowfilter.Steady(byProject, grants("ab")), "a", "b", del},
		{"a row moves out of it", rowfilter.Steady(byProject, grants("ab")), "b", "a", asInsert},
		{"another row changes", rowfilter.Steady(byProject, grants("ab")), "a", "a", send},
		{"a row moves into it, and it was not served", rowfilter.New(byProject, grants("ab"), grants("a"), nil, nil), "a", "b", del},
		{"late: a kept row moves into it", rowfilter.New(byProject, grants("ab"), grants("ab"), nil, late), "a", "b", ask},
	} {
		if got, err := tt.f.Narrowed(grants("a")).Fate(message(t, 110, tt.before, tt.after)); err != nil || got != tt.want {
			t.Errorf("%s: fate %d, %v, want %d", tt.name, got, err, tt.want)
		}
	}
}

func TestAControlMessageIsSentAsItIs(t *testing.T) {
	m := parse(t, `{"headers":{"control":"up-to-date"}}`)
	if got, fate, err := rowfilter.Steady(byProject, grants("")).Append(nil, m); err != nil || fate != send || string(got) != string(m.Raw) {
		t.Errorf("%s, fate %d, %v", got, fate, err)
	}
}

// A message is late if the snapshot has seen all of its transactions.
func TestATransactionThatWasRunningIsNotLate(t *testing.T) {
	s := step(100, "", "")
	s.Fence = electric.NewFence(90, 100, []uint64{90}, 0)
	f := rowfilter.New(byProject, grants("a"), grants("a"), nil, []rowfilter.Step{s})
	for xid, want := range map[int]rowfilter.Fate{89: nothing, 90: send, 91: nothing, 100: send} {
		if got, err := f.Fate(message(t, xid, "a", "a")); err != nil || got != want {
			t.Errorf("transaction %d: fate %d, %v, want %d", xid, got, err, want)
		}
	}
}
