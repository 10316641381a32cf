package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// newReadyCommand is for the health check of a container that has nothing but
// this binary.
func newReadyCommand(s *settings) *cobra.Command {
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "ready",
		Short: "Ask the shapegate of this machine whether it is ready",
		Long: `Ask the shapegate that serves on this machine, at its admin address, whether it
is ready. It exits with 0 if it is, with 1 if it is not, and says why, and with 2
if it does not answer.`,
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			status, reasons, err := askReady(ctx, s.AdminListen)
			switch {
			case err != nil:
				return &exitError{exitNoAnswer, err}
			case status != http.StatusOK && len(reasons) > 0:
				return fmt.Errorf("not ready (status %d):\n  %s", status, strings.Join(reasons, "\n  "))
			case status != http.StatusOK:
				return fmt.Errorf("not ready (status %d)", status)
			}
			cmd.Println("ready")
			return nil
		},
	}
	cmd.Flags().DurationVar(&timeout, "timeout", 3*time.Second, "how long to wait for the answer")
	return cmd
}

// maxReadyBody bounds what is read of the answer of /readyz, in bytes.
const maxReadyBody = 1 << 20

// askReady returns the status of /readyz at an address that is listened on, and the reasons
// that it gives for not being ready.
func askReady(ctx context.Context, listen string) (status int, reasons []string, err error) {
	if listen == "" {
		return 0, nil, errors.New("SHAPEGATE_ADMIN_LISTEN is empty: nothing listens there")
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return 0, nil, err
	}
	// Every address of the machine is listened on: one will do.
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	url := "http://" + net.JoinHostPort(host, port) + "/readyz"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, nil, err
	}
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true}, // and no proxy of the environment
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	var body struct{ Reasons []string }
	// The status alone decides: reasons that cannot be read are left out.
	_ = json.NewDecoder(io.LimitReader(response.Body, maxReadyBody)).Decode(&body)
	return response.StatusCode, body.Reasons, nil
}
