package gateway

import (
	"context"
	"slices"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/explain"
	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/proxy"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/schema"
)

// Shapes says what a reader may sync: of each shape, and then of each collection of grants,
// whether the gate holds, and how many ids its filters reach. One with a param that has no
// value is not asked about. Electric is not asked.
//
// Errors are Invalid where the question cannot be asked; else those of the client of
// SpiceDB. That SpiceDB cannot evaluate a permission is an answer.
func (x *Explainer) Shapes(ctx context.Context, who Reader) ([]explain.Access, error) {
	defs := x.shapes.Guarded()
	for name := range who.Params {
		if !slices.ContainsFunc(defs, func(d *schema.Guarded) bool { return slices.Contains(d.Params, name) }) {
			return nil, invalid("param: no shape has the param %s", name)
		}
	}
	all := make([]explain.Access, len(defs))
	for i, def := range defs {
		var err error
		if all[i], err = x.access(ctx, who, def); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// access says what a reader may sync of one definition.
func (x *Explainer) access(ctx context.Context, who Reader, def *schema.Guarded) (explain.Access, error) {
	a := explain.Access{Shape: def.Name, Rows: explain.UnknownRows, Needs: []string{}, Filters: []explain.AccessByIDs{}}
	params := make(map[string]string) // the shape's own
	for _, name := range def.Params {
		if value, ok := who.Params[name]; ok {
			params[name] = value
		} else {
			a.Needs = append(a.Needs, name)
		}
	}
	if len(a.Needs) > 0 {
		a.Note()
		return a, nil
	}
	question, err := proxy.NewQuestion(def, who.Subject, params, who.IP)
	if err != nil {
		return a, err
	}
	s := surveyor{
		spicedb: x.spicedb, question: &question, context: contextNow(&question), access: &a,
		lacking: make(map[string]struct{}), missing: make(map[string]bool),
	}
	err = s.decide(ctx, def)
	if authz.KindOf(err) == authz.Unanswerable {
		a.Rows, a.Failure, err = explain.FailedRows, s.asked+": "+spicedb.Explain(err), nil
	}
	if err != nil {
		return a, err
	}
	a.Note()
	notes, err := s.lackNotes(ctx, def)
	a.Notes = append(a.Notes, notes...)
	return a, err
}

// surveyor finds out what a reader may sync of one definition.
type surveyor struct {
	spicedb  *spicedb.Client
	question *authz.Question
	context  map[string]any
	access   *explain.Access
	asked    string // the permission of the last question, as document#view

	lacking map[string]struct{} // ids that depend on context which is missing
	missing map[string]bool     // the parameters of caveats that they depend on
}

// decide decides as the proxy does, and keeps the numbers and the times.
func (s *surveyor) decide(ctx context.Context, def *schema.Guarded) error {
	rule := &s.question.Rule
	if rule.Gate != nil {
		s.access.Gate = rule.Gate.Resource.String() + "#" + rule.Gate.Permission
		held, err := s.holds(ctx, rule.Gate)
		if err != nil {
			return err
		}
		if !held {
			s.access.Rows = explain.NoRows
			return nil
		}
	}
	if rule.Unrestricted != nil {
		s.access.Unrestricted = rule.Unrestricted.Resource.String() + "#" + rule.Unrestricted.Permission
		held, err := s.holds(ctx, rule.Unrestricted)
		// One that cannot be evaluated counts as not held.
		if err != nil && authz.KindOf(err) != authz.Unanswerable {
			return err
		}
		if held {
			s.access.Rows = explain.EveryRow
			return nil
		}
	}
	if s.access.Rows = explain.EveryRow; len(rule.Filters) > 0 {
		s.access.Rows = explain.SomeRows
	}
	for i, f := range rule.Filters {
		if err := s.lookup(ctx, f, def.Authorize.Filter[i].Column); err != nil {
			return err
		}
	}
	return nil
}

func (s *surveyor) holds(ctx context.Context, r *authz.Requirement) (bool, error) {
	s.asked = r.Resource.String() + "#" + r.Permission
	return s.spicedb.CheckPermission(ctx, s.question.Subject, r.Resource, r.Permission, s.context)
}

// lookup counts the ids of a filter.
func (s *surveyor) lookup(ctx context.Context, f authz.Filter, column string) error {
	ids, size := make(map[string]struct{}), len("{}")
	lacking := make(map[string][]string)
	s.asked = f.ResourceType + "#" + f.Permission
	began := time.Now()
	_, err := s.spicedb.LookupConditional(ctx, authz.Lookup{
		Subject: s.question.Subject.ObjectRef, ResourceType: f.ResourceType, Permission: f.Permission, Context: s.context,
	}, func(id string, missing []string) {
		if missing != nil {
			lacking[id] = missing
		} else if _, twice := ids[id]; !twice {
			ids[id] = struct{}{}
			size += len(id) + len(",")
		}
	})
	if err != nil {
		return err
	}
	for id, missing := range lacking {
		if _, held := ids[id]; held { // by another path
			continue
		}
		s.lacking[f.ResourceType+":"+id] = struct{}{}
		for _, name := range missing {
			s.missing[name] = true
		}
	}
	s.access.Filters = append(s.access.Filters, explain.AccessByIDs{
		Permission: s.asked, Column: column,
		IDs: len(ids), Seconds: time.Since(began).Seconds(), Requests: requests(size),
	})
	return nil
}

// requests returns how many requests to Electric carry so many bytes of ids, at least.
func requests(size int) int { return 1 + (size-1)/electric.MaxBody }
