package authz

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func describeGrants(g Grants) string {
	if g.IsEverything() {
		return "everything"
	}
	var parts []string
	for i := range g.sets {
		parts = append(parts, fmt.Sprint(slices.Sorted(g.Set(i).All())))
	}
	return strings.Join(parts, " ")
}

func TestGrantsCannotBeAskedForASetTheyLack(t *testing.T) {
	for _, g := range []Grants{{}, Everything(), GrantsOf(), GrantsOf(nil)} {
		if set := g.Set(3); set.Len() != 0 || set.Has("a") {
			t.Errorf("%s has a set at 3", describeGrants(g))
		}
	}
	if !(Grants{}).IsEmpty() || !GrantsOf(setOf(), nil).IsEmpty() || Everything().IsEmpty() || GrantsOf(setOf("a")).IsEmpty() {
		t.Error("IsEmpty is wrong")
	}
}

func TestGrantsCombine(t *testing.T) {
	all, none := Everything(), Grants{}
	ab, b := GrantsOf(setOf("a", "b"), setOf("x")), GrantsOf(setOf("b"), setOf("y"))
	for _, tt := range []struct {
		name string
		got  Grants
		want string
	}{
		{"and", ab.And(b), "[b] []"},
		{"and everything", ab.And(all), "[a b] [x]"},
		{"everything and", all.And(ab), "[a b] [x]"},
		{"and nothing", ab.And(none), "[] []"},
		{"or", ab.Or(b), "[a b] [x y]"},
		{"or everything", ab.Or(all), "everything"},
		{"or nothing", none.Or(ab), "[a b] [x]"},
		{"minus", ab.Minus(b), "[a] [x]"},
		{"minus everything", ab.Minus(all), ""},
		{"everything minus", all.Minus(ab), "everything"},
		{"minus nothing", ab.Minus(none), "[a b] [x]"},
	} {
		if got := describeGrants(tt.got); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestGrantsAreEqualIfTheyReachTheSame(t *testing.T) {
	a := GrantsOf(setOf("a"))
	for _, tt := range []struct {
		g, h Grants
		want bool
	}{
		{a, GrantsOf(setOf("a")), true}, // of another table
		{a, GrantsOf(setOf("a"), setOf()), true},
		{a, GrantsOf(setOf("b")), false},
		{a, GrantsOf(setOf(), setOf("a")), false},
		{Everything(), Everything(), true},
		{Everything(), Grants{}, false},
		{Grants{}, GrantsOf(nil, setOf()), true},
	} {
		if got := tt.g.Equal(tt.h); got != tt.want {
			t.Errorf("%s and %s: %v", describeGrants(tt.g), describeGrants(tt.h), got)
		}
	}
}

func TestASetWithOrWithoutAnIDEqualsTheSetBuiltFromThoseIDs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.SampledFrom([]string{"a", "b", "c", "d"})
		ids := rapid.SliceOf(id).Draw(t, "ids")
		set, one := setOf(ids...), id.Draw(t, "one")
		with, without := setOf(append(ids, one)...), setOf(slices.DeleteFunc(ids, func(x string) bool { return x == one })...)
		if got := set.With(one); !got.Equal(with) || got.Fingerprint() != with.Fingerprint() {
			t.Errorf("with %s", one)
		}
		if got := set.Without(one); !got.Equal(without) || got.Fingerprint() != without.Fingerprint() {
			t.Errorf("without %s", one)
		}
		if moved := set.In(NewIDs(testKey)); !moved.Equal(set) || moved.Fingerprint() != set.Fingerprint() {
			t.Error("in another table it is another set")
		}
	})
}

// Whatever few ids differ, the grants of a fingerprint are found, and no others.
func TestGrantsOfAFingerprintAreFoundNearOtherGrants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.SampledFrom([]string{"a", "b", "c", "d", "e"})
		draw := func(name string) Grants {
			return GrantsOf(setOf(rapid.SliceOf(id).Draw(t, name+" first")...), setOf(rapid.SliceOf(id).Draw(t, name+" second")...))
		}
		g, want := draw("from"), draw("to")
		var ids []NearID
		for i := range 2 {
			for _, x := range []string{"a", "b", "c", "d", "e"} {
				ids = append(ids, NearID{i, x})
			}
		}
		left := rapid.IntRange(0, len(ids)).Draw(t, "ids that are known to differ")
		isNear := true
		for _, x := range ids[left:] {
			isNear = isNear && g.Set(x.Filter).Has(x.ID) == want.Set(x.Filter).Has(x.ID)
		}
		got, ok := g.Near(testKey, "label", want.Fingerprint(testKey, "label"), ids[:left])
		if ok != isNear || ok && !got.Equal(want) {
			t.Errorf("%s near %s: %s, %v", describeGrants(want), describeGrants(g), describeGrants(got), ok)
		}
		if ok && got.Fingerprint(testKey, "label") != want.Fingerprint(testKey, "label") {
			t.Error("it has another fingerprint")
		}
	})
	if _, ok := Everything().Near(testKey, "label", GrantsOf(setOf()).Fingerprint(testKey, "label"), nil); ok {
		t.Error("everything is near nothing")
	}
	unknown := GrantsOf(nil, nil)
	want := GrantsOf(nil, setOf("a"))
	if got, ok := unknown.Near(testKey, "label", want.Fingerprint(testKey, "label"), []NearID{{1, "a"}, {7, "x"}}); !ok || !got.Equal(want) {
		t.Error("a set that was never looked up has no neighbours")
	}
}

func BenchmarkNear(b *testing.B) {
	g := GrantsOf(setOf("a", "b"))
	var ids []NearID
	for i := range MostNear {
		ids = append(ids, NearID{0, fmt.Sprint("id", i)})
	}
	for b.Loop() {
		if _, ok := g.Near(testKey, "label", Fingerprint{}, ids); ok {
			b.Fatal("found")
		}
	}
}
