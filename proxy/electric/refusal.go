package electric

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// MisconfiguredError says that Electric cannot serve a shape as it is defined, for any
// reader: its table or a column does not exist, a column is generated, columns lacks a
// part of the primary key, or the static where is invalid. Only the operator can mend
// it.
//
// errors.Is(err, ErrRefused) is true for it.
type MisconfiguredError struct {
	// Reason names the field of Electric's API and what is wrong with it. It is for
	// operators: it may name the table and columns, and holds no where and no secret.
	Reason string

	// Refused has the texts of Electric's answer, by the field of its API that they are
	// about: table, columns or queryable_columns. It is nil if the answer has none.
	Refused map[string][]string
}

// Error implements error.
func (e *MisconfiguredError) Error() string {
	return "electric: the shape cannot be served: " + e.Reason
}

// Unwrap returns ErrRefused.
func (e *MisconfiguredError) Unwrap() error { return ErrRefused }

// errWhere says that Electric refused the static where of a log, or its params. The
// values of the params may be the client's.
var errWhere = fmt.Errorf("%w: the static where", ErrRefused)

// longestReason bounds a Reason, in bytes.
const longestReason = 500

// refusal reads why Electric answered 400 (recordings 07, 09 and 12). Electric says which
// field of the request it refuses. A subset has fields of its own, which are the client's.
func refusal(body io.Reader) error {
	var answer struct {
		Errors map[string]json.RawMessage
	}
	text, err := io.ReadAll(io.LimitReader(body, 64<<10))
	if err != nil || json.Unmarshal(text, &answer) != nil {
		return ErrRefused
	}
	// Of these, the texts name tables and columns, and nothing else.
	refused := make(map[string][]string)
	for _, field := range []string{"table", "columns", "queryable_columns"} {
		var texts []string
		if _ = json.Unmarshal(answer.Errors[field], &texts); len(texts) > 0 {
			refused[field] = texts
		} else if _, ok := answer.Errors[field]; ok {
			refused[field] = []string{"refused"}
		}
	}
	for _, field := range []string{"table", "columns", "queryable_columns"} {
		if len(refused[field]) > 0 {
			return &MisconfiguredError{Reason: reason(field, refused[field]), Refused: refused}
		}
	}
	for _, field := range []string{"where", "params"} {
		if _, ok := answer.Errors[field]; ok {
			return errWhere
		}
	}
	return ErrRefused
}

func reason(field string, texts []string) string {
	text := strings.ToValidUTF8(field+": "+strings.Join(texts, "; "), "")
	if len(text) > longestReason {
		text = strings.ToValidUTF8(text[:longestReason], "") + "…"
	}
	return text
}
