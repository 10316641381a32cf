package rows

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Posted sends SQL to a URL, as shapegate-dev takes it.
type Posted struct{ URL string }

// CommittedAt is the header in which the tool's own stand-in says when it
// committed, in nanoseconds since 1970. Its clients are answered at that moment, and
// may well have their answer before the writer has one.
const CommittedAt = "Committed-At"

// Exec implements Rows.
func (p Posted) Exec(ctx context.Context, sql string) (time.Time, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL, strings.NewReader(sql))
	if err != nil {
		return time.Time{}, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return time.Time{}, err
	}
	returned := time.Now()
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, text)
	}
	if at, malformed := strconv.ParseInt(resp.Header.Get(CommittedAt), 10, 64); malformed == nil {
		return time.Unix(0, at), err
	}
	return returned, err
}
