package electrictest

// encoding writes the rows of a shape: which columns are sent, and how. It never changes.
type encoding struct {
	table    *table
	full     bool     // replica=full: a change carries the whole row
	selected []int    // the columns that are sent, by name
	names    []string // of selected: "name": as JSON
	relation string   // ["schema","table"] as JSON
}

// spellNames prepares the names that every row is sent with.
func (e *encoding) spellNames() {
	for _, i := range e.selected {
		e.names = append(e.names, jsonString(e.table.columns[i].name)+":")
	}
	e.relation = "[" + jsonString(e.table.rel.schema) + "," + jsonString(e.table.rel.name) + "]"
}

// appendSnapshotRow appends a row as snapshots and subsets send it. headers ends
// its headers: a closing brace, and what comes before it.
func (e *encoding) appendSnapshotRow(dst []byte, r *row, headers string) []byte {
	dst = append(dst, `{"key":`...)
	dst = append(dst, r.key...)
	dst = append(dst, `,"value":{`...)
	for n, i := range e.selected {
		if n > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, e.names[n]...)
		dst = appendCell(dst, r.cells[i])
	}
	dst = append(dst, `},"headers":{"relation":`...)
	dst = append(dst, e.relation...)
	dst = append(dst, `,"operation":"insert"`...)
	dst = append(dst, headers...)
	return append(dst, '}')
}

func appendCell(dst []byte, c cell) []byte {
	if c.null() {
		return append(dst, "null"...)
	}
	return append(dst, c.json...)
}

// snapshotRowLen is the length of what appendSnapshotRow appends with "}".
func (e *encoding) snapshotRowLen(r *row) int {
	n := len(`{"key":`) + len(r.key) + len(`,"value":{`) + len(`},"headers":{"relation":`) +
		len(e.relation) + len(`,"operation":"insert"`) + len(`}}`) + len(e.selected) - 1
	for k, i := range e.selected {
		n += len(e.names[k])
		if c := r.cells[i]; c.null() {
			n += len("null")
		} else {
			n += len(c.json)
		}
	}
	return n
}

// appendLogValue appends the given columns of a row as the log sends them:
// booleans are t and f there, and true and false in snapshots.
func (e *encoding) appendLogValue(dst []byte, r *row, include func(column int) bool) []byte {
	dst = append(dst, '{')
	first := true
	for n, i := range e.selected {
		if !include(i) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(dst, e.names[n]...)
		c := r.cells[i]
		if e.table.columns[i].kind() == kindBool && !c.null() {
			dst = append(dst, '"', c.text[0], '"')
		} else {
			dst = appendCell(dst, c)
		}
	}
	return append(dst, '}')
}
