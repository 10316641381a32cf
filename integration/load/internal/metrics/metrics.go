// Package metrics reads what a shapegate says of itself, in Prometheus' text
// format.
package metrics

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

// Values is what matters here of the metrics so far.
type Values struct {
	Known bool               // there are metrics
	Calls map[string]float64 // that SpiceDB has answered, by method
	CPU   float64            // seconds of the process
	Held  int                // requests that wait
	RSS   float64            // bytes
	Heap  float64            // bytes in use of the heap
	Stack float64            // bytes in use of stacks
}

// Read reads the metrics at a URL; without one, there are none.
func Read(ctx context.Context, url string) (Values, error) {
	if url == "" {
		return Values{}, nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return Values{}, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return Values{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return Values{}, fmt.Errorf("the metrics: status %d", resp.StatusCode)
	}
	return parse(resp.Body)
}

var grpcMethod = regexp.MustCompile(`[{,]grpc_method="(\w+)"`)

// parse reads the few lines that matter.
func parse(r io.Reader) (Values, error) {
	v := Values{Known: true, Calls: make(map[string]float64)}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := lines.Text()
		series, text, _ := cutLast(line)
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			continue
		}
		name, _, _ := strings.Cut(series, "{")
		switch name {
		case "grpc_client_handled_total":
			if method := grpcMethod.FindStringSubmatch(series); method != nil {
				v.Calls[method[1]] += value
			}
		case "process_cpu_seconds_total":
			v.CPU = value
		case "process_resident_memory_bytes":
			v.RSS = value
		case "go_memstats_heap_inuse_bytes":
			v.Heap = value
		case "go_memstats_stack_inuse_bytes":
			v.Stack = value
		case "shapegate_held_requests":
			v.Held += int(value)
		}
	}
	return v, lines.Err()
}

func cutLast(line string) (series, value string, ok bool) {
	i := strings.LastIndexByte(line, ' ')
	if i < 0 {
		return line, "", false
	}
	return line[:i], line[i+1:], true
}

// Since is what was done after before.
func (v Values) Since(before Values) Values {
	d := Values{Known: v.Known, Calls: make(map[string]float64), CPU: v.CPU - before.CPU}
	for method, n := range v.Calls {
		if n > before.Calls[method] {
			d.Calls[method] = n - before.Calls[method]
		}
	}
	return d
}
