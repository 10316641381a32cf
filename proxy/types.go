package proxy

import (
	"errors"
	"fmt"

	"github.com/shapegate/shapegate/proxy/electric"
	"github.com/shapegate/shapegate/schema"
)

// errMisconfigured says that the shape's definition does not fit its table: only the
// operator can mend it. check-config and readiness say what is wrong as well.
var errMisconfigured = errors.New("the shape's definition does not fit its table")

func isMisconfigured(err error) bool {
	var wrong *electric.MisconfiguredError
	return errors.Is(err, errMisconfigured) || errors.As(err, &wrong)
}

// checkFilterTypes makes sure that the shape's filters can be laid on their columns as the
// table has them: on columns whose values have one spelling, in which they are object ids.
func (t *table) checkFilterTypes() error {
	seen := t.seen.Load()
	for _, f := range t.def.Authorize.Filter {
		c, ok := seen.Columns[f.Column]
		if !ok || c.Dims > 0 || !schema.HoldsIDs(c.Type) {
			return fmt.Errorf("%w: shape %s: the filter's column %s is of type %s, which cannot hold object ids: use uuid, text, varchar or an integer",
				errMisconfigured, t.def.Name, f.Column, c.Type)
		}
	}
	return nil
}
