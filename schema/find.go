package schema

import (
	"fmt"
	"strings"
)

// Shape returns the shape of a name. The error says which there are, and in which file.
func (f File) Shape(name string) (*Shape, error) {
	names := make([]string, len(f.Shapes))
	file := ""
	for i := range f.Shapes {
		if names[i] = f.Shapes[i].Name; names[i] == name {
			return &f.Shapes[i], nil
		}
		if origin := f.Shapes[i].origin; origin != nil && origin.file != "" {
			file = " in " + origin.file
		}
	}
	return nil, fmt.Errorf("there is no shape %q%s: there are %s%s", name, file, strings.Join(names, ", "), didYouMean(name, names))
}
