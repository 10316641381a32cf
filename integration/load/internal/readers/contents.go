package readers

import "github.com/shapegate/shapegate/integration/load/internal/world"

// common is the row that everybody may see.
func common() string { return world.Document(world.Common, 0, 0) }

// withheld is the i-th of the rows that nobody may see.
func withheld(i int) string { return world.Document(world.Withheld, 0, i) }

// rows lists every row of the world, as it is at the start.
func (o *options) rows() []world.Row {
	all := []world.Row{{ID: common(), Title: world.TitleForAll(firstMark)}}
	for i := range o.withheld {
		all = append(all, world.Row{ID: withheld(i), Title: world.TitleForNobody(firstMark)})
	}
	for n := range o.people {
		for _, id := range world.Documents(world.Own, n, o.own) {
			all = append(all, world.Row{ID: id, Title: world.TitleFor(n, firstMark)})
		}
	}
	return all
}

// grants lists what the people may see.
func (o *options) grants() []string {
	var all []string
	for n := range o.people {
		all = append(all, world.Viewer(common(), n))
		for _, id := range world.Documents(world.Own, n, o.own) {
			all = append(all, world.Viewer(id, n))
		}
		all = append(all, world.Each(o.target.Each, n)...)
	}
	return all
}
