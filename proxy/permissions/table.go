package permissions

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/subset"
	"github.com/shapegate/shapegate/schema"
)

// schemaName stands for the schema of a table in keys and relations of messages.
const schemaName = "grants"

// Table is the table that a collection would be in Postgres: its columns, and how its rows
// are written. It does not change.
type Table struct {
	permissions []string
	idType      string
	schema      *electric.Schema
	forClients  *subset.Table
	begin       string // the beginning of a message, up to the id in its key
	relation    string // the end of a message, from the relation on
}

// TableOf returns the table of a collection.
func TableOf(def *schema.Grants) (*Table, error) {
	columns := make(map[string]map[string]any)
	for _, c := range def.Columns() {
		columns[c.Name] = map[string]any{"type": c.Type, "not_null": true}
	}
	columns[IDColumn]["pk_index"] = 0
	header, err := json.Marshal(columns)
	if err != nil {
		return nil, err
	}
	t := &Table{permissions: def.Permissions, idType: def.ColumnType}
	key, err := json.Marshal(electric.RowKey(schemaName, def.Name, []*string{new(string)}))
	if err != nil {
		return nil, err
	}
	t.begin = `{"key":` + strings.TrimSuffix(string(key), endOfKey)
	t.relation = fmt.Sprintf(`","relation":["%s","%s"]}}`, schemaName, def.Name)
	if t.schema, err = electric.ParseSchema(string(header)); err != nil {
		return nil, err
	}
	t.forClients = &subset.Table{Schema: schemaName, Name: def.Name, Columns: make(subset.Columns)}
	for name, c := range t.schema.Columns {
		t.forClients.Columns[name] = subset.Column{Type: c.Type}
	}
	return t, nil
}

// IDColumn is the primary key of each collection.
const IDColumn = "id"

// Schema describes the columns, as Electric's electric-schema header does.
func (t *Table) Schema() *electric.Schema { return t.schema }

// ForClients is what a client may name in a subset.
func (t *Table) ForClients() *subset.Table { return t.forClients }

// Select returns what a request asks of the rows. Errors are of type *subset.Error.
func (t *Table) Select(asked *subset.Request) (*subset.Selection, error) {
	return asked.SelectionByID(IDColumn, t.idType)
}

// holds reports whether the column of the ids can hold an id, as Postgres spells it.
func (t *Table) holds(id string) bool {
	canonical, ok := subset.CanonicalValue(t.idType, id)
	return ok && canonical == id
}

// IDs returns the ids that have a row, each once, and how many have none, since they are no
// values of the column's type.
func (t *Table) IDs(g authz.Grants) (ids []string, leftOut int) {
	var all *authz.GrantSet
	for i := range t.permissions {
		all = all.Union(g.Set(i))
	}
	ids = make([]string, 0, all.Len())
	for id := range all.All() {
		if t.holds(id) {
			ids = append(ids, id)
		}
	}
	return ids, all.Len() - len(ids)
}

// row is which of a collection's permissions are held on one object: a bit for each.
// schema.MostPermissions fit.
type row uint32

// rowOf returns the row of an id. No row is 0.
func (t *Table) rowOf(g authz.Grants, id string) row {
	var r row
	for i := range t.permissions {
		if g.Set(i).Has(id) {
			r |= 1 << i
		}
	}
	return r
}

// AppendRow appends the row of an id, as a message that inserts it. It appends nothing if
// there is none.
func (t *Table) AppendRow(dst []byte, g authz.Grants, id string) []byte {
	r := t.rowOf(g, id)
	if r == 0 {
		return dst
	}
	return t.append(dst, electric.Insert, id, r)
}

var operations = [...]string{electric.Insert: "insert", electric.Update: "update", electric.Delete: "delete"}

// endOfKey is what comes after the id in a message's key.
const endOfKey = `\""`

// append appends a message. That of a delete has the key alone, as Electric's has.
func (t *Table) append(dst []byte, op electric.Operation, id string, r row) []byte {
	dst = append(dst, t.begin...)
	for rest := id; ; {
		before, after, found := strings.Cut(rest, "/")
		if dst = appendText(dst, before); !found {
			break
		}
		dst, rest = append(dst, "//"...), after // as electric.RowKey has it
	}
	dst = append(dst, endOfKey+`,"value":{"id":"`...)
	dst = append(appendText(dst, id), '"')
	if op != electric.Delete {
		for i, name := range t.permissions {
			dst = append(dst, `,"`...)
			dst = append(dst, name...)
			if r&(1<<i) != 0 {
				dst = append(dst, `":"true"`...)
			} else {
				dst = append(dst, `":"false"`...)
			}
		}
	}
	dst = append(dst, `},"headers":{"operation":"`...)
	dst = append(dst, operations[op]...)
	return append(dst, t.relation...)
}

// appendText appends what is in a JSON string. SpiceDB's ids have no character that JSON
// escapes.
func appendText(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '\\' || c == '"' || c > '~' {
			quoted, _ := json.Marshal(s) // a string is always JSON
			return append(dst, quoted[1:len(quoted)-1]...)
		}
	}
	return append(dst, s...)
}
