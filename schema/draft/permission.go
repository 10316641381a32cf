package draft

import (
	"fmt"
	"slices"
	"strings"

	"github.com/shapegate/shapegate/schema"
)

// readNames are the permissions that mean: may see the object.
var readNames = []string{"view", "read", "see", "can_view", "can_read", "can_see"}

// choose stands where a person has to choose. It is the name of nothing, so that the
// parser refuses it.
const choose = "CHOOSE_ONE"

// readPermission returns the one permission of a definition that is called like reading,
// or choose and the reason why there is none.
func readPermission(d *schema.Definition) (permission, open string) {
	var found []string
	for _, name := range readNames {
		if slices.Contains(d.Permissions, name) {
			found = append(found, name)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], ""
	case len(found) > 1:
		return choose, fmt.Sprintf("%s has several permissions to read: %s", d.Name, strings.Join(found, ", "))
	case len(d.Permissions) > 0:
		return choose, fmt.Sprintf("no permission of %s is called %s; it has %s",
			d.Name, either(readNames), strings.Join(slices.Sorted(slices.Values(d.Permissions)), ", "))
	case len(d.Relations) > 0:
		return choose, fmt.Sprintf("%s has relations (%s) and no permission: add one to the schema, such as view",
			d.Name, strings.Join(slices.Sorted(slices.Values(d.Relations)), ", "))
	default:
		return choose, d.Name + " has neither relations nor permissions, so that nobody can be given its objects"
	}
}

// ReadPermissions returns the permissions that a draft may choose: one at most of each
// definition.
func ReadPermissions(definitions []schema.Definition) []schema.Permission {
	var all []schema.Permission
	for i := range definitions {
		if name, open := readPermission(&definitions[i]); open == "" {
			all = append(all, schema.Permission{Definition: definitions[i].Name, Name: name})
		}
	}
	return all
}

// either joins words: a, b or c.
func either(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
