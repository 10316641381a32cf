package electric

import (
	"context"
	"errors"
)

// Probe finds out whether Electric can serve a log, and returns what it says of the
// table. It makes the shape at Electric if there is none, as the first reader would.
//
// Errors are a *MisconfiguredError, where the shape's definition has to change; else
// those of ReadLog. ErrRefused alone says that the values of WhereParams were refused,
// which may be the fault of the values.
func (c *Client) Probe(ctx context.Context, spec *LogSpec) (*Schema, error) {
	resp, err := c.ReadLog(ctx, spec, LogRequest{Offset: Now})
	switch {
	case err == nil:
		return resp.Schema, resp.Close()
	case errors.Is(err, errWhere) && len(spec.WhereParams) == 0:
		return nil, &MisconfiguredError{Reason: "where: Electric cannot read it, or does not know what it names"}
	case errors.Is(err, ErrTooLarge):
		return nil, &MisconfiguredError{Reason: "where, columns: longer than a request line may be"}
	default:
		return nil, err
	}
}
