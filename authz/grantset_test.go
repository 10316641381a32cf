package authz

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

var testKey = NewFingerprintKey([]byte("a secret that all replicas share"))

type model = map[string]struct{}

// few ids, so that sets overlap; some of them awkward.
var someID = rapid.Custom(func(t *rapid.T) string {
	return rapid.SampledFrom([]string{"", "*", "a", "b", "A", "a/b", "ä", "\x00", "1", "01", "123e4567-e89b-12d3-a456-426614174000"}).Draw(t, "id") +
		strconv.Itoa(rapid.IntRange(0, 9).Draw(t, "number"))
})

func modelOf(ids []string) model {
	m := make(model)
	for _, id := range ids {
		m[id] = struct{}{}
	}
	return m
}

func checkAgainst(t *rapid.T, what string, s *GrantSet, want model) {
	t.Helper()
	if s.Len() != len(want) {
		t.Fatalf("%s has %d ids, want %d", what, s.Len(), len(want))
	}
	if got := slices.Collect(s.All()); len(got) != len(want) || !maps.Equal(modelOf(got), want) {
		t.Fatalf("%s is %q, want %v", what, got, want)
	}
	fresh := NewGrantSet(NewIDs(testKey), maps.Keys(want))
	if s.Len() > 0 && s.Fingerprint() != fresh.Fingerprint() {
		t.Fatalf("%s has another fingerprint than the same ids in a new table", what)
	}
}

func TestGrantSetsBehaveAsSets(t *testing.T) {
	shared := NewIDs(testKey) // with what earlier runs left in it
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfN(someID, 0, 40)
		a, b := ids.Draw(t, "a"), ids.Draw(t, "b")
		ma, mb := modelOf(a), modelOf(b)

		bIDs := shared
		if rapid.Bool().Draw(t, "b in another table") {
			bIDs = NewIDs(testKey)
		}
		sa := NewGrantSet(shared, slices.Values(a))
		sb := NewGrantSet(bIDs, slices.Values(b))
		if len(b) == 0 && rapid.Bool().Draw(t, "b is nil") {
			sb = nil
		}
		checkAgainst(t, "a", sa, ma)
		checkAgainst(t, "b", sb, mb)

		union, difference, intersection := maps.Clone(ma), maps.Clone(ma), make(model)
		for id := range mb {
			union[id] = struct{}{}
			delete(difference, id)
			if _, ok := ma[id]; ok {
				intersection[id] = struct{}{}
			}
		}
		checkAgainst(t, "a ∪ b", sa.Union(sb), union)
		checkAgainst(t, "b ∪ a", sb.Union(sa), union)
		checkAgainst(t, "a − b", sa.Difference(sb), difference)
		checkAgainst(t, "a ∩ b", sa.Intersection(sb), intersection)
		checkAgainst(t, "a, after all of this,", sa, ma)

		for _, id := range append(append(a, b...), someID.Draw(t, "another")) {
			before := shared.Len()
			_, want := ma[id]
			if sa.Has(id) != want || sa.HasBytes([]byte(id)) != want {
				t.Fatalf("a has %q: %v, %v, want %v", id, sa.Has(id), sa.HasBytes([]byte(id)), want)
			}
			if shared.Len() != before {
				t.Fatal("asking for an id took memory")
			}
		}

		equal := maps.Equal(ma, mb)
		if sa.Equal(sb) != equal || sb.Equal(sa) != equal {
			t.Fatalf("equal: %v and %v, want %v", sa.Equal(sb), sb.Equal(sa), equal)
		}
		if sb != nil && (sa.Fingerprint() == sb.Fingerprint()) != equal {
			t.Fatalf("fingerprints are equal: %v, the sets: %v", !equal, equal)
		}
	})
}

func TestFingerprintsDoNotDependOnOrderOrRepetition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfN(someID, 0, 40).Draw(t, "ids")
		shuffled := rapid.Permutation(ids).Draw(t, "shuffled")
		a := NewGrantSet(NewIDs(testKey), slices.Values(ids))
		b := NewGrantSet(NewIDs(testKey), slices.Values(append(shuffled, ids...)))
		if a.Fingerprint() != b.Fingerprint() {
			t.Fatal("the same ids have two fingerprints")
		}
	})
}

func TestABuilderMayGoOn(t *testing.T) {
	b := NewIDs(testKey).NewBuilder()
	b.Add("b")
	one := b.Build()
	b.Add("a")
	b.Add("b")
	two := b.Build()
	if one.Len() != 1 || two.Len() != 2 || one.Has("a") || !two.Has("a") || !two.Has("b") {
		t.Errorf("first %q, then %q", slices.Collect(one.All()), slices.Collect(two.All()))
	}
}

func TestANilSetIsEmpty(t *testing.T) {
	var s *GrantSet
	if s.Has("a") || s.HasBytes([]byte("a")) || s.Len() != 0 || len(slices.Collect(s.All())) != 0 {
		t.Error("it grants something")
	}
	if s.Difference(s).Len() != 0 || s.Union(s).Len() != 0 || !s.Equal(nil) {
		t.Error("it does not behave as a set")
	}
	if s.Fingerprint() == NewGrantSet(NewIDs(testKey), slices.Values([]string{})).Fingerprint() {
		t.Error("nothing vouches for a nil set's fingerprint")
	}
}

func TestHasDoesNotAllocate(t *testing.T) {
	s := NewGrantSet(NewIDs(testKey), slices.Values([]string{"a", "b", "c"}))
	present, absent := []byte("b"), []byte("x")
	if n := testing.AllocsPerRun(100, func() {
		s.Has("a")
		s.Has("z")
		s.HasBytes(present)
		s.HasBytes(absent)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestIDsUnderConcurrentUse(t *testing.T) {
	ids := NewIDs(testKey)
	const builders, each = 8, 2000
	id := func(i int) string { return fmt.Sprintf("id-%d", i) }
	sets := make([]*GrantSet, builders)
	var wg sync.WaitGroup
	for w := range builders {
		wg.Go(func() {
			b := ids.NewBuilder()
			// Every two neighbours add half of their ids both, in opposite orders.
			for i := range each {
				n := w*each/2 + i
				if w%2 == 1 {
					n = w*each/2 + each - 1 - i
				}
				b.Add(id(n))
				if _, ok := ids.Lookup(id(n)); !ok {
					t.Errorf("%s was added and is not found", id(n))
				}
				ids.LookupBytes([]byte("never added"))
			}
			sets[w] = b.Build()
			for i := range each {
				if !sets[w].Has(id(w*each/2 + i)) {
					t.Errorf("set %d lacks an id of its own", w)
				}
			}
		})
	}
	wg.Wait()
	if want := (builders + 1) * each / 2; ids.Len() != want {
		t.Errorf("%d numbers for %d ids", ids.Len(), want)
	}
	all := NewGrantSet(ids, func(yield func(string) bool) {
		for i := range (builders + 1) * each / 2 {
			if !yield(id(i)) {
				return
			}
		}
	})
	var union *GrantSet
	for _, s := range sets {
		union = union.Union(s)
	}
	if !union.Equal(all) || union.Fingerprint() != all.Fingerprint() {
		t.Error("the union of the parts is not the whole")
	}
}

func manyIDs(n, from int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%08x-e89b-12d3-a456-426614174000", (from+i)*2654435761%(1<<32))
	}
	return ids
}

func benchmarkBuild(b *testing.B, n int, known bool) {
	b.Helper()
	names := manyIDs(n, 0)
	ids := NewIDs(testKey)
	if known {
		NewGrantSet(ids, slices.Values(names))
	}
	b.ReportAllocs()
	for b.Loop() {
		if !known {
			ids = NewIDs(testKey)
		}
		NewGrantSet(ids, slices.Values(names))
	}
}

func BenchmarkBuild(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("%d/new", n), func(b *testing.B) { benchmarkBuild(b, n, false) })
		b.Run(fmt.Sprintf("%d/known", n), func(b *testing.B) { benchmarkBuild(b, n, true) })
	}
}

func BenchmarkHas(b *testing.B) {
	names := manyIDs(100_000, 0)
	s := NewGrantSet(NewIDs(testKey), slices.Values(names[:50_000]))
	b.Run("present", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			s.Has(names[i%50_000])
		}
	})
	b.Run("absent", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			s.Has(names[50_000+i%50_000])
		}
	})
}

func BenchmarkOperations(b *testing.B) {
	ids := NewIDs(testKey)
	s := NewGrantSet(ids, slices.Values(manyIDs(100_000, 0)))
	half := NewGrantSet(ids, slices.Values(manyIDs(100_000, 50_000)))
	one := NewGrantSet(ids, slices.Values(manyIDs(1, 200_000)))
	b.Run("union/half", func(b *testing.B) {
		for b.Loop() {
			s.Union(half)
		}
	})
	b.Run("union/one", func(b *testing.B) {
		for b.Loop() {
			s.Union(one)
		}
	})
	b.Run("difference/half", func(b *testing.B) {
		for b.Loop() {
			s.Difference(half)
		}
	})
	b.Run("fingerprint", func(b *testing.B) {
		for b.Loop() {
			s.Fingerprint()
		}
	})
}
