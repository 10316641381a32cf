package electrictest

import "testing"

// TestViewsDoNotChange checks that what a reader holds is not written to.
func TestViewsDoNotChange(t *testing.T) {
	h := &heap{}
	for range 300 {
		h.append(&row{key: "old"})
	}
	v := h.view()
	h.set(0, &row{key: "new"})
	h.set(299, nil)
	h.append(&row{key: "new"})
	n := 0
	for _, r := range v.all() {
		if n++; r.key != "old" {
			t.Fatal("the view holds a later row")
		}
	}
	if n != 300 || h.live != 300 || h.n != 301 {
		t.Fatalf("%d rows in the view, %d live of %d in the heap", n, h.live, h.n)
	}
}
