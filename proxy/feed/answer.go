package feed

import (
	"bytes"
	"compress/gzip"
	"errors"
	"slices"
	"sync"

	"github.com/shapegate/shapegate/proxy/electric"
)

// Answer is what all readers of an cohort are sent of a part of a log. Nobody may
// change it.
type Answer struct {
	make sync.Once
	err  error

	// Elements are the messages, Body a JSON array of them, which ends with up-to-date
	// if the part reaches the log's end.
	Elements [][]byte
	Body     []byte

	zip    sync.Once
	zipped []byte
}

var errUnfinished = errors.New("feed: the answer was not finished")

// Encoder appends what an cohort is sent of a message to dst, and reports whether
// that is anything.
type Encoder func(dst []byte, m *electric.Message) ([]byte, bool, error)

// fill makes the answer, once, whoever comes first.
func (a *Answer) fill(p Part, encode Encoder) error {
	a.make.Do(func() {
		a.err = errUnfinished // if it panics
		a.err = a.encode(&p, encode)
	})
	return a.err
}

func (a *Answer) encode(p *Part, encode Encoder) error {
	body := []byte{'['}
	var ends []int
	for !p.over {
		m, err := p.Next()
		if err != nil {
			break // io.EOF: it is from memory
		}
		start := len(body)
		if m.Operation == electric.Control {
			body = append(body, m.Raw...)
		} else {
			var visible bool
			if body, visible, err = encode(body, m); err != nil {
				return err
			}
			if !visible {
				body = body[:start]
				continue
			}
			ends = append(ends, start, len(body))
		}
		body = append(body, ',')
	}
	if body[len(body)-1] == ',' {
		body = body[:len(body)-1]
	}
	a.Body = slices.Clip(append(body, ']'))
	for pair := range slices.Chunk(ends, 2) {
		a.Elements = append(a.Elements, a.Body[pair[0]:pair[1]])
	}
	return nil
}

// worthZipping is the length of a body from which on it is compressed, in bytes.
const worthZipping = 512

// Zipped returns the body as gzip has it, or nil if that is not worth it.
func (a *Answer) Zipped() []byte {
	if len(a.Body) < worthZipping {
		return nil
	}
	a.zip.Do(func() {
		var b bytes.Buffer
		w, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed) // the level is a good one
		_, _ = w.Write(a.Body)                          // a buffer takes everything
		_ = w.Close()
		a.zipped = b.Bytes()
	})
	return a.zipped
}

// size is what the answer takes, zipped besides, in bytes.
func (a *Answer) size() int { return 2*len(a.Body) + 24*len(a.Elements) }
