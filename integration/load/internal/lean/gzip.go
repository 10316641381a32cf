package lean

import (
	"bytes"
	"compress/gzip"
	"io"
	"sync"
)

// readers are shared: each holds some 40 kB, and few are used at once.
var readers = sync.Pool{New: func() any { return new(gzip.Reader) }}

// unzip appends to b what body is compressed from.
func unzip(body, b []byte) ([]byte, error) {
	r := readers.Get().(*gzip.Reader)
	defer readers.Put(r)
	if err := r.Reset(bytes.NewReader(body)); err != nil {
		return b, err
	}
	out := bytes.NewBuffer(b)
	_, err := io.Copy(out, io.LimitReader(r, MostBody))
	return out.Bytes(), err
}
