package schema

import "fmt"

// Errorf returns an error about one key of the shape, as in "table" or
// "authorize.filter[0].column", with the key's place in the file that the shape was
// parsed from.
func (s *Shape) Errorf(key, format string, args ...any) *Error {
	e := &Error{Key: "shapes." + s.Name + "." + key, Message: fmt.Sprintf(format, args...)}
	if s.origin != nil {
		at := s.origin.at[e.Key]
		e.File, e.Line, e.Column = s.origin.file, at.line, at.column
	}
	return e
}

// DidYouMean returns ", did you mean …?" for the candidate nearest to name, or "" if
// none is near enough to be a slip of the hand.
func DidYouMean(name string, candidates []string) string { return didYouMean(name, candidates) }
