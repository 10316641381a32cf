package electrictest

import (
	"errors"
	"strconv"
	"strings"
)

var errConst = errors.New("invalid syntax")

// parseConst reads a literal or parameter of a where clause by Electric's rules,
// which are stricter than Postgres': a UUID has its hyphens, a timestamptz its
// zone.
func parseConst(t typ, text string) (datum, error) {
	if t.array {
		return parseConstArray(t, text)
	}
	switch t.kind() {
	case kindBool:
		for _, word := range []string{"true", "false"} {
			if text != "" && strings.HasPrefix(word, text) {
				return boolDatum(word == "true"), nil
			}
		}
		return datum{}, errConst
	case kindInt:
		n, err := strconv.ParseInt(text, 10, 64)
		if lo, hi := intRange(t.name); err != nil || n < lo || n > hi {
			return datum{}, errConst
		}
		return datum{i: n}, nil
	case kindFloat:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || strings.ContainsAny(text, "xXpP_nNiI") {
			return datum{}, errConst
		}
		return datum{f: f}, nil
	case kindUUID:
		if !isUUID(text) {
			return datum{}, errConst
		}
		return datum{s: strings.ToLower(text)}, nil
	case kindDate, kindTime, kindTimestamp, kindTimestamptz:
		if t.kind() == kindTimestamptz && text != "epoch" && !hasZone(text) {
			return datum{}, errConst
		}
		micros, err := parseTime(t.kind(), text)
		return datum{i: micros}, err
	case kindText:
		return datum{s: text}, nil
	default:
		return datum{}, errConst
	}
}

func hasZone(text string) bool {
	if len(text) <= len(dateLayout) {
		return false
	}
	clock := text[len(dateLayout):]
	return strings.ContainsAny(clock, "+-zZ")
}

func parseConstArray(t typ, text string) (datum, error) {
	items, nested, err := parseArray(text)
	if err != nil || nested {
		return datum{}, errConst
	}
	list := make([]datum, len(items))
	for i, item := range items {
		if item == nil {
			list[i] = sqlNull
			continue
		}
		if list[i], err = parseConst(t.element(), *item); err != nil {
			return datum{}, err
		}
	}
	return datum{list: list}, nil
}
