package electrictest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// params are the parameters of a request to /v1/shape, cast and validated.
type params struct {
	table, handle, where string
	columns, queryable   []string // nil if not given
	params               map[string]string
	replica, log         string
	live, sse            bool

	rawOffset string // as the client spelt it: part of the etag
	offset    offset
	now       bool // offset=now

	subset *subsetParams
}

type subsetParams struct {
	where, orderBy *string
	params         map[string]string
	limit, offset  *int64
}

// fieldErrors are the errors of an "Invalid request" answer: lists of texts by
// field, and those of the subset's fields one level down.
type fieldErrors map[string]any

func (e fieldErrors) add(field, text string) {
	list, _ := e[field].([]string)
	e[field] = append(list, text)
}

// decodeQuery reads a query string: the last of equal keys counts, and
// a[b]=c makes a nested map, one level deep.
func decodeQuery(raw string) (map[string]any, error) {
	out := make(map[string]any)
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		k, v, _ := strings.Cut(pair, "=")
		key, err := url.QueryUnescape(k)
		if err != nil {
			return nil, err
		}
		value, err := url.QueryUnescape(v)
		if err != nil || !validText(key) || !validText(value) {
			return nil, errors.New("invalid query")
		}
		outer, inner, nested := strings.Cut(key, "[")
		if !nested || !strings.HasSuffix(inner, "]") || outer == "" {
			out[key] = value
			continue
		}
		m, ok := out[outer].(map[string]any)
		if !ok {
			m = make(map[string]any)
			out[outer] = m
		}
		m[strings.TrimSuffix(inner, "]")] = value
	}
	return out, nil
}

// subsetKeys are the keys that make a POST body a subset request.
var subsetKeys = []string{"where", "order_by", "limit", "offset", "params", "where_expr", "order_by_expr"}

// mergeParams joins the query's parameters with the body's. As in Electric, keys
// of the body override the query's, table, main where and columns included: a
// body of {"subset": {}, "where": "true"} drops the main where of the URL.
func mergeParams(query, body map[string]any) map[string]any {
	out := make(map[string]any, len(query)+len(body))
	subset := make(map[string]any)
	hasSubset := false
	for k, v := range query {
		if name, ok := strings.CutPrefix(k, "subset__"); ok {
			subset[name], hasSubset = v, true
		} else {
			out[k] = v
		}
	}
	if hasSubset {
		out["subset"] = subset
	}
	if inner, ok := body["subset"].(map[string]any); ok {
		for k, v := range body {
			out[k] = v
		}
		for k, v := range inner {
			subset[k] = v
		}
		out["subset"] = subset
		return out
	}
	bare := make(map[string]any)
	for _, k := range subsetKeys {
		if v, ok := body[k]; ok {
			bare[k] = v
		}
	}
	for k, v := range body {
		if _, ok := bare[k]; !ok {
			out[k] = v
		}
	}
	if len(bare) > 0 {
		for k, v := range bare {
			subset[k] = v
		}
		out["subset"] = subset
	}
	return out
}

const (
	invalid = "is invalid"
	blank   = "can't be blank"
)

// castParams reads and validates all that can be without a table.
func castParams(in map[string]any, errs fieldErrors) *params {
	p := &params{replica: "default", log: "full"}
	str := func(field string, into *string) {
		if s, ok := castString(in[field]); !ok {
			errs.add(field, invalid)
		} else if s != nil {
			*into = *s
		}
	}
	str("table", &p.table)
	str("handle", &p.handle)
	str("where", &p.where)
	str("offset", &p.rawOffset)
	p.columns = castColumns(in, "columns", errs)
	p.queryable = castColumns(in, "queryable_columns", errs)
	castEnum(in, "replica", &p.replica, []string{"default", "full"}, errs)
	castEnum(in, "log", &p.log, []string{"changes_only", "full"}, errs)
	p.params = castParamMap(in["params"], errs)
	p.live = flag(in["live"])
	p.sse = flag(in["live_sse"])
	if in["live_sse"] == nil {
		p.sse = flag(in["experimental_live_sse"])
	}
	if p.rawOffset == "" && errs["offset"] == nil {
		errs.add("offset", blank)
	}
	if len(errs) > 0 {
		return nil
	}
	p.validatePosition(errs)
	if len(errs) == 0 && p.table == "" {
		errs.add("table", blank)
	}
	if len(errs) > 0 {
		return nil
	}
	return p
}

// validatePosition checks offset, handle and live against each other, and stops
// at the first that is wrong.
func (p *params) validatePosition(errs fieldErrors) {
	p.now = p.rawOffset == "now"
	if !p.now {
		var ok bool
		if p.offset, ok = parseOffset(p.rawOffset); !ok {
			errs.add("offset", "has invalid format")
			return
		}
	}
	start := p.now || p.offset == beforeAll
	switch {
	case start:
		p.handle = ""
	case p.handle == "":
		errs.add("handle", "can't be blank when offset != -1")
		return
	}
	switch {
	case p.live && p.now:
		errs.add("live", "can't be true when offset is 'now'")
	case p.live && start:
		errs.add("live", "can't be true when offset == -1")
	case p.sse && !p.live:
		errs.add("live_sse", "can't be true unless live is also true")
	}
}

// flag is true for all but nothing and the string "false", JSON's false included.
func flag(v any) bool { return v != nil && v != "false" }

// castString takes a string; one of spaces alone counts as none.
func castString(v any) (*string, bool) {
	switch v := v.(type) {
	case nil:
		return nil, true
	case string:
		if strings.TrimLeft(v, " \t\n\r\v\f") == "" {
			return nil, true
		}
		return &v, true
	default:
		return nil, false
	}
}

func castColumns(in map[string]any, field string, errs fieldErrors) []string {
	switch v := in[field].(type) {
	case nil:
		return nil
	case string:
		if strings.TrimSpace(v) == "" {
			return nil
		}
		names, err := parseColumnList(v)
		if err != nil {
			errs.add(field, err.Error())
		}
		return names
	case []any:
		names := make([]string, 0, len(v))
		for _, e := range v {
			name, ok := e.(string)
			switch {
			case !ok:
				errs.add(field, invalid)
				return nil
			case name == "":
				errs.add(field, "Invalid zero-length identifier")
				return nil
			}
			names = append(names, name)
		}
		if len(names) == 0 {
			errs.add(field, invalid)
		}
		return names
	default:
		errs.add(field, invalid)
		return nil
	}
}

func castEnum(in map[string]any, field string, into *string, values []string, errs fieldErrors) {
	v, ok := castString(in[field])
	if ok && v == nil {
		return
	}
	if ok {
		for _, allowed := range values {
			if *v == allowed {
				*into = allowed
				return
			}
		}
	}
	errs.add(field, invalid)
}

// castParamMap takes the parameters of the main where: a map of strings.
func castParamMap(v any, errs fieldErrors) map[string]string {
	if v == nil || v == "" {
		return nil
	}
	m, ok := v.(map[string]any)
	if !ok {
		errs.add("params", invalid)
		return nil
	}
	out := make(map[string]string, len(m))
	for k, e := range m {
		s, ok := e.(string)
		if !ok {
			errs.add("params", invalid)
			return nil
		}
		out[k] = s
	}
	return out
}

// castSubset reads and validates a subset's parameters; nil without one.
func castSubset(v any, errs fieldErrors) *subsetParams {
	if v == nil {
		return nil
	}
	in, ok := v.(map[string]any)
	if !ok {
		errs.add("subset", invalid)
		return nil
	}
	p := &subsetParams{}
	sub := make(fieldErrors)
	for field, into := range map[string]**string{"where": &p.where, "order_by": &p.orderBy} {
		if *into, ok = castString(in[field]); !ok {
			sub.add(field, invalid)
		}
	}
	for field, into := range map[string]**int64{"limit": &p.limit, "offset": &p.offset} {
		if *into, ok = castInteger(in[field]); !ok {
			sub.add(field, invalid)
		}
	}
	var err error
	if p.params, err = castSubsetParams(in["params"]); err != nil {
		sub.add("params", err.Error())
	}
	if p.limit != nil && *p.limit <= 0 {
		sub.add("limit", "must be greater than 0")
	}
	if p.offset != nil && *p.offset < 0 {
		sub.add("offset", "must be greater than or equal to 0")
	}
	if (p.limit != nil || p.offset != nil) && p.orderBy == nil && sub["order_by"] == nil {
		sub.add("order_by", "order_by is required when limit or offset is present")
	}
	if len(sub) > 0 {
		errs["subset"] = sub
		return nil
	}
	return p
}

func castInteger(v any) (*int64, bool) {
	var text string
	switch v := v.(type) {
	case nil:
		return nil, true
	case string:
		if strings.TrimSpace(v) == "" {
			return nil, true
		}
		text = v
	case json.Number:
		text = v.String()
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, false
	}
	return &n, true
}

// castSubsetParams takes a map, or the JSON of one, and makes strings of its
// values: of ["a","b"], "ab".
func castSubsetParams(v any) (map[string]string, error) {
	if text, ok := v.(string); ok {
		if strings.TrimSpace(text) == "" {
			return nil, nil
		}
		var err error
		if v, err = decodeJSON([]byte(text)); err != nil {
			return nil, errors.New("params must be valid JSON")
		}
		if _, ok := v.(map[string]any); !ok {
			return nil, errors.New("params must be a JSON object")
		}
	}
	if v == nil {
		return nil, nil
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New(invalid)
	}
	out := make(map[string]string, len(m))
	for k, e := range m {
		s, err := paramString(e)
		if err != nil {
			return nil, err
		}
		out[k] = s
	}
	return out, nil
}

func paramString(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case bool, json.Number:
		return fmt.Sprint(v), nil
	case []any:
		var b strings.Builder
		for _, e := range v {
			s, err := paramString(e)
			if err != nil {
				return "", err
			}
			b.WriteString(s)
		}
		return b.String(), nil
	default:
		return "", errors.New(invalid)
	}
}
