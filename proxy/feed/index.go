package feed

import (
	"slices"

	"github.com/shapegate/shapegate/authz"
)

// index finds the cohorts that see a message. It is a tree of two levels, each with
// the union of what those below it see, so that a message that few see costs little
// and one that nobody sees next to nothing.
type index struct {
	columns int
	all     []*Cohort // are woken for everything
	blocks  []*block
	unions  []authz.Union
	removed int // since the unions were made
	members int
}

// block is some cohorts.
type block struct {
	members []*Cohort
	unions  []authz.Union
	removed int
}

// blockSize is about the square root of how many cohorts are many.
const blockSize = 64

func newIndex(columns int) index {
	return index{columns: columns, unions: make([]authz.Union, columns)}
}

func (x *index) add(a *Cohort, all bool) {
	if all {
		x.all = append(x.all, a)
		return
	}
	b := x.roomy()
	b.members = append(b.members, a)
	a.block = b
	x.members++
	addTo(b.unions, a)
	addTo(x.unions, a)
}

// roomy returns a block that has room for one more.
func (x *index) roomy() *block {
	for _, b := range slices.Backward(x.blocks) {
		if len(b.members) < blockSize {
			return b
		}
	}
	b := &block{unions: make([]authz.Union, x.columns)}
	x.blocks = append(x.blocks, b)
	return b
}

func addTo(unions []authz.Union, a *Cohort) {
	for _, g := range a.view.Grants {
		unions[g.Column].Add(g.IDs)
	}
}

// remove takes an cohort away. What it alone saw stays in the unions for a while,
// which costs time and nothing else.
func (x *index) remove(a *Cohort) {
	is := func(other *Cohort) bool { return other == a }
	b := a.block
	if b == nil {
		x.all = slices.DeleteFunc(x.all, is)
		return
	}
	b.members = slices.DeleteFunc(b.members, is)
	a.block = nil
	x.members--
	if b.removed++; b.removed >= blockSize/2 {
		b.unions, b.removed = unionsOf(x.columns, b.members), 0
	}
	if x.removed++; x.removed > max(x.members, blockSize) {
		x.rebuild()
	}
}

func (x *index) rebuild() {
	x.blocks = slices.DeleteFunc(x.blocks, func(b *block) bool { return len(b.members) == 0 })
	var all []*Cohort
	for _, b := range x.blocks {
		all = append(all, b.members...)
	}
	x.unions, x.removed = unionsOf(x.columns, all), 0
}

func unionsOf(columns int, all []*Cohort) []authz.Union {
	unions := make([]authz.Union, columns)
	for _, a := range all {
		addTo(unions, a)
	}
	return unions
}

// find calls found for each cohort that may see a message with these ids, but for
// those that are woken for everything.
func (x *index) find(numbered []ids, found func(*Cohort)) {
	if !hasAny(x.unions, numbered) {
		return
	}
	for _, b := range x.blocks {
		if !hasAny(b.unions, numbered) {
			continue
		}
		for _, a := range b.members {
			if a.sees(numbered) {
				found(a)
			}
		}
	}
}

func hasAny(unions []authz.Union, numbered []ids) bool {
	for i := range numbered {
		if in(&unions[i], &numbered[i]) {
			return true
		}
	}
	return false
}
