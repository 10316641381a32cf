package readers

import (
	"errors"
	"slices"
)

// ends is how what was started ends. It is for one goroutine.
type ends []func() error

func (e *ends) add(f func() error) { *e = append(*e, f) }

// close ends everything, what was started last first, and once.
func (e *ends) close() error {
	var errs []error
	for _, f := range slices.Backward(*e) {
		errs = append(errs, f())
	}
	*e = nil
	return errors.Join(errs...)
}
