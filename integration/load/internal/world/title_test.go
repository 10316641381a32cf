package world

import (
	"fmt"
	"testing"
)

func TestATitleSaysWhoseRowItIs(t *testing.T) {
	body := []byte("[")
	for _, title := range []string{TitleForAll("x"), TitleFor(1, "x"), TitleFor(10, "x"), TitleFor(10_000, "x"), TitleForNobody("x")} {
		body = fmt.Appendf(body, `{"key":"k","value":{"id":"i","title":"%s"},"headers":{"operation":"update"}},`, title)
	}
	if n := Changes(body); n != 5 {
		t.Errorf("%d changes", n)
	}
	for person, foreign := range map[int]int{1: 3, 10: 3, 2: 4} {
		if n := NewVisitor(person).Foreign(body); n != foreign {
			t.Errorf("person %d: %d foreign rows, want %d", person, n, foreign)
		}
	}
}
