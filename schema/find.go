package schema

import (
	"fmt"
	"strings"
)

// Find returns the shape of a name. The error says which there are, and in which file.
func Find(shapes []Shape, name string) (*Shape, error) {
	names := make([]string, len(shapes))
	file := ""
	for i := range shapes {
		if names[i] = shapes[i].Name; names[i] == name {
			return &shapes[i], nil
		}
		if origin := shapes[i].origin; origin != nil && origin.file != "" {
			file = " in " + origin.file
		}
	}
	return nil, fmt.Errorf("there is no shape %q%s: there are %s%s", name, file, strings.Join(names, ", "), didYouMean(name, names))
}
