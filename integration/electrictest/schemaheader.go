package electrictest

import (
	"bytes"
	"encoding/json"
)

// schemaHeader is the electric-schema header of the given columns.
func (l *layout) schemaHeader(columns []int) string {
	var b bytes.Buffer
	b.WriteByte('{')
	for n, i := range columns {
		if n > 0 {
			b.WriteByte(',')
		}
		c := &l.columns[i]
		b.Write(appendJSONString(nil, c.name))
		b.WriteByte(':')
		attributes, err := json.Marshal(c.attributes())
		if err != nil {
			panic(err) // strings and numbers always encode
		}
		b.Write(attributes)
	}
	b.WriteByte('}')
	return b.String()
}

type columnAttributes struct {
	Type      string `json:"type"`
	NotNull   bool   `json:"not_null,omitempty"`
	PKIndex   *int   `json:"pk_index,omitempty"`
	Dims      int    `json:"dims,omitempty"`
	MaxLength int    `json:"max_length,omitempty"`
	Length    int    `json:"length,omitempty"`
	Precision *int   `json:"precision,omitempty"`
	Scale     *int   `json:"scale,omitempty"`
}

func (c *column) attributes() columnAttributes {
	a := columnAttributes{Type: c.typ.name, NotNull: c.notNull}
	if c.pkIndex >= 0 {
		a.PKIndex = &c.pkIndex
	}
	if c.array {
		a.Dims = 1
	}
	if len(c.mods) == 0 {
		return a
	}
	switch c.typ.name {
	case "varchar":
		a.MaxLength = c.mods[0]
	case "bpchar", "bit", "varbit":
		a.Length = c.mods[0]
	case "numeric":
		scale := 0
		if len(c.mods) > 1 {
			scale = c.mods[1]
		}
		a.Precision, a.Scale = &c.mods[0], &scale
	default:
		a.Precision = &c.mods[0]
	}
	return a
}
