package child

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Get reads what a child's control says, which is JSON.
func Get(ctx context.Context, url string, v any) error {
	return exchange(ctx, http.MethodGet, url, nil, v)
}

// Post sends JSON to a child's control.
func Post(ctx context.Context, url string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return exchange(ctx, http.MethodPost, url, body, nil)
}

// PostLines sends text to a child's control.
func PostLines(ctx context.Context, url string, lines []string) error {
	return exchange(ctx, http.MethodPost, url, []byte(strings.Join(lines, "\n")), nil)
}

func exchange(ctx context.Context, method, url string, body []byte, answer any) error {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return fmt.Errorf("%s: status %d: %s", url, resp.StatusCode, text)
	}
	if answer == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(answer)
}
