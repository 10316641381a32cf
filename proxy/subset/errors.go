package subset

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Error says what is wrong with a request, in words that may be shown to its
// sender: it repeats nothing but the identifier at fault. It calls for a 400.
type Error struct {
	// Field is the part at fault: body, subset, where, params, params.<n>, limit,
	// offset or order_by.
	Field   string
	Message string
}

// Error implements error.
func (e *Error) Error() string { return e.Field + ": " + e.Message }

func refuse(field, message string) *Error { return &Error{Field: field, Message: message} }

func refusef(field, format string, args ...any) *Error {
	return &Error{Field: field, Message: fmt.Sprintf(format, args...)}
}

// shown returns an identifier of a client as it may stand in a message: short,
// in one line.
func shown(identifier string) string {
	const most = 63 // bytes, what Postgres keeps of an identifier
	if len(identifier) > most {
		cut := most
		for cut > 0 && !utf8.RuneStart(identifier[cut]) {
			cut--
		}
		identifier = identifier[:cut] + "…"
	}
	printable := func(r rune) rune {
		if unicode.IsPrint(r) && r != utf8.RuneError {
			return r
		}
		return '?'
	}
	return strconv.Quote(strings.Map(printable, identifier))
}
