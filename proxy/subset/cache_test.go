package subset

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// The cache holds no more than its budget, whatever is asked of it, and forgets
// first what was asked for longest ago.
func TestCacheKeepsItsBudget(t *testing.T) {
	long := "done" + strings.Repeat(" OR done", 100)
	c := newStatementCache(3 * statementBytes(long+"0"))
	texts := make([]string, 5)
	for i := range texts {
		texts[i] = long + fmt.Sprint(i)
		if _, err := c.parse(texts[i]); err != nil {
			t.Fatal(err)
		}
		if _, ok := c.get(texts[0]); !ok {
			t.Fatalf("the statement that was asked for last is gone after %d more", i)
		}
		if c.bytes > c.budget || c.bytes != c.lru.Len()*statementBytes(texts[0]) {
			t.Fatalf("%d statements count as %d of %d bytes", c.lru.Len(), c.bytes, c.budget)
		}
	}
	if got := c.lru.Keys(); len(got) != 3 || got[1] != texts[4] && got[2] != texts[4] {
		t.Errorf("%d statements are kept", len(got))
	}
	if _, err := c.parse("done OR"); err == nil {
		t.Error("a syntax error was accepted")
	}
	if c.lru.Contains("done OR") {
		t.Error("a where that was refused is kept")
	}
}

// A where that is larger than the budget is parsed, and not kept.
func TestCacheDoesNotKeepWhatIsTooLarge(t *testing.T) {
	c := newStatementCache(10)
	if _, err := c.parse("done"); err != nil {
		t.Fatal(err)
	}
	if c.lru.Len() != 0 || c.bytes != 0 {
		t.Errorf("%d statements, %d bytes", c.lru.Len(), c.bytes)
	}
}

// What is known of one text does not come from another's parameters or columns.
func TestOneTextWithOtherParamsAndColumns(t *testing.T) {
	const where = `a = $1`
	for _, test := range []struct{ typ, value, want string }{
		{"uuid", "x", `(("a" IS NULL) AND NULL::bool)`},
		{"text", "x", `("a" = $1)`},
		{"uuid", "11111111-1111-4111-8111-111111111111", `("a" = $1)`},
		{"mood", "x", `("a"::text = $1)`},
		{"int4", "99999999999", `(("a" IS NULL) AND NULL::bool)`},
	} {
		w, err := parseWhere(where, map[int]string{1: test.value}, &Table{Columns: Columns{"a": {Type: test.typ}}})
		if err != nil {
			t.Fatal(err)
		}
		if got := w.SQL(0); got != test.want {
			t.Errorf("%s %s: got %s, want %s", test.typ, test.value, got, test.want)
		}
	}
	var refused *Error
	if _, err := parseWhere(where, nil, &Table{Columns: Columns{"a": {Type: "text"}}}); !errors.As(err, &refused) {
		t.Errorf("without a value: %v", err)
	}
	if _, err := parseWhere(where, map[int]string{1: "x"}, &Table{Columns: Columns{"b": {Type: "text"}}}); !errors.As(err, &refused) {
		t.Errorf("without the column: %v", err)
	}
}

// Requests at the same time share a tree, and do not change it.
func TestOneTextAtTheSameTime(t *testing.T) {
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 20 {
				value := fmt.Sprint(i, j)
				w, err := parseWhere(`(a = $1 OR b = ANY(ARRAY[$1, 'x'])) IS NOT NULL`, map[int]string{1: value},
					&Table{Columns: Columns{"a": {Type: "text"}, "b": {Type: "text"}}})
				if err != nil || len(w.params) != 1 || w.params[0] != value {
					t.Errorf("%v, %v", w, err)
				}
			}
		})
	}
	wg.Wait()
}

// A statement counts as what it takes, or more.
func TestStatementsAreCountedInFull(t *testing.T) {
	for name, where := range map[string]string{
		"ORs":  `"title" = $1` + strings.Repeat(` OR "title" = $1`, 2_000),
		"IN":   "points IN (1" + strings.Repeat(",1", 9_000) + ")",
		"NOTs": "a" + strings.Repeat(" OR NOT a", 5_000),
	} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		c := newStatementCache(1 << 30)
		if _, err := c.parse(where); err != nil {
			t.Fatal(err)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		taken := int(after.HeapAlloc) - int(before.HeapAlloc)
		if taken > statementBytes(where)*11/10 {
			t.Errorf("%s: %d bytes of text take %d, and count as %d", name, len(where), taken, statementBytes(where))
		}
		runtime.KeepAlive(c)
	}
}
