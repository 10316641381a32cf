package electric

import "strings"

// RowKey spells the key of a row whose primary key has these values; nil is NULL.
// It is what KeyColumns reads.
func RowKey(schema, table string, values []*string) string {
	var b strings.Builder
	b.WriteString(`"` + schema + `"."` + table + `"`)
	for _, v := range values {
		if v == nil {
			b.WriteString("/_")
			continue
		}
		b.WriteString(`/"` + strings.ReplaceAll(*v, "/", "//") + `"`)
	}
	return b.String()
}

// KeyColumns reads the key of a row back into the values of its primary key, in
// the key's order; a nil entry is NULL. Electric spells a key as
//
//	"schema"."table"/"value"/"value"
//
// with every / of a value doubled, quotes as they are, and NULL as _ (recording
// 12). It returns false for a key that is not of the table, or not of this form.
func KeyColumns(key, schema, table string) ([]*string, bool) {
	prefix := `"` + schema + `"."` + table + `"`
	rest, ok := strings.CutPrefix(key, prefix)
	if !ok || rest == "" {
		return nil, false
	}
	var values []*string
	for rest != "" {
		if rest[0] != '/' {
			return nil, false
		}
		part := rest[1:]
		end := keyPartEnd(part)
		part, rest = part[:end], part[end:]
		switch {
		case part == "_":
			values = append(values, nil)
		case len(part) >= 2 && part[0] == '"' && part[len(part)-1] == '"':
			value := strings.ReplaceAll(part[1:len(part)-1], "//", "/")
			values = append(values, &value)
		default:
			return nil, false
		}
	}
	return values, true
}

// keyPartEnd returns the index of the first / of s that is not doubled.
func keyPartEnd(s string) int {
	for i := 0; i < len(s); i++ {
		if s[i] != '/' {
			continue
		}
		if i+1 < len(s) && s[i+1] == '/' {
			i++
			continue
		}
		return i
	}
	return len(s)
}
