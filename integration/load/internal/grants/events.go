package grants

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// readEvents calls yield with the data of each server-sent event, until the
// stream ends. Electric's events have data and comments alone, and data of one
// line.
func readEvents(body io.Reader, yield func(data []byte) error) error {
	r := bufio.NewReader(body)
	for {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if data, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("data: ")); ok {
			if err := yield(data); err != nil {
				return err
			}
		}
	}
}
