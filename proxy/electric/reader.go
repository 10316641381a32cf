package electric

import (
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// MessageReader reads the messages of a log answer one by one. Its memory is that
// of the largest message, whatever the length of the answer.
type MessageReader struct {
	body    io.ReadCloser
	dec     *jsontext.Decoder
	msg     Message
	headers insertHeaders
	opened  bool
	done    bool
}

// NewMessageReader reads the messages of a log from body, and closes it.
func NewMessageReader(body io.ReadCloser) *MessageReader {
	return &MessageReader{body: body, dec: newDecoder(body)}
}

func newDecoder(r io.Reader) *jsontext.Decoder {
	// Electric's answers hold what Postgres holds: any text that JSON can spell.
	return jsontext.NewDecoder(r, jsontext.AllowDuplicateNames(true))
}

// Next returns the next message, or io.EOF after the last one. The message holds
// until the next call. Any other error means that what was read is not all there
// is: an *UnavailableError where the connection broke, a *ProtocolError where
// Electric sent what no log holds.
func (r *MessageReader) Next() (*Message, error) {
	if r.done {
		return nil, io.EOF
	}
	if !r.opened {
		if err := expect(r.dec, '['); err != nil {
			return nil, err
		}
		r.opened = true
	}
	if r.dec.PeekKind() == ']' {
		r.done = true
		return nil, closeDocument(r.dec, ']')
	}
	return nextMessage(r.dec, &r.msg, &r.headers)
}

// Close ends the request, whether or not all messages were read.
func (r *MessageReader) Close() error { return closeBody(r.body, r.done) }

// Metadata is the metadata of a snapshot.
type Metadata struct {
	Raw []byte // the JSON object, as Electric wrote it

	// What of it a snapshot-end message repeats (recordings 01 and 06).
	XMin, XMax, XIPList []byte
}

// SnapshotReader reads the rows of a subset answer one by one, as messages that
// insert them.
type SnapshotReader struct {
	body     io.ReadCloser
	dec      *jsontext.Decoder
	msg      Message
	headers  insertHeaders
	metadata *Metadata
	inData   bool
	sawData  bool
	opened   bool
	done     bool
}

func newSnapshotReader(body io.ReadCloser) *SnapshotReader {
	return &SnapshotReader{body: body, dec: newDecoder(body)}
}

// Metadata returns the snapshot's metadata, or nil if it was not read yet. It is
// never nil once Next has returned io.EOF. Electric writes it before the rows.
func (r *SnapshotReader) Metadata() *Metadata { return r.metadata }

// Next is as MessageReader.Next.
func (r *SnapshotReader) Next() (*Message, error) {
	for {
		switch {
		case r.done:
			return nil, io.EOF
		case !r.opened:
			if err := expect(r.dec, '{'); err != nil {
				return nil, err
			}
			r.opened = true
		case r.inData && r.dec.PeekKind() == ']':
			if err := expect(r.dec, ']'); err != nil {
				return nil, err
			}
			r.inData = false
		case r.inData:
			msg, err := nextMessage(r.dec, &r.msg, &r.headers)
			if err == nil && msg.Operation != Insert {
				return nil, protocolErrorf("a snapshot holds a message that is no insert")
			}
			return msg, err
		case r.dec.PeekKind() == '}':
			if r.metadata == nil || !r.sawData {
				return nil, protocolErrorf("a snapshot without metadata or data")
			}
			r.done = true
			return nil, closeDocument(r.dec, '}')
		default:
			if err := r.member(); err != nil {
				return nil, err
			}
		}
	}
}

// member reads one member of the answer's object, and of data only its start.
func (r *SnapshotReader) member() error {
	name, err := r.dec.ReadToken()
	if err != nil {
		return readError(err)
	}
	switch name.String() {
	case "data":
		if r.sawData {
			return protocolErrorf("a snapshot with data twice")
		}
		r.inData, r.sawData = true, true
		return expect(r.dec, '[')
	case "metadata":
		value, err := r.dec.ReadValue()
		if err != nil {
			return readError(err)
		}
		r.metadata = parseMetadata(value.Clone())
		if r.metadata == nil {
			return protocolErrorf("a snapshot's metadata lacks xmin, xmax or xip_list")
		}
		return nil
	default:
		return readError(r.dec.SkipValue())
	}
}

// Close ends the request, whether or not all rows were read.
func (r *SnapshotReader) Close() error { return closeBody(r.body, r.done) }

func parseMetadata(raw []byte) *Metadata {
	m := &Metadata{Raw: raw}
	members(raw, func(f member) bool {
		switch {
		case stringIs(f.name, "xmin"):
			m.XMin = f.value
		case stringIs(f.name, "xmax"):
			m.XMax = f.value
		case stringIs(f.name, "xip_list"):
			m.XIPList = f.value
		}
		return true
	})
	if m.XMin == nil || m.XMax == nil || m.XIPList == nil {
		return nil
	}
	return m
}

func nextMessage(dec *jsontext.Decoder, msg *Message, headers *insertHeaders) (*Message, error) {
	raw, err := dec.ReadValue()
	if err != nil {
		return nil, readError(err)
	}
	if raw.Kind() != '{' {
		return nil, protocolErrorf("a message is not an object")
	}
	if *msg, err = headers.parseMessage(raw); err != nil {
		return nil, err
	}
	return msg, nil
}

func expect(dec *jsontext.Decoder, kind jsontext.Kind) error {
	t, err := dec.ReadToken()
	if err != nil {
		return readError(err)
	}
	if t.Kind() != kind {
		return protocolErrorf("a body is not of the form that its headers promise")
	}
	return nil
}

// closeDocument reads the closing token and makes sure that nothing follows. It
// returns io.EOF where all is well.
func closeDocument(dec *jsontext.Decoder, kind jsontext.Kind) error {
	if err := expect(dec, kind); err != nil {
		return err
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		if err == nil {
			return protocolErrorf("a body goes on after its end")
		}
		return readError(err)
	}
	return io.EOF
}

// readError sorts what can go wrong while a body is read.
func readError(err error) error {
	var syntactic *jsontext.SyntacticError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &UnavailableError{Err: io.ErrUnexpectedEOF}
	case errors.As(err, &syntactic):
		return protocolErrorf("a body is not valid JSON")
	default:
		return &UnavailableError{Err: err}
	}
}

func closeBody(body io.ReadCloser, read bool) error {
	if read {
		drain(body)
		return nil
	}
	return body.Close()
}
