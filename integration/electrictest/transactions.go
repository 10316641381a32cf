package electrictest

import (
	"slices"
	"strconv"
	"strings"
)

// transactions numbers transactions, and knows which are open. The server's lock guards
// it.
type transactions struct {
	next    int64   // the id of the next one
	ended   int64   // the greatest id of one that has ended
	running []int64 // the ids of open ones, in order
}

// begin gives out a transaction's id.
func (t *transactions) begin() int64 {
	id := t.next
	t.next++
	t.running = append(t.running, id)
	return id
}

// end notes that a transaction has ended.
func (t *transactions) end(id int64) {
	t.running = slices.DeleteFunc(t.running, func(other int64) bool { return other == id })
	t.ended = max(t.ended, id)
}

// fence is what pg_current_snapshot() says, as the members of an answer.
func (t *transactions) fence() string {
	xmax := t.ended + 1
	xmin := xmax
	var xip []string
	for _, id := range t.running {
		if id < xmax {
			xip = append(xip, `"`+strconv.FormatInt(id, 10)+`"`)
			xmin = min(xmin, id)
		}
	}
	return `"xip_list":[` + strings.Join(xip, ",") + `],"xmax":"` + strconv.FormatInt(xmax, 10) +
		`","xmin":"` + strconv.FormatInt(xmin, 10) + `"`
}
