package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/rowfilter"
	"github.com/shapegate/shapegate/proxy/subset"
)

// askedAtOnce is how many rows are asked for in one request.
const askedAtOnce = 500

// lateRows are the rows that late messages take away. Their present state is asked for at
// the end of an answer.
type lateRows struct {
	snapshots *snapshots
	messages  map[string][]byte // by the row's key, the latest of each
}

func (l *lateRows) note(m *electric.Message) {
	if l.messages == nil {
		l.messages = make(map[string][]byte)
	}
	l.messages[string(m.Key())] = bytes.Clone(m.Raw)
}

// write asks for the present state of the rows, and sends it: a row that is there and
// permitted as an insert, any other as a delete with its key alone.
func (l *lateRows) write(ctx context.Context, f *rowfilter.Filter, g *guard, send func(message []byte) error) error {
	for keys := range slices.Chunk(slices.Sorted(maps.Keys(l.messages)), askedAtOnce) {
		if err := l.ask(ctx, keys, f, g, send); err != nil {
			return err
		}
	}
	return nil
}

func (l *lateRows) ask(ctx context.Context, keys []string, f *rowfilter.Filter, g *guard, send func([]byte) error) error {
	q, err := rowsByKey(l.snapshots.log.shape.table.rule(), keys)
	if err != nil {
		return err
	}
	p, err := newPlan(q)
	if err != nil {
		return err
	}
	snapshot, err := l.snapshots.ask(ctx, p)
	if err != nil {
		return err
	}
	defer snapshot.Close()
	if _, err := snapshot.Fence(); err != nil && !errors.Is(err, errNoFence) {
		return err
	}
	if err := g.renew(ctx); err != nil {
		return err
	}
	f = f.Narrowed(g.permitted)
	for {
		m, err := snapshot.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		key := string(m.Key())
		if _, ok := l.messages[key]; !ok {
			continue
		}
		delete(l.messages, key)
		if err := present(f, m, nil, send); err != nil {
			return err
		}
	}
	for _, key := range keys {
		late, ok := l.messages[key]
		if !ok {
			continue
		}
		if err := present(f, nil, late, send); err != nil {
			return err
		}
	}
	return nil
}

// present sends the present state of a row: row, or that there is none, and late was its
// last message.
func present(f *rowfilter.Filter, row *electric.Message, late []byte, send func([]byte) error) error {
	var m electric.Message
	var err error
	if row == nil {
		if m, err = electric.ParseMessage(late); err != nil {
			return err
		}
	}
	out, err := f.Present(nil, row, &m)
	if err != nil {
		return err
	}
	if len(out) == 0 {
		return nil
	}
	return send(out)
}

var errKey = &electric.ProtocolError{Reason: "a row's key is not of its table"}

// rowsByKey returns the subset of the rows with some keys, as JSON spells the keys.
func rowsByKey(rule *rowfilter.Rule, keys []string) (electric.Subset, error) {
	q := electric.Subset{Params: make(map[string]string)}
	values := make([][]string, len(rule.Key))
	for _, quoted := range keys {
		key, err := electric.Unquote([]byte(quoted))
		if err != nil {
			return q, err
		}
		of, ok := electric.KeyColumns(string(key), rule.Schema, rule.Table)
		if !ok || len(of) != len(rule.Key) {
			return q, errKey
		}
		for i, v := range of {
			if v == nil {
				return q, errKey
			}
			values[i] = append(values[i], *v)
		}
	}
	if len(rule.Key) == 1 {
		q.Where = electric.QuoteIdentifier(rule.Key[0]) + " = ANY($1)"
		q.Params["1"] = subset.ArrayLiteral(slices.Values(values[0]))
		return q, nil
	}
	rows := make([]string, len(keys))
	for n := range keys {
		columns := make([]string, len(rule.Key))
		for i, name := range rule.Key {
			param := strconv.Itoa(len(q.Params) + 1)
			columns[i] = electric.QuoteIdentifier(name) + " = $" + param
			q.Params[param] = values[i][n]
		}
		rows[n] = "(" + strings.Join(columns, " AND ") + ")"
	}
	q.Where = strings.Join(rows, " OR ")
	return q, nil
}
