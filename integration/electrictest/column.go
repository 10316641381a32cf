package electrictest

import (
	"fmt"
	"strconv"
	"time"
)

// column is one column of a table, and makes its values.
type column struct {
	name string
	columnType
	notNull  bool
	pkIndex  int // the position in the primary key, or -1
	fallback *expr
	sequence *int64 // of a serial or identity column: the last value given; the database's lock guards it
}

// cell makes a value from its text; nil is NULL.
func (c *column) cell(text *string) (cell, error) {
	if text == nil {
		return cell{}, nil
	}
	s, err := c.canonical(*text)
	if err != nil {
		return cell{}, fmt.Errorf("column %q: %w", c.name, err)
	}
	return newCell(s), nil
}

// cellOf makes a value from a Go value.
func (c *column) cellOf(value any) (cell, error) {
	text, err := textOf(value)
	if err != nil {
		return cell{}, fmt.Errorf("column %q: %w", c.name, err)
	}
	return c.cell(text)
}

// fallbackCell is the value where an insert gives none.
func (c *column) fallbackCell() (cell, error) {
	switch {
	case c.sequence != nil:
		*c.sequence++
		return newCell(strconv.FormatInt(*c.sequence, 10)), nil
	case c.fallback == nil:
		return cell{}, nil
	}
	return c.evaluated(c.fallback, nil)
}

// evaluated makes a value from an expression; nil is DEFAULT.
func (c *column) evaluated(e *expr, cells []cell) (cell, error) {
	switch {
	case e == nil:
		return c.fallbackCell()
	case e.untyped():
		return c.cell(e.literal)
	}
	d := e.get(cells)
	if d.null {
		return cell{}, nil
	}
	text := encode(e.typ, d)
	return c.cell(&text)
}

// textOf spells a Go value as Postgres takes it; nil is NULL.
func textOf(value any) (*string, error) {
	var s string
	switch v := value.(type) {
	case nil:
		return nil, nil
	case string:
		s = v
	case bool:
		s = strconv.FormatBool(v)
	case int:
		s = strconv.Itoa(v)
	case time.Time:
		s = v.UTC().Format(time.RFC3339Nano)
	default:
		return nil, fmt.Errorf("a %T is no value", value)
	}
	return &s, nil
}
