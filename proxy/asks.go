package proxy

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/proxy/subset"
)

// askedAtOnce is how many rows are asked for in one request.
const askedAtOnce = 500

// askAgain asks for the present state of the rows that late messages take away, and sends
// it: a row that is there and permitted as an insert, any other as a delete with its key
// alone.
func (l *logPart) askAgain(ctx context.Context, send func(message []byte) error) error {
	if len(l.asked) == 0 {
		return nil
	}
	for keys := range slices.Chunk(slices.Sorted(maps.Keys(l.asked)), askedAtOnce) {
		if err := l.ask(ctx, keys, send); err != nil {
			return err
		}
	}
	return nil
}

func (l *logPart) ask(ctx context.Context, keys []string, send func([]byte) error) error {
	q, err := l.x.shape.rowsByKey(keys)
	if err != nil {
		return err
	}
	snapshot, err := openRows(ctx, l.x.source, []electric.Subset{q})
	if err != nil {
		return err
	}
	defer snapshot.Close()
	if _, err := snapshot.Fence(); err != nil && !errors.Is(err, errNoFence) {
		return err
	}
	if err := l.guard.renew(ctx); err != nil {
		return err
	}
	l.filter = l.filter.Narrowed(l.guard.permitted)
	for {
		m, err := snapshot.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		key := string(m.Key())
		if _, ok := l.asked[key]; !ok {
			continue
		}
		delete(l.asked, key)
		if err := l.present(m, nil, send); err != nil {
			return err
		}
	}
	for _, key := range keys {
		raw, ok := l.asked[key]
		if !ok {
			continue
		}
		if err := l.present(nil, raw, send); err != nil {
			return err
		}
	}
	return nil
}

func (l *logPart) present(row *electric.Message, late []byte, send func([]byte) error) error {
	var m electric.Message
	var err error
	if row == nil {
		if m, err = electric.ParseMessage(late); err != nil {
			return err
		}
	}
	out, err := l.filter.Present(nil, row, &m)
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
func (s *shape) rowsByKey(keys []string) (electric.Subset, error) {
	rule := s.table.rule()
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
