package gateway

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/explain"
	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/proxy"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/schema"
)

// Explainer says why somebody sees a row or does not, and what somebody may sync. It asks
// SpiceDB and Electric anew each time, and uses nothing that a gateway keeps.
type Explainer struct {
	shapes   schema.File
	spicedb  *spicedb.Client
	electric *electric.Client
}

// NewExplainer returns an explainer of some shapes.
func NewExplainer(shapes schema.File, s *spicedb.Client, e *electric.Client) *Explainer {
	return &Explainer{shapes: shapes, spicedb: s, electric: e}
}

// Reader is who reads.
type Reader struct {
	Subject authz.Subject     // with the claims that its token would have
	Params  map[string]string // of the shape
	IP      string            // of the request; empty: it is not known
}

// Explain says whether a reader sees the row of a shape, or of a collection of grants, whose
// primary key has the values id, and why.
//
// Errors are Invalid where the question cannot be asked; else those of the clients of
// SpiceDB and of Electric. That SpiceDB cannot evaluate a permission is an explanation.
func (x *Explainer) Explain(ctx context.Context, who Reader, name string, id []string) (*explain.Explanation, error) {
	shape, collection, err := x.shapes.Find(name)
	switch {
	case err != nil:
		return nil, invalid("%w", err)
	case collection != nil:
		return x.explainGrants(ctx, who, collection, id)
	default:
		return x.explainRow(ctx, who, shape, id)
	}
}

// explainRow explains a row of a shape. Electric is asked for it.
func (x *Explainer) explainRow(ctx context.Context, who Reader, def *schema.Shape, id []string) (*explain.Explanation, error) {
	reading, err := proxy.NewReading(def, who.Subject, who.Params, who.IP)
	if err != nil {
		return nil, err
	}
	row := &rowReader{x.electric, def, reading}
	found, err := row.find(ctx, id)
	if err != nil {
		return nil, err
	}
	e, err := x.decide(ctx, who, &def.Guarded, &reading.Question, found)
	if err != nil {
		return nil, err
	}
	e.Row.Where = whereText(def)
	return e, nil
}

// decide asks SpiceDB whether a reader sees a row that was found.
func (x *Explainer) decide(ctx context.Context, who Reader, def *schema.Guarded, asked *authz.Question, row *foundRow) (*explain.Explanation, error) {
	e := &explain.Explanation{
		Question: explain.Question{
			Subject: who.Subject.String(), Shape: def.Name, ID: row.id,
			Params: maps.Clone(who.Params), Context: contextSources(def),
		},
		Filters: []explain.Filter{},
		Row:     explain.Row{Exists: row.exists, MeetsWhere: row.meetsWhere},
	}
	if e.Params == nil {
		e.Params = map[string]string{}
	}
	checks := newChecker(x.spicedb, asked)
	var err error
	if e.Gate, err = checks.requirement(ctx, asked.Rule.Gate); err != nil {
		return nil, err
	}
	if e.Every, err = checks.requirement(ctx, asked.Rule.Unrestricted); err != nil {
		return nil, err
	}
	for _, f := range def.Authorize.Filter {
		filter, err := checks.filter(ctx, f, row)
		if err != nil {
			return nil, err
		}
		e.Filters = append(e.Filters, filter)
	}
	isLookedUp := (e.Gate == nil || e.Gate.Held) && (e.Every == nil || !e.Every.Held)
	if isLookedUp {
		if e.Failure, err = checks.lookups(ctx, asked.Rule.Filters); err != nil {
			return nil, err
		}
	}
	e.Revision = string(checks.at)
	e.Conclude()
	return e, nil
}

func invalid(format string, args ...any) error {
	return authz.E(authz.Invalid, "explain", fmt.Errorf(format, args...))
}

// contextSources says for each parameter of a caveat where the shape takes it from.
func contextSources(def *schema.Guarded) map[string]string {
	sources := make(map[string]string, len(def.Authorize.Context))
	for name, v := range def.Authorize.Context {
		switch v.Source {
		case schema.Claim:
			sources[name] = "claims." + schema.ClaimPath(v.Path)
		case schema.RequestIP:
			sources[name] = "request.ip"
		case schema.RequestTime:
			sources[name] = "request.time"
		case schema.Literal:
			sources[name] = "a constant"
		}
	}
	return sources
}

// whereText is the shape's where with its params by their names.
func whereText(def *schema.Shape) string {
	if def.Where == nil {
		return ""
	}
	text := def.Where.SQL
	for i := len(def.Where.Params); i > 0; i-- { // $12 before $1
		text = strings.ReplaceAll(text, fmt.Sprintf("$%d", i), "$"+def.Where.Params[i-1])
	}
	return text
}

// checker asks SpiceDB about permissions, all at one revision: that of its first answer.
type checker struct {
	spicedb *spicedb.Client
	subject authz.ObjectRef
	context map[string]any
	at      authz.ZedToken // empty before the first answer
}

func newChecker(s *spicedb.Client, q *authz.Question) *checker {
	return &checker{spicedb: s, subject: q.Subject.ObjectRef, context: contextNow(q)}
}

// contextNow is the caveat context of a question that is asked now.
func contextNow(q *authz.Question) map[string]any {
	values := maps.Clone(q.Context)
	for _, name := range q.Clock {
		values[name] = time.Now().UTC().Format(time.RFC3339)
	}
	return values
}

// lookups looks up all objects that the filters permit, as the proxy does, and returns which
// permission cannot be looked up, and why. A check of one object may hold by a path beside
// the cycle of groups that the lookup runs into.
func (c *checker) lookups(ctx context.Context, filters []authz.Filter) (failure string, err error) {
	for i, f := range filters {
		if slices.Contains(filters[:i], f) { // another column's, with the same permission
			continue
		}
		_, err := c.spicedb.LookupResources(ctx, authz.Lookup{
			Subject: c.subject, ResourceType: f.ResourceType, Permission: f.Permission, Context: c.context, At: c.at,
		}, func(string) {})
		switch {
		case authz.KindOf(err) == authz.Unanswerable:
			return f.ResourceType + "#" + f.Permission + ": " + spicedb.Explain(err), nil
		case err != nil:
			return "", err
		}
	}
	return "", nil
}

// requirement checks a requirement; without one the check is nil.
func (c *checker) requirement(ctx context.Context, r *authz.Requirement) (*explain.Check, error) {
	if r == nil {
		return nil, nil //nolint:nilnil // the shape has none
	}
	return c.check(ctx, r.Resource, r.Permission)
}

func (c *checker) check(ctx context.Context, resource authz.ObjectRef, permission string) (*explain.Check, error) {
	asked := authz.Check{Subject: c.subject, Resource: resource, Permission: permission, Context: c.context}
	answer, err := c.spicedb.Trace(ctx, asked, c.at)
	switch {
	case authz.KindOf(err) == authz.Unanswerable:
		told := explain.Unanswerable(asked, spicedb.Explain(err))
		return &told, nil
	case err != nil:
		return nil, err
	}
	c.at = answer.At
	told := explain.Tell(asked, answer)
	return &told, nil
}

// filter checks the permission on the object that a row has in a filter's column.
func (c *checker) filter(ctx context.Context, f schema.Filter, row *foundRow) (explain.Filter, error) {
	value, known := row.columns[f.Column]
	out := explain.Filter{Column: f.Column, Value: value}
	switch {
	case row.impossible != "" && value != nil:
		out.Reason = row.impossible
		return out, nil
	case !known:
		out.Reason = "there is no row to read it from"
		return out, nil
	case value == nil:
		out.Reason = "it is NULL, which is never visible"
		return out, nil
	}
	object, err := authz.NewObjectRef(f.Resource, *value)
	if err != nil {
		out.Reason = "the value is no object id that SpiceDB accepts: letters, digits and /_|-=+ only"
		return out, nil //nolint:nilerr // it is the explanation
	}
	out.Check, err = c.check(ctx, object, f.Permission)
	return out, err
}

// IsInvalid reports whether an error of an Explainer is about the question, and not about
// the answer.
func IsInvalid(err error) bool {
	var e *authz.Error
	return errors.As(err, &e) && e.Kind == authz.Invalid
}
