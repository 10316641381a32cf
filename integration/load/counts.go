package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// counts is what the proxy's metrics say of its work so far.
type counts struct {
	known bool
	calls map[string]float64 // that SpiceDB has answered, by method
	cpu   float64            // seconds of the proxy's process
}

// counts reads the metrics, if there are any.
func (d *deployment) counts(ctx context.Context) (counts, error) {
	if d.metrics == "" {
		return counts{}, nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.metrics, http.NoBody)
	if err != nil {
		return counts{}, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return counts{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return counts{}, fmt.Errorf("the metrics: status %d", resp.StatusCode)
	}
	return readCounts(resp.Body)
}

var grpcMethod = regexp.MustCompile(`[{,]grpc_method="(\w+)"`)

// readCounts reads the few lines that matter of Prometheus' text format.
func readCounts(r io.Reader) (counts, error) {
	c := counts{known: true, calls: make(map[string]float64)}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := lines.Text()
		text := line[strings.LastIndexByte(line, ' ')+1:]
		value, err := strconv.ParseFloat(text, 64)
		switch {
		case err != nil:
		case strings.HasPrefix(line, "grpc_client_handled_total{"):
			if method := grpcMethod.FindStringSubmatch(line); method != nil {
				c.calls[method[1]] += value
			}
		case strings.HasPrefix(line, "process_cpu_seconds_total "):
			c.cpu = value
		}
	}
	return c, lines.Err()
}

// since is what was done after before.
func (c counts) since(before counts) counts {
	d := counts{known: c.known, calls: make(map[string]float64), cpu: c.cpu - before.cpu}
	for method, n := range c.calls {
		if n > before.calls[method] {
			d.calls[method] = n - before.calls[method]
		}
	}
	return d
}
