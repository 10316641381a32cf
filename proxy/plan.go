package proxy

import (
	"strconv"
	"strings"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/subset"
)

// plan is the subset requests that together ask for some rows.
type plan struct {
	subsets []electric.Subset
	body    string // of the only one, if requests may share its answer
}

// mostSharedQuestion is how long the body of a request is at most, in bytes, whose answer
// requests may share: it is compared with those that are under way.
const mostSharedQuestion = 4 << 10

// newPlan returns the plan with some subset requests. It returns an error for text that is not
// valid UTF-8.
func newPlan(subsets ...electric.Subset) (*plan, error) {
	p := &plan{subsets: subsets}
	if len(subsets) > 1 || textSize(&subsets[0]) > mostSharedQuestion {
		return p, nil
	}
	body, err := subsets[0].Body()
	p.body = string(body)
	return p, err
}

// plan plans for the rows that grants reach and that the client asked for. That is one
// request, unless the ids do not fit into one body: then there are several, where neither an
// order nor a limit stands against it. Rows that two filters reach may come twice.
func (s *snapshots) plan(asked *subset.Request, g authz.Grants) (*plan, error) {
	if g.IsEverything() {
		return newPlan(combine(asked))
	}
	shape := s.log.shape
	rule := shape.table.rule()
	if len(rule.Filters) == 0 { // nothing is permitted of a shape that has no filter
		none := combine(asked)
		none.Where = "false"
		none.Params = nil
		return newPlan(none)
	}
	filters := make([]filterArray, len(rule.Filters))
	for i, name := range rule.Filters {
		filters[i] = s.log.upstream.literals.of(shape, name, g.Set(i))
	}
	subsets, err := planFor(asked, filters, func(i int) []string { return shape.validIDs(rule.Filters[i], g.Set(i)) })
	if err != nil {
		return nil, err
	}
	return newPlan(subsets...)
}

// planFor returns the subset requests that together ask for the rows that any of the
// filters reaches. ids returns the ids of a filter, which are needed where one request is
// not enough.
func planFor(asked *subset.Request, filters []filterArray, ids func(filter int) []string) ([]electric.Subset, error) {
	if one := combine(asked, filters...); bodySize(one) <= electric.MaxBody {
		return []electric.Subset{one}, nil
	}
	if asked.OrderBy != nil || asked.Limit != nil || asked.Offset != nil {
		return nil, &problem{
			kind: unprocessable, field: "order_by",
			message: "too many permitted ids for one ordered request: drop order_by, limit and offset, or use a shape that is scoped by a param",
		}
	}
	if tooManyParts(asked, filters) {
		return nil, &problem{
			kind: unprocessable, field: "params",
			message: "the params and the permitted ids are too long together: ask for less at once, or use a shape that is scoped by a param",
		}
	}
	var plan []electric.Subset
	for i, f := range filters {
		plan = append(plan, split(asked, f.column, ids(i))...)
	}
	return plan, nil
}

// maxParts bounds the requests at Electric that one of a client may become.
const maxParts = 32

// tooManyParts reports whether the filters' ids would be split into more requests than
// maxParts: what the client asks for is sent again with each of them.
func tooManyParts(asked *subset.Request, filters []filterArray) bool {
	room := electric.MaxBody - bodySize(combine(asked))
	ids := 0
	for _, f := range filters {
		ids += bodySize(combine(&subset.Request{}, f))
	}
	// Halving makes up to twice as many parts as there have to be.
	return room <= 0 || 2*(ids/room) > maxParts
}

// split halves a filter until each part fits into one request.
func split(asked *subset.Request, column string, ids []string) []electric.Subset {
	s := combine(asked, newFilterArray(column, ids))
	if bodySize(s) <= electric.MaxBody || len(ids) < 2 {
		return []electric.Subset{s}
	}
	middle := len(ids) / 2
	return append(split(asked, column, ids[:middle]), split(asked, column, ids[middle:])...)
}

// bodySize is the length of the request's body, or a bound on it that is good enough
// where it is surely small.
func bodySize(s electric.Subset) int {
	const (
		longest  = 6 // of one byte in JSON: \u003c
		envelope = 1024
	)
	if size := longest*textSize(&s) + envelope; size <= electric.MaxBody {
		return size
	}
	body, err := s.Body()
	if err != nil {
		return electric.MaxBody + 1
	}
	return len(body)
}

// textSize is about the length of a request's body. It is had without the body, which may be
// megabytes.
func textSize(s *electric.Subset) int {
	size := len(s.Where) + len(s.OrderBy)
	for _, v := range s.Params {
		size += len(v)
	}
	return size
}

// combine returns the subset of what the client asked for that any of the filters
// reaches; without filters, all that it asked for. The filter and the client's where are
// each in parentheses, and the client's was printed from its parsed tree: neither can
// reach into the other.
func combine(asked *subset.Request, filters ...filterArray) electric.Subset {
	s := electric.Subset{Limit: asked.Limit, Offset: asked.Offset}
	if asked.OrderBy != nil {
		s.OrderBy = asked.OrderBy.SQL()
	}
	s.Params = asked.UpstreamParams(len(filters))
	var clauses []string
	if len(filters) > 0 {
		if s.Params == nil {
			s.Params = make(map[string]string, len(filters))
		}
		clauses = append(clauses, "("+filterClause(filters, s.Params)+")")
	}
	if asked.Where != nil {
		clauses = append(clauses, "("+asked.Where.SQL(len(filters))+")")
	}
	if s.Where = strings.Join(clauses, " AND "); s.Where == "" {
		s.Where = "true"
	}
	return s
}

func filterClause(filters []filterArray, params map[string]string) string {
	clauses := make([]string, len(filters))
	for i, f := range filters {
		n := strconv.Itoa(i + 1)
		clauses[i] = electric.QuoteIdentifier(f.column) + " = ANY($" + n + ")"
		params[n] = f.literal
	}
	return strings.Join(clauses, " OR ")
}
