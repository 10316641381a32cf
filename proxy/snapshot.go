package proxy

import (
	"slices"
	"strconv"
	"strings"

	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/subset"
)

// plan returns the subset requests that together ask for the rows that the reader
// may see and that the client asked for. That is one request, unless the ids do
// not fit into one body: then there are several, where neither an order nor a
// limit stands against it. Rows that two filters reach may come twice.
func (rd *reading) plan(asked *subset.Request) ([]electric.Subset, error) {
	if rd.view.all {
		return []electric.Subset{combine(asked)}, nil
	}
	filters := make([]filterArray, len(rd.view.columns))
	for i, c := range rd.view.columns {
		filters[i] = filterArray{column: c.column, ids: rd.validIDs(c)}
	}
	return planFor(asked, filters)
}

// planFor returns the subset requests that together ask for the rows that any of
// the filters reaches.
func planFor(asked *subset.Request, filters []filterArray) ([]electric.Subset, error) {
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
	for _, f := range filters {
		plan = append(plan, split(asked, f)...)
	}
	return plan, nil
}

// maxParts bounds the requests at Electric that one of a client may become.
const maxParts = 32

// tooManyParts reports whether the filters' ids would be split into more requests
// than maxParts: what the client asks for is sent again with each of them.
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
func split(asked *subset.Request, f filterArray) []electric.Subset {
	s := combine(asked, f)
	if bodySize(s) <= electric.MaxBody || len(f.ids) < 2 {
		return []electric.Subset{s}
	}
	middle := len(f.ids) / 2
	return append(
		split(asked, filterArray{f.column, f.ids[:middle]}),
		split(asked, filterArray{f.column, f.ids[middle:]})...)
}

// bodySize is the length of the request's body, or a bound on it that is good
// enough where it is surely small.
func bodySize(s electric.Subset) int {
	const longest = 6 // of one byte in JSON: \u003c
	size := longest * (len(s.Where) + len(s.OrderBy))
	for _, v := range s.Params {
		size += longest * len(v)
	}
	const envelope = 1024
	if size+envelope <= electric.MaxBody {
		return size + envelope
	}
	body, err := s.Body()
	if err != nil {
		return electric.MaxBody + 1
	}
	return len(body)
}

// filterArray is a filter as SQL has it: the column's value is one of the ids.
type filterArray struct {
	column string
	ids    []string
}

// combine returns the subset of what the client asked for that any of the filters
// reaches; without filters, all that it asked for. The filter and the client's
// where are each in parentheses, and the client's was printed from its parsed
// tree: neither can reach into the other.
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
		params[n] = subset.ArrayLiteral(slices.Values(f.ids))
	}
	return strings.Join(clauses, " OR ")
}

// validIDs returns the ids that the filter's column can hold, spelled as Postgres
// prints them. One that it cannot hold would make Electric refuse the whole
// request (recording 07), and an id in another spelling would be one object to
// SpiceDB and another to SQL: both are left out, and counted.
func (rd *reading) validIDs(c columnGrants) []string {
	columnType := rd.shape.table.Load().Columns[c.column].Type
	ids := make([]string, 0, c.grants.Len())
	for id := range c.grants.All() {
		if canonical, ok := subset.CanonicalValue(columnType, id); ok && canonical == id {
			ids = append(ids, id)
		}
	}
	if left := c.grants.Len() - len(ids); left > 0 {
		rd.h.metrics.idsLeftOut.WithLabelValues(rd.shape.def.Name).Add(float64(left))
		rd.h.log.Warn("object ids that the filter's column cannot hold were left out",
			"shape", rd.shape.def.Name, "column", c.column, "type", columnType, "count", left)
	}
	return ids
}
