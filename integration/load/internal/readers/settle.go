package readers

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/shapegate/shapegate/integration/load/internal/world"
)

// settleTime bounds how long a shapegate may take to hear of the relationships.
const settleTime = 30 * time.Second

// settle returns once each person's first read has the rows that it was granted. A
// shapegate that was running before the relationships were written hears of them a moment
// later; to a client that reads before that, they are changes.
func (s *site) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for n := range s.o.people {
		for {
			body, err := s.firstRead(ctx, n)
			if err != nil {
				return err
			}
			if hasAll(body, append(world.Documents(world.Own, n, s.o.own), common())) {
				break
			}
			select {
			case <-look.C:
			case <-ctx.Done():
				return fmt.Errorf("the rows of person %d are not there after %s", n, settleTime)
			}
		}
	}
	return nil
}

func hasAll(body string, ids []string) bool {
	for _, id := range ids {
		if !strings.Contains(body, id) {
			return false
		}
	}
	return true
}

func (s *site) firstRead(ctx context.Context, person int) (string, error) {
	headers, err := s.headersOf(person)
	if err != nil {
		return "", err
	}
	u := *s.shape
	u.RawQuery = strings.TrimPrefix(u.RawQuery+"&"+fromStart, "&")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", err
	}
	for _, h := range headers {
		if token, ok := strings.CutPrefix(h, "Authorization: "); ok {
			req.Header.Set("Authorization", token)
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}
