package gateway

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/shapegate/shapegate/authz/explain"
	"github.com/shapegate/shapegate/schema"
)

// lackNotes says which values of caveat context are missing, and how to give them. Ids that
// depend on such a value are left out: it says how many. A gate that rests on a caveat may
// not hold for want of one.
func (s *surveyor) lackNotes(ctx context.Context, def *schema.Guarded) ([]string, error) {
	switch {
	case s.access.Rows == explain.SomeRows && len(s.lacking) > 0:
		left := fmt.Sprintf("%d ids are left out", len(s.lacking))
		if len(s.lacking) == 1 {
			left = "1 id is left out"
		}
		return []string{left + ", since caveats lack context: " + remedies(def, slices.Sorted(maps.Keys(s.missing)))}, nil
	case s.access.Rows == explain.NoRows:
		var absent []string
		for name := range def.Authorize.Context {
			if _, given := s.context[name]; !given {
				absent = append(absent, name)
			}
		}
		if len(absent) == 0 {
			return nil, nil
		}
		gate := s.question.Rule.Gate
		used, err := s.spicedb.CaveatParameters(ctx, gate.Resource.Type, gate.Permission)
		if err != nil {
			return nil, err
		}
		absent = slices.DeleteFunc(absent, func(name string) bool { return !slices.Contains(used, name) })
		if slices.Sort(absent); len(absent) > 0 {
			return []string{"a caveat of the gate may lack context: " + remedies(def, absent)}, nil
		}
	}
	return nil, nil
}

// remedies says how to give values to parameters of caveats.
func remedies(def *schema.Guarded, parameters []string) string {
	all := make([]string, len(parameters))
	for i, name := range parameters {
		v, known := def.Authorize.Context[name]
		claim := strings.Join(v.Path, ".")
		switch {
		case known && v.Source == schema.Claim && len(v.Path) == 1:
			all[i] = fmt.Sprintf("give the claim %s (--claim %s=…)", claim, claim)
		case known && v.Source == schema.Claim:
			all[i] = fmt.Sprintf("give the claim %s (--claim '%s={…}')", claim, v.Path[0])
		case known && v.Source == schema.RequestIP:
			all[i] = "give the address of the request (--ip …)"
		default:
			all[i] = fmt.Sprintf("the context of %s gives no %s that the caveat can take", def.Name, name)
		}
	}
	return strings.Join(all, "; ")
}
