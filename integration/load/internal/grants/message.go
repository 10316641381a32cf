package grants

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// message is one element of a shape's log, as far as it matters here.
type message struct {
	Key   string `json:"key"`
	Value struct {
		ID    *string `json:"id"`
		Title *string `json:"title"`
	} `json:"value"`
	Headers struct {
		Operation string `json:"operation"`
		Control   string `json:"control"`
		LSN       string `json:"global_last_seen_lsn"`
	} `json:"headers"`
}

func parseMessages(body []byte) (all []message, err error) {
	if len(body) == 0 {
		return nil, nil
	}
	return all, json.Unmarshal(body, &all)
}

func parseMessage(data []byte) (m message, err error) {
	return m, json.Unmarshal(data, &m)
}

// The controls that mean something to a client.
const (
	upToDate    = "up-to-date"
	mustRefetch = "must-refetch"
)

var errTwoIDs = errors.New("a message whose key is not that of its row")

// id is the row that a message is about.
func (m *message) id() (string, error) {
	_, quoted, _ := strings.Cut(m.Key, "/")
	id := strings.Trim(quoted, `"`)
	if id == "" {
		return "", fmt.Errorf("a message with the key %q", m.Key)
	}
	if m.Value.ID != nil && *m.Value.ID != id {
		return "", errTwoIDs
	}
	return id, nil
}
