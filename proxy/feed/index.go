package feed

import (
	"slices"

	"github.com/shapegate/shapegate/authz"
)

// index finds the cohorts that a message concerns. It is a tree of two levels. Each
// level has the union of the ids below it. So a message that concerns few cohorts is
// found with little work, and one that concerns none with next to no work.
type index struct {
	columns int
	all     []*Cohort // are woken for every message
	blocks  []*block
	unions  []authz.Union
	removed int // cohorts, since the unions were made
	members int
}

// block is a part of the cohorts.
type block struct {
	members []*Cohort
	unions  []authz.Union
	removed int
}

// blockSize is about the square root of a large number of cohorts.
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

// roomy returns a block with room for one more cohort.
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

// remove removes a cohort. Its ids stay in the unions until these are made again, which
// costs time in find and changes no result.
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

// find calls found for each cohort that a message with these ids concerns. It leaves out
// those in all.
func (x *index) find(numbered []ids, found func(*Cohort)) {
	if !hasAny(x.unions, numbered) {
		return
	}
	for _, b := range x.blocks {
		if !hasAny(b.unions, numbered) {
			continue
		}
		for _, a := range b.members {
			if a.view.sees(numbered) {
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
