package electrictest

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// fieldErrors are the errors of an "Invalid request" answer: lists of texts by
// field, and those of the subset's fields one level down.
type fieldErrors map[string]any

func (e fieldErrors) add(field, text string) {
	list, _ := e[field].([]string)
	e[field] = append(list, text)
}

const (
	invalid = "is invalid"
	blank   = "can't be blank"
)

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
	if !ok || !slices.Contains(values, *v) {
		errs.add(field, invalid)
		return
	}
	*into = *v
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
