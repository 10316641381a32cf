package grants

import (
	"fmt"

	"github.com/shapegate/shapegate/integration/load/internal/world"
)

// group names the n-th group.
func group(n int) string { return fmt.Sprintf("load-%d", n) }

// member is the relationship that lets a person see what a group sees.
func member(g, n int) string {
	return fmt.Sprintf("group:%s#member@user:%s", group(g), world.Person(n))
}

// documents lists every document there is.
func (o *options) documents() []string {
	var ids []string
	for n := range o.clients {
		ids = append(ids, world.Documents(world.Own, n, o.own)...)
	}
	for n := range o.groups {
		ids = append(ids, world.Documents(world.Grouped, n, documentsPerGroup)...)
	}
	return append(ids, world.Documents(world.Granted, 0, o.shared)...)
}

// relationships lists what is true from the start to the end.
func (o *options) relationships() []string {
	var all []string
	for n := range o.clients {
		for _, id := range world.Documents(world.Own, n, o.own) {
			all = append(all, world.Viewer(id, n))
		}
		all = append(all, world.Each(o.target.Each, n)...)
	}
	for n := range o.groups {
		for _, id := range world.Documents(world.Grouped, n, documentsPerGroup) {
			all = append(all, fmt.Sprintf("document:%s#viewer@group:%s#member", id, group(n)))
		}
	}
	return all
}
