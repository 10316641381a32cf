package electrictest

import (
	"iter"
	"sync/atomic"
)

// cell is one value of a row, in Postgres' text form, with its JSON beside it so
// that serving a row encodes nothing. A cell without JSON is NULL.
type cell struct {
	text string
	json string // with its quotes
}

func (c cell) null() bool { return c.json == "" }

// newCell shares one string between both forms where nothing must be escaped.
func newCell(text string) cell {
	quoted := jsonString(text)
	if len(quoted) == len(text)+2 {
		return cell{text: quoted[1 : len(quoted)-1], json: quoted}
	}
	return cell{text: text, json: quoted}
}

// row is one version of a row. It never changes: an update makes another.
type row struct {
	cells  []cell
	key    string     // as JSON, with its quotes, as snapshots spell it
	logKey string     // as the log does: most often the same
	part   *partition // nil: its table has none
}

const pageRows = 256

// heap holds the rows of a table in the order in which they were inserted, nil
// where one was deleted. Writers are serialized by the server's lock; views may
// be taken under its read lock, and read without any.
//
// A page that a view may hold is copied before a row in it is replaced. Rows are
// appended in place: a view does not look past the length it was taken at.
type heap struct {
	pages []*page
	n     int
	live  int
	epoch atomic.Uint64
}

type page struct {
	epoch uint64 // of the heap when the page was made; older ones may be shared
	rows  [pageRows]*row
}

// view is the heap as it was when the view was taken.
type view struct {
	pages []*page
	n     int
}

func (h *heap) view() view {
	h.epoch.Add(1)
	pages := make([]*page, len(h.pages))
	copy(pages, h.pages)
	return view{pages, h.n}
}

func (h *heap) get(pos int) *row { return h.pages[pos/pageRows].rows[pos%pageRows] }

func (h *heap) append(r *row) int {
	if h.n == len(h.pages)*pageRows {
		h.pages = append(h.pages, &page{epoch: h.epoch.Load()})
	}
	pos := h.n
	h.pages[pos/pageRows].rows[pos%pageRows] = r
	h.n++
	h.live++
	return pos
}

// set replaces the row at pos; nil deletes it.
func (h *heap) set(pos int, r *row) {
	p := h.pages[pos/pageRows]
	if epoch := h.epoch.Load(); p.epoch != epoch {
		p = &page{epoch: epoch, rows: p.rows}
		h.pages[pos/pageRows] = p
	}
	switch old := p.rows[pos%pageRows]; {
	case old == nil && r != nil:
		h.live++
	case old != nil && r == nil:
		h.live--
	}
	p.rows[pos%pageRows] = r
}

// all yields the rows and their positions, in order.
func (v view) all() iter.Seq2[int, *row] {
	return func(yield func(int, *row) bool) {
		for pos := range v.n {
			if r := v.pages[pos/pageRows].rows[pos%pageRows]; r != nil && !yield(pos, r) {
				return
			}
		}
	}
}
