package grantcache

import (
	"context"
	"errors"
	"log/slog"

	"github.com/shapegate/shapegate/authz"
)

// client makes single calls to SpiceDB, and counts them. It knows nothing of entries, nor
// of what an answer is for. Errors are those of authz.Engine.
type client struct {
	engine   authz.Engine
	tables   *tables
	space    *space
	metrics  *metrics
	failures *failures
}

var errTooLarge = errors.New("a lookup's answer does not fit into the memory for grant sets")

// lookup makes one call of LookupResources. The error is Unavailable as well if there is no
// room for the answer.
func (c *client) lookup(ctx context.Context, l authz.Lookup) (*authz.GrantSet, authz.ZedToken, error) {
	c.metrics.lookups.Inc()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	const checkEvery = 4096
	table := c.tables.of(l.ResourceType)
	b, n := table.NewBuilder(), 0
	token, err := c.engine.LookupResources(ctx, l, func(id string) {
		if n++; n%checkEvery == 0 && !c.space.fits(table) {
			cancel(authz.E(authz.Unavailable, "look up resources", errTooLarge))
			return
		}
		if ctx.Err() == nil {
			b.Add(id)
		}
	})
	if cause := context.Cause(ctx); errors.Is(cause, errTooLarge) {
		c.failures.report("memory", slog.LevelError, "a lookup's answer does not fit into the memory for grant sets",
			slog.String("resource_type", l.ResourceType), slog.Int64("bytes", c.space.mostBytes))
		return nil, "", cause
	}
	if err != nil {
		return nil, "", err
	}
	return b.Build(), token, nil
}

// check makes one call of CheckPermissions.
func (c *client) check(ctx context.Context, checks []authz.Check) ([]authz.CheckResult, authz.ZedToken, error) {
	c.metrics.checks.Inc()
	return c.engine.CheckPermissions(ctx, checks)
}

// subjects makes one call of LookupSubjects. SpiceDB names no revision of an empty answer,
// so that is asked for.
func (c *client) subjects(ctx context.Context, resource authz.ObjectRef, permission, subjectType string) (*findings, authz.ZedToken, error) {
	c.metrics.subjectLookups.Inc()
	var f findings
	token, err := c.engine.LookupSubjects(ctx, resource, permission, subjectType, f.add)
	if err != nil {
		return nil, "", err
	}
	if token == "" {
		token, _, _ = c.engine.Head(ctx)
	}
	return &f, token, nil
}
