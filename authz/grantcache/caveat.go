package grantcache

import (
	"encoding/json"
	"maps"
	"time"
)

// contextKey spells a caveat context so that equal ones, and no others, are spelled alike.
func contextKey(values map[string]any, clock []string) (string, error) {
	if len(values) == 0 && len(clock) == 0 {
		return "", nil
	}
	text, err := json.Marshal([]any{values, clock}) // which sorts the keys of maps
	return string(text), err
}

// contextAt returns a caveat context with the time in the values that are a clock.
func contextAt(values map[string]any, clock []string, now time.Time) map[string]any {
	if len(clock) == 0 {
		return values
	}
	all := make(map[string]any, len(values)+len(clock))
	maps.Copy(all, values)
	for _, name := range clock {
		all[name] = now.UTC().Format(time.RFC3339)
	}
	return all
}
