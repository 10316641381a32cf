package electric

import "strings"

// RowKey returns the key of the row of a table whose primary key has these values; nil
// is NULL. It is the inverse of KeyColumns.
func RowKey(schema, table string, values []*string) string {
	var b strings.Builder
	b.WriteString(keyPrefix(schema, table))
	for _, v := range values {
		if v == nil {
			b.WriteString("/_")
			continue
		}
		b.WriteString(`/"` + strings.ReplaceAll(*v, "/", "//") + `"`)
	}
	return b.String()
}

// KeyColumns returns the values of the primary key that a row's key names, in the key's
// order; a nil entry is NULL. A key is
//
//	"schema"."table"/"value"/"value"
//
// where the table is quoted as in SQL, every / of a value is doubled, the quotes of a
// value are not, and NULL is _ (recording 12). Every key that this package returns is
// spelled so. It returns false for a key of another table or another form.
func KeyColumns(key, schema, table string) ([]*string, bool) {
	rest, ok := strings.CutPrefix(key, keyPrefix(schema, table))
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

// keyPartEnd returns the index of the first single / of s: a doubled one is part of a
// value.
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
