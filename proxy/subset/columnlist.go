package subset

import (
	"slices"
	"strings"
)

// maxColumns bounds the columns of a list: a Postgres table has at most 1,600.
const maxColumns = 1600

// parseColumns reads a comma-separated list of columns as Electric does: a name is
// folded to small letters unless it is quoted. The columns are returned sorted, each
// once.
func parseColumns(list string, columns Columns) ([]string, error) {
	var names []string
	for rest, more := list, true; more; {
		var name string
		var err error
		if name, rest, more, err = cutColumn(rest); err != nil {
			return nil, err
		}
		if _, ok := columns[name]; !ok {
			return nil, refusef("columns", "unknown column %s", shown(name))
		}
		if names = append(names, name); len(names) > maxColumns {
			return nil, refusef("columns", "names more than %d columns", maxColumns)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// cutColumn reads the first name of a list, and reports whether more follow.
func cutColumn(s string) (name, rest string, more bool, err error) {
	if !strings.HasPrefix(s, `"`) {
		name, rest, more = strings.Cut(s, ",")
		if name == "" {
			return "", "", false, refuse("columns", "holds an empty name")
		}
		if strings.ContainsFunc(name, func(r rune) bool { return !isNameRune(r) }) {
			return "", "", false, refusef("columns", "the name %s must be quoted", shown(name))
		}
		return strings.Map(fold, name), rest, more, nil
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] != '"':
			b.WriteByte(s[i])
		case i+1 < len(s) && s[i+1] == '"':
			b.WriteByte('"')
			i++
		case b.Len() == 0:
			return "", "", false, refuse("columns", "holds an empty name")
		case i+1 == len(s):
			return b.String(), "", false, nil
		case s[i+1] == ',':
			return b.String(), s[i+2:], true, nil
		default:
			return "", "", false, refuse("columns", "a comma or the end must follow a quoted name")
		}
	}
	return "", "", false, refuse("columns", "a quoted name has no closing quote")
}

// isNameRune reports whether an unquoted name may hold r.
func isNameRune(r rune) bool {
	return r == '_' || r == '$' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r > 127
}

// fold makes small letters of ASCII capitals, as Postgres does.
func fold(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		return r + 'a' - 'A'
	}
	return r
}
