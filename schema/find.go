package schema

import (
	"fmt"
	"strings"
)

// Find returns the shape of a name, or the collection of grants; the other one is nil. The
// error says which names there are, and in which file.
func (f File) Find(name string) (*Shape, *Grants, error) {
	for i := range f.Shapes {
		if f.Shapes[i].Name == name {
			return &f.Shapes[i], nil, nil
		}
	}
	for i := range f.Grants {
		if f.Grants[i].Name == name {
			return nil, &f.Grants[i], nil
		}
	}
	var names []string
	file := ""
	for _, def := range f.Guarded() {
		names = append(names, def.Name)
		if def.origin != nil && def.origin.file != "" {
			file = " in " + def.origin.file
		}
	}
	kinds := "shape"
	if len(f.Grants) > 0 {
		kinds = "shape or collection of grants"
	}
	return nil, nil, fmt.Errorf("there is no %s %q%s: there are %s%s", kinds, name, file, strings.Join(names, ", "), didYouMean(name, names))
}
