package electric

import (
	"cmp"
	"encoding/json"
	"slices"
)

// Schema describes the columns of a shape: the electric-schema header of an answer that
// is not live.
type Schema struct {
	// Header is the text of the header. Clients get it unchanged, and parse values by it.
	Header  string
	Columns map[string]Column
	Key     []string // the primary key's columns, in its order; none if the table has no key
}

// Column is one column of a shape.
type Column struct {
	Type string `json:"type"` // Postgres' name of the type: uuid, int4, text
	Dims int    `json:"dims"` // above 0: an array of Type

	KeyIndex *int `json:"pk_index"` // the position in the primary key, from 0
}

// ParseSchema reads an electric-schema header.
func ParseSchema(header string) (*Schema, error) {
	s := &Schema{Header: header}
	if err := json.Unmarshal([]byte(header), &s.Columns); err != nil {
		return nil, protocolErrorf("electric-schema is not a JSON object of columns")
	}
	for name, c := range s.Columns {
		if c.KeyIndex != nil {
			s.Key = append(s.Key, name)
		}
	}
	slices.SortFunc(s.Key, func(a, b string) int {
		return cmp.Compare(*s.Columns[a].KeyIndex, *s.Columns[b].KeyIndex)
	})
	return s, nil
}

// InKey reports whether column is part of the primary key.
func (s *Schema) InKey(column string) bool { return slices.Contains(s.Key, column) }
