package feed

import (
	"bytes"
	"compress/gzip"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/shapegate/shapegate/proxy/electric"
)

// Answer is a part of a log, encoded for the readers of a cohort. It is shared and must
// not be changed.
type Answer struct {
	make sync.Once
	made atomic.Bool
	err  error

	// Elements are the messages. Body is a JSON array of them, with up-to-date as the last
	// element if the part reaches the end of the log.
	Elements [][]byte
	Body     []byte

	zip    sync.Once
	zipped []byte

	counted atomic.Bool // its memory is, or need not be
}

var errUnfinished = errors.New("feed: the answer was not finished")

// Encoder appends a message to dst as the cohort is sent it. It returns false if the
// cohort is sent nothing.
type Encoder func(dst []byte, m *electric.Message) ([]byte, bool, error)

// fill encodes the answer, once. Other callers wait for the first one.
func (a *Answer) fill(p *Part, encode Encoder) error {
	if !a.made.Load() { // nearly always it is, and then this costs no memory
		a.makeOf(*p, encode)
	}
	return a.err
}

func (a *Answer) makeOf(p Part, encode Encoder) {
	a.make.Do(func() {
		a.err = errUnfinished // stays if encode panics
		a.err = a.encode(&p, encode)
		a.made.Store(true)
	})
}

func (a *Answer) encode(p *Part, encode Encoder) error {
	body := []byte{'['}
	var ends []int
	for !p.over {
		m, err := p.Next()
		if err != nil {
			break // io.EOF: a part in memory has no other error
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

// worthZipping is the least length of a body that is compressed, in bytes.
const worthZipping = 512

// Zipped returns the body compressed with gzip, or nil if it is too short for that.
func (a *Answer) Zipped() []byte {
	if len(a.Body) < worthZipping {
		return nil
	}
	a.zip.Do(func() {
		var b bytes.Buffer
		w, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed) // an error is of the level
		_, _ = w.Write(a.Body)                          // a buffer returns no errors
		_ = w.Close()
		a.zipped = b.Bytes()
	})
	return a.zipped
}

// size is the memory of the answer in bytes, the compressed body included.
func (a *Answer) size() int { return 2*len(a.Body) + 24*len(a.Elements) }
