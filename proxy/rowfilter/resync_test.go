package rowfilter_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/rowfilter"
)

// letters spells grants as the tests do.
func letters(g authz.Grants) string {
	if g.IsEverything() {
		return "*"
	}
	return strings.Join(slices.Sorted(g.Set(0).All()), "")
}

func TestWhatAResyncBringsAndTakes(t *testing.T) {
	for _, tt := range []struct {
		name, now, served string
		pending           []string
		interrupted       string
		lost, kept, come  string
	}{
		{"a grant came", "ab", "a", nil, "", "", "a", "b"},
		{"a grant went", "a", "ab", nil, "", "b", "a", ""},
		{"one came and one went", "bc", "ab", nil, "", "a", "b", "c"},
		{"a grant was interrupted", "ab", "ab", nil, "b", "", "a", "b"},
		{"an interrupted grant is away", "a", "ab", nil, "b", "b", "a", ""},
		{"a grant that came since was interrupted", "ab", "a", nil, "b", "", "a", "b"},
		{"what is pending may be there", "a", "a", []string{"ab"}, "", "b", "a", ""},
		{"and may not", "ab", "a", []string{"ab"}, "", "", "a", "b"},
		{"what is pending may have been taken away", "ab", "ab", []string{"b"}, "", "", "b", "a"},
		{"by any of several", "abc", "abc", []string{"bc", "ab"}, "", "", "b", "ac"},
		{"everything stays", "*", "*", nil, "", "", "*", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var pending []authz.Grants
			for _, p := range tt.pending {
				pending = append(pending, grants(p))
			}
			r := rowfilter.NewResync(byID, grants(tt.now), grants(tt.served), pending, grants(tt.interrupted))
			if lost, kept, come := letters(r.Lost), letters(r.Kept), letters(r.Gained); lost != tt.lost || kept != tt.kept || come != tt.come {
				t.Errorf("lost %q kept %q gained %q, want %q %q %q", lost, kept, come, tt.lost, tt.kept, tt.come)
			}
			if r.IsEmpty() != (tt.lost == "" && tt.come == "") {
				t.Errorf("empty: %v", r.IsEmpty())
			}
		})
	}
	r := rowfilter.NewResync(byID, grants("abc"), grants("ab"), nil, grants("")).Keeping(grants("a"))
	if got := letters(r.Gained); got != "bc" {
		t.Errorf("with less kept it brings %q", got)
	}
}

func TestWhichRowsOfAResyncAreAskedFor(t *testing.T) {
	resync := func(rule *rowfilter.Rule) rowfilter.Resync {
		return rowfilter.NewResync(rule, grants("bc"), grants("ab"), nil, grants(""))
	}
	byKey, byOther := resync(byID), resync(byProject)
	if gone, asked := byKey.Gone(), letters(byKey.Ask()); !slices.Equal(gone, []string{"a"}) || asked != "c" {
		t.Errorf("by key: %v go, %q is asked", gone, asked)
	}
	if gone, asked := byOther.Gone(), letters(byOther.Ask()); gone != nil || asked != "ac" {
		t.Errorf("by another column: %v go, %q is asked", gone, asked)
	}
	twice := &rowfilter.Rule{Schema: "public", Table: "t", Key: []string{"id"}, Filters: []string{"id", "id"}}
	r := rowfilter.NewResync(twice, grants("b", "a"), grants("ab", "b"), nil, grants("", ""))
	if gone := r.Gone(); gone != nil {
		t.Errorf("%v go, which the other filter still reaches", gone)
	}
	composed := &rowfilter.Rule{Schema: "public", Table: "t", Key: []string{"id", "part"}, Filters: []string{"id"}}
	r = rowfilter.NewResync(composed, grants(""), grants("a"), nil, grants(""))
	if gone := r.Gone(); gone != nil || composed.ByKey() {
		t.Errorf("%v go, of a key with two columns", gone)
	}
}

func TestWhatAResyncSendsOfARow(t *testing.T) {
	r := rowfilter.NewResync(byBoth, grants("1", "b"), grants("", "ab"), nil, grants("", ""))
	row := func(id, project string) string {
		return `{"key":"\"public\".\"t\"/\"` + id + `\"","value":{"id":"` + id + `","project":"` + project + `","title":"now"},"headers":{"operation":"insert"}}`
	}
	for _, tt := range []struct {
		name, id, project string
		permitted         authz.Grants
		want              string
	}{
		{"of a grant that came", "1", "x", grants("1", "b"), row("1", "x")},
		{"of a grant that went", "2", "a", grants("1", "b"), `{"key":"\"public\".\"t\"/\"2\"","value":{"id":"2"},"headers":{"operation":"delete"}}`},
		{"of one that went and one that came", "1", "a", grants("1", "b"), row("1", "a")},
		{"of a grant that went since the decision", "1", "x", grants("", "b"), ``},
		{"of one that went before, and one since", "1", "a", grants("", "b"), `{"key":"\"public\".\"t\"/\"1\"","value":{"id":"1"},"headers":{"operation":"delete"}}`},
	} {
		got, err := r.Row(nil, parse(t, row(tt.id, tt.project)), tt.permitted)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: %v\ngot  %s\nwant %s", tt.name, err, got, tt.want)
		}
	}
	want := `{"headers":{"operation":"delete","relation":["public","t"]},"key":"\"public\".\"t\"/\"a//b\"","value":{"id":"a/b"}}`
	if got := string(r.DeleteOf(nil, "a/b")); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
