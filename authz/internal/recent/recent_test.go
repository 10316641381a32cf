package recent

import (
	"strings"
	"sync"
	"testing"
)

func TestTheBudgetHolds(t *testing.T) {
	m := New[int, string](10 * (1000 + overhead))
	for i := range 100 {
		m.Put(i, "x", 1000)
	}
	if got := m.Bytes(); got > 10*(1000+overhead) {
		t.Errorf("%d bytes are kept", got)
	}
	if _, ok := m.Get(99); !ok {
		t.Error("the last value is gone")
	}
	if _, ok := m.Get(89); ok {
		t.Error("there is room for ten values, and the eleventh last is there")
	}
}

func TestAUseKeepsAValue(t *testing.T) {
	m := New[string, int](2 * (100 + overhead))
	m.Put("used", 1, 100)
	m.Put("unused", 2, 100)
	m.Get("used")
	m.Put("new", 3, 100)
	if v, ok := m.Get("used"); !ok || v != 1 {
		t.Errorf("used = %d, %v", v, ok)
	}
	if _, ok := m.Get("unused"); ok {
		t.Error("the value that was not used for longest is there")
	}
}

func TestASecondPutReplacesTheValueAndItsSize(t *testing.T) {
	m := New[string, int](1 << 20)
	m.Put("a", 1, 1000)
	m.Put("a", 2, 10)
	if v, _ := m.Get("a"); v != 2 || m.Bytes() != 10+overhead {
		t.Errorf("value %d, %d bytes", v, m.Bytes())
	}
}

func TestAValueOverTheBudgetIsNotKept(t *testing.T) {
	m := New[string, int](1000)
	m.Put("small", 1, 1)
	m.Put("large", 2, 1000)
	if _, ok := m.Get("large"); ok {
		t.Error("a value over the budget is there")
	}
	if _, ok := m.Get("small"); !ok {
		t.Error("a value over the budget evicted another")
	}
}

func TestManyAtOnce(t *testing.T) {
	m := New[int, int](1 << 12)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 200 {
				m.Put(j, i, j)
				m.Get(j)
			}
		})
	}
	all.Wait()
	if m.Bytes() > 1<<12 {
		t.Errorf("%d bytes are kept", m.Bytes())
	}
}

func TestSizeCountsWhatIsNested(t *testing.T) {
	long := strings.Repeat("x", 1000)
	for _, v := range []any{long, []any{long}, map[string]any{long: true}, map[string]any{"a": []any{map[string]any{"b": long}}}} {
		if got := Size(v); got < 1000 || got > 1500 {
			t.Errorf("Size = %d", got)
		}
	}
}
