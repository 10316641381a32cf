package electrictest

import (
	"errors"
	"net/url"
	"strings"
)

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
