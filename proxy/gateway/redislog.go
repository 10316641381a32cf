package gateway

import (
	"context"
	"fmt"
	"log/slog"
)

// redisLog routes what go-redis has to say about its connections, which it would
// print to standard error, to the service's log.
type redisLog struct{ log *slog.Logger }

// Printf implements go-redis' internal.Logging.
func (l redisLog) Printf(ctx context.Context, format string, v ...any) {
	l.log.WarnContext(ctx, "redis", "message", fmt.Sprintf(format, v...))
}
