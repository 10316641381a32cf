package proxy

import (
	"slices"

	"github.com/shapegate/shapegate/schema"
)

// contextClaims returns those of the claims that a caveat context is made of, and nothing
// besides, where they stand: caveatContext finds in both the same.
func contextClaims(spec map[string]schema.ContextValue, claims map[string]any) map[string]any {
	var paths [][]string
	for _, v := range spec {
		if v.Source == schema.Claim {
			paths = append(paths, v.Path)
		}
	}
	// An object comes before its members, and has them already.
	slices.SortFunc(paths, slices.Compare[[]string])
	var out map[string]any
	var last []string // the path that was taken last
	for _, path := range paths {
		value, ok := claim(claims, path)
		if !ok || len(last) > 0 && len(path) >= len(last) && slices.Equal(path[:len(last)], last) {
			continue
		}
		if out == nil {
			out = make(map[string]any)
		}
		put(out, path, value)
		last = path
	}
	return out
}

// put sets the value at a path, and makes the objects on the way.
func put(object map[string]any, path []string, value any) {
	for _, part := range path[:len(path)-1] {
		next, ok := object[part].(map[string]any)
		if !ok {
			next = make(map[string]any)
			object[part] = next
		}
		object = next
	}
	object[path[len(path)-1]] = value
}
