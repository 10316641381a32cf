package schema

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Error is one thing that is wrong in a file of shape definitions.
type Error struct {
	File         string // as it was given to Parse; empty for a Shape that was not parsed
	Line, Column int    // counted from 1; zero if unknown
	Key          string // shapes.documents.authorize.filter[0].column
	Message      string // for the person who writes the file; it may quote it
}

// Error returns file:line:column: key: message, the form that editors follow.
func (e *Error) Error() string {
	var text strings.Builder
	if e.File != "" {
		text.WriteString(e.File)
		text.WriteByte(':')
		if e.Line > 0 {
			fmt.Fprintf(&text, "%d:%d:", e.Line, e.Column)
		}
		text.WriteByte(' ')
	}
	if e.Key != "" {
		text.WriteString(e.Key)
		text.WriteString(": ")
	}
	text.WriteString(e.Message)
	return text.String()
}

// errorf returns an error about a key, with its place in the file that it was read from.
// Without one (nil) there is no place.
func errorf(origin *positions, key, format string, args ...any) *Error {
	e := &Error{Key: key, Message: fmt.Sprintf(format, args...)}
	if origin != nil {
		at := origin.at[key]
		e.File, e.Line, e.Column = origin.file, at.line, at.column
	}
	return e
}

// join returns errs as one error, in the order of the file, or nil.
func join(errs []*Error) error {
	slices.SortStableFunc(errs, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	all := make([]error, len(errs))
	for i, err := range errs {
		all[i] = err
	}
	return errors.Join(all...)
}
