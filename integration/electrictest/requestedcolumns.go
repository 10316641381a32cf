package electrictest

import (
	"slices"
	"strings"
)

// resolve turns column names into indexes, sorted by name. among limits them.
func (l *layout) resolve(names []string, among []int, field, missing, unknown string, errs fieldErrors) ([]int, bool) {
	var absent, strange []string
	for _, i := range l.key {
		if !slices.Contains(names, l.columns[i].name) {
			absent = append(absent, l.columns[i].name)
		}
	}
	var indexes []int
	for _, name := range names {
		i, ok := l.byName[name]
		if !ok || among != nil && !slices.Contains(among, i) {
			strange = append(strange, name)
		} else if !slices.Contains(indexes, i) {
			indexes = append(indexes, i)
		}
	}
	switch {
	case len(absent) > 0:
		errs.add(field, missing+strings.Join(absent, ", "))
	case len(strange) > 0:
		errs.add(field, unknown+strings.Join(strange, ", "))
	default:
		l.sortByName(indexes)
		return indexes, true
	}
	return nil, false
}
