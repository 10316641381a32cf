package electrictest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// translation compares recorded values with those of another run. Handles, LSNs
// and transaction ids differ, but must differ in the same way throughout: a
// recorded handle always stands for the same handle and no other, and what was
// recorded in order must be in order.
type translation struct {
	handles map[string]string
	hashes  map[string]string // the part of a handle before the time
	lsns    map[int64]int64
	xids    map[int64]int64
	mark    string // of the answer at hand
}

func newTranslation() *translation {
	return &translation{
		handles: make(map[string]string), hashes: make(map[string]string),
		lsns: make(map[int64]int64), xids: make(map[int64]int64),
	}
}

// handle returns the handle that a recorded one stands for.
func (tr *translation) handle(recorded string) string {
	if h, ok := tr.handles[recorded]; ok {
		return h
	}
	return recorded
}

// offset returns the offset that a recorded one stands for.
func (tr *translation) offset(recorded string) string {
	lsn, op, ok := strings.Cut(recorded, "_")
	if !ok {
		return recorded
	}
	n, err := strconv.ParseInt(lsn, 10, 64)
	if err != nil {
		return recorded
	}
	if got, ok := tr.lsns[n]; ok {
		n = got
	}
	return strconv.FormatInt(n, 10) + "_" + op
}

func (tr *translation) etag(recorded string) string {
	parts := strings.Split(strings.Trim(recorded, `"`), ":")
	parts[0] = tr.handle(parts[0])
	for i := range parts[1:] {
		parts[i+1] = tr.offset(parts[i+1])
	}
	return `"` + strings.Join(parts, ":") + `"`
}

var (
	handleForm = regexp.MustCompile(`^\d+-\d{16}$`)
	digits     = regexp.MustCompile(`^-?\d+$`)
)

func (tr *translation) header(name, want, got string) error {
	switch name {
	case "date", "x-request-id":
		return nil // there is one
	case "electric-cursor":
		if !digits.MatchString(got) {
			return fmt.Errorf("%q is no number", got)
		}
		return nil
	case "electric-handle":
		return tr.sameHandle(want, got)
	case "electric-offset":
		return tr.sameOffset(want, got)
	case "electric-schema":
		var w, g any
		if err := json.Unmarshal([]byte(want), &w); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(got), &g); err != nil {
			return err
		}
		return tr.value("", w, g)
	case "etag":
		return tr.sameEtag(want, got)
	}
	if want != got {
		return fmt.Errorf("%q, want %q", got, want)
	}
	return nil
}

func (tr *translation) sameHandle(want, got string) error {
	if !handleForm.MatchString(got) {
		return fmt.Errorf("%q has not the form of a handle", got)
	}
	for _, m := range []struct {
		known     map[string]string
		want, got string
	}{
		{tr.handles, want, got},
		{tr.hashes, want[:strings.Index(want, "-")], got[:strings.Index(got, "-")]},
	} {
		before, known := m.known[m.want]
		switch {
		case known && before != m.got:
			return fmt.Errorf("%q, want %q, which %q stood for before", m.got, before, m.want)
		case !known && slices.Contains(slices.Collect(maps.Values(m.known)), m.got):
			return fmt.Errorf("%q again, want a new one for %q", m.got, m.want)
		}
		m.known[m.want] = m.got
	}
	return nil
}

// sameNumber compares numbers that grow with time.
func sameNumber(known map[int64]int64, want, got string) error {
	w, err := strconv.ParseInt(want, 10, 64)
	if err != nil {
		return err
	}
	g, err := strconv.ParseInt(got, 10, 64)
	if err != nil {
		return err
	}
	if (w == 0) != (g == 0) {
		return fmt.Errorf("%d, want %d", g, w)
	}
	if before, ok := known[w]; ok && before != g {
		return fmt.Errorf("%d, want %d, which %d stood for before", g, before, w)
	}
	for w2, g2 := range known {
		if w2 < w && g2 > g || w2 > w && g2 < g {
			return fmt.Errorf("%d for %d is out of order with %d for %d", g, w, g2, w2)
		}
	}
	known[w] = g
	return nil
}

func (tr *translation) sameOffset(want, got string) error {
	wantLSN, wantOp, ok := strings.Cut(want, "_")
	gotLSN, gotOp, _ := strings.Cut(got, "_")
	if !ok || wantOp != gotOp {
		if want == got {
			return nil
		}
		return fmt.Errorf("%q, want %q", got, want)
	}
	return sameNumber(tr.lsns, wantLSN, gotLSN)
}

func (tr *translation) sameEtag(want, got string) error {
	w, g := strings.Split(strings.Trim(want, `"`), ":"), strings.Split(strings.Trim(got, `"`), ":")
	if len(w) != len(g) || got != `"`+strings.Trim(got, `"`)+`"` {
		return fmt.Errorf("%q, want %q", got, want)
	}
	if err := tr.sameHandle(w[0], g[0]); err != nil {
		return err
	}
	for i := 1; i <= 2; i++ {
		if err := tr.sameOffset(w[i], g[i]); err != nil {
			return err
		}
	}
	if len(g) > 3 && !digits.MatchString(g[3]) {
		return fmt.Errorf("%q ends in no time", got)
	}
	return nil
}

// value compares two JSON values; key is the name of the member that they are,
// and of the array around them.
func (tr *translation) value(key string, want, got any) error {
	switch key {
	case "lsn", "global_last_seen_lsn", "database_lsn":
		return sameNumber(tr.lsns, fmt.Sprint(want), fmt.Sprint(got))
	case "xmin", "xmax":
		return sameNumber(tr.xids, fmt.Sprint(want), fmt.Sprint(got))
	case "snapshot_mark":
		if !digits.MatchString(fmt.Sprint(got)) {
			return fmt.Errorf("mark %v is no number", got)
		}
		return nil
	}
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return fmt.Errorf("%v, want %v", got, want)
		}
		if err := tr.marks(w, g); err != nil {
			return err
		}
		for k := range g {
			if _, ok := w[k]; !ok {
				return fmt.Errorf("%s: %v, want none", k, g[k])
			}
		}
		for k := range w {
			if _, ok := g[k]; !ok {
				return fmt.Errorf("no %s, want %v", k, w[k])
			}
			if err := tr.value(k, w[k], g[k]); err != nil {
				return fmt.Errorf("%s: %w", k, err)
			}
		}
		return nil
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return fmt.Errorf("%v, want %v", got, want)
		}
		for i := range w {
			if key == "txids" || key == "xip_list" {
				if err := sameNumber(tr.xids, fmt.Sprint(w[i]), fmt.Sprint(g[i])); err != nil {
					return err
				}
				continue
			}
			if err := tr.value(key, w[i], g[i]); err != nil {
				return fmt.Errorf("[%d]: %w", i, err)
			}
		}
		return nil
	default:
		if want != got {
			return fmt.Errorf("%v, want %v", got, want)
		}
		return nil
	}
}

// marks makes sure that all rows of a subset carry its metadata's mark.
func (tr *translation) marks(want, got map[string]any) error {
	if m, ok := got["metadata"].(map[string]any); ok && want["metadata"] != nil {
		tr.mark = fmt.Sprint(m["snapshot_mark"])
	}
	if m, ok := got["snapshot_mark"]; ok && fmt.Sprint(m) != tr.mark {
		return fmt.Errorf("mark %v, want %s", m, tr.mark)
	}
	return nil
}
