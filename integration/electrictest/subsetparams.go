package electrictest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// subsetParams are the parameters of a subset, cast and validated; nil is not given.
type subsetParams struct {
	where, orderBy *string
	params         map[string]string
	limit, offset  *int64
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
