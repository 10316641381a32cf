package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/shapegate/shapegate/proxy/electric"
)

// BenchmarkFilter filters a log of updates, of which the reader may see one in
// ten, from the bytes that Electric sent to the bytes that the reader gets. The
// baseline reads the same messages and passes all of them on.
func BenchmarkFilter(b *testing.B) {
	const messages = 10_000
	var log bytes.Buffer
	var ids []string
	log.WriteByte('[')
	for i := range messages {
		if i > 0 {
			log.WriteByte(',')
		}
		id := fmt.Sprintf("00000000-0000-4000-8000-%012d", i)
		if i%10 == 0 {
			ids = append(ids, id)
		}
		fmt.Fprintf(&log, `{"value":{"body":%q,"id":%q,"project_id":"p%d","title":"title %d"},"key":"\"public\".\"t\"/\"%s\"","headers":{"last":true,"relation":["public","t"],"operation":"update","lsn":"27028496","txids":[788],"op_position":0}}`,
			bytes.Repeat([]byte("lorem ipsum "), 20), id, i%50, i, id)
	}
	log.WriteByte(']')
	for name, view := range map[string]visibility{
		"all":        {all: true},
		"one-in-ten": seeing("id", ids...),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(log.Len()))
			b.ReportAllocs()
			var buf []byte
			through := view.steady()
			for b.Loop() {
				r := electric.NewMessageReader(io.NopCloser(bytes.NewReader(log.Bytes())))
				for {
					m, err := r.Next()
					if errors.Is(err, io.EOF) {
						break
					}
					if err != nil {
						b.Fatal(err)
					}
					if buf, _, err = through.apply(buf[:0], m, testKeys); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
