package subset

import (
	"net/url"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// queryKeys are the keys that ask for a subset in a URL (recording 06), and the
// field that each stands for.
var queryKeys = []struct{ key, field string }{
	{"subset__where", "where"},
	{"subset__order_by", "order_by"},
	{"subset__limit", "limit"},
	{"subset__offset", "offset"},
	{"subset__params", "params"},
	{"subset__where_expr", "where"},
	{"subset__order_by_expr", "order_by"},
}

// ParseQuery reads the subset__* keys of a URL's query, the parameters as JSON
// (subset__params) or one by one (subset__params[1]). It is false, without an
// error, if there is none that is known. Everything else in the query is for
// others to judge. Errors are of type *Error.
func ParseQuery(q url.Values, table *Table) (*Request, bool, error) {
	asked := false
	for _, k := range queryKeys {
		switch len(q[k.key]) {
		case 0:
		case 1:
			asked = true
		default:
			return nil, false, refuse(k.field, "is given more than once")
		}
	}
	bracketed, err := bracketedParams(q)
	if err != nil {
		return nil, false, err
	}
	if !asked && bracketed == nil {
		return nil, false, nil
	}
	f := &fields{where: text(q.Get("subset__where")), orderBy: text(q.Get("subset__order_by")), params: bracketed}
	if s := q.Get("subset__limit"); s != "" {
		if f.limit, err = row("limit", s, leastLimit); err != nil {
			return nil, false, err
		}
	}
	if s := q.Get("subset__offset"); s != "" {
		if f.offset, err = row("offset", s, leastOffset); err != nil {
			return nil, false, err
		}
	}
	if s := q.Get("subset__params"); s != "" {
		if bracketed != nil {
			return nil, false, refuse("params", "are given in two forms")
		}
		if f.params, err = queryParams(s); err != nil {
			return nil, false, err
		}
	}
	r, err := f.request(table)
	return r, err == nil, err
}

// bracketedParams reads subset__params[1]=… and its like, which mean the same as
// subset__params={"1":…}. It is nil if there are none.
func bracketedParams(q url.Values) (map[int]string, error) {
	var params map[int]string
	for key, values := range q {
		number, ok := strings.CutPrefix(key, "subset__params[")
		if !ok {
			continue
		}
		number, ok = strings.CutSuffix(number, "]")
		if !ok {
			return nil, refusef("params", "%s is not the number of a parameter", shown(number))
		}
		n, err := paramNumber(number)
		if err != nil {
			return nil, err
		}
		if len(values) != 1 {
			return nil, refuse(paramField(n), "is given more than once")
		}
		if err := checkParam(n, values[0]); err != nil {
			return nil, err
		}
		if params == nil {
			params = make(map[int]string)
		}
		params[n] = values[0]
	}
	return params, nil
}

// queryParams reads the JSON text of subset__params.
func queryParams(s string) (map[int]string, error) {
	if !jsontext.Value(s).IsValid() {
		return nil, refuse("params", "is not valid JSON, or names a parameter twice")
	}
	return readParams(newDecoder([]byte(s)))
}
