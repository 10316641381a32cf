package electric

import (
	"net/url"
	"strconv"
	"strings"
	"sync"
)

// LogSpec identifies one shape log of Electric. All readers of a shape, whatever their
// grants, share the log of its LogSpec.
type LogSpec struct {
	Schema, Table string   // the table's names as the catalog has them
	Columns       []string // none: all that the table has
	Where         string   // the static where, with $1, $2, … for WhereParams
	WhereParams   []string // values
	Replica       Replica
	Log           LogMode

	once     sync.Once
	key      string
	spelling *spelling
}

// Replica says how much of a row an update or a delete carries.
type Replica uint8

// ReplicaDefault sends the key and the changed columns of an update, and the
// key of a delete; ReplicaFull the whole row, and the old values of the columns
// that changed (recordings 02 and 03).
const (
	ReplicaDefault Replica = iota
	ReplicaFull
)

// LogMode says what a feed's log begins with.
type LogMode uint8

// LogFull begins with a snapshot of the whole shape; LogChangesOnly holds changes
// alone, and Electric reads nothing of the table for it.
const (
	LogFull LogMode = iota
	LogChangesOnly
)

// Key identifies the log: specs of one log have equal keys, and those of two logs do
// not. It is computed once, so a LogSpec must not change afterwards.
func (f *LogSpec) Key() string {
	f.once.Do(f.derive)
	return f.key
}

// keySpelling returns how the table's keys are spelled.
func (f *LogSpec) keySpelling() *spelling {
	f.once.Do(f.derive)
	return f.spelling
}

func (f *LogSpec) derive() {
	f.key = f.query().Encode()
	f.spelling = newSpelling(f.Schema, f.Table)
}

// query returns the part of an upstream URL that identifies the log. Both columns and
// queryable_columns are sent: one limits the columns that are returned, the other those
// that the where and order_by of a subset may use (recording 12).
func (f *LogSpec) query() url.Values {
	q := url.Values{
		"table":   {QuoteIdentifier(f.Schema) + "." + QuoteIdentifier(f.Table)},
		"replica": {"default"},
		"log":     {"full"},
	}
	if len(f.Columns) > 0 {
		columns := columnList(f.Columns)
		q.Set("columns", columns)
		q.Set("queryable_columns", columns)
	}
	if f.Replica == ReplicaFull {
		q.Set("replica", "full")
	}
	if f.Log == LogChangesOnly {
		q.Set("log", "changes_only")
	}
	if f.Where != "" {
		q.Set("where", f.Where)
		for i, v := range f.WhereParams {
			q.Set("params["+strconv.Itoa(i+1)+"]", v)
		}
	}
	return q
}

func columnList(columns []string) string {
	quoted := make([]string, len(columns))
	for i, c := range columns {
		quoted[i] = QuoteIdentifier(c)
	}
	return strings.Join(quoted, ",")
}

// QuoteIdentifier quotes a name of the catalog for SQL. A quoted name is not folded to
// lower case, and is never a keyword.
func QuoteIdentifier(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}
