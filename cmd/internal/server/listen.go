package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
)

// Listen listens at an address that a setting names. The error names the setting and, where
// something else listens there, says what to do.
func Listen(ctx context.Context, setting, address string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s: %s is taken by another program: end that, or give another address with %s", setting, address, setting)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	return l, nil
}
