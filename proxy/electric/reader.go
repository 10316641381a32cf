package electric

import (
	"bytes"
	"io"
)

// MessageReader reads the messages of an answer of a log one by one. Its memory is that
// of the largest message, whatever the length of the answer.
type MessageReader struct {
	body    io.ReadCloser
	text    source
	msg     Message
	scanner messageScanner
	odd     []byte // a message whose keys were respelled
	opened  bool
	first   bool
	done    bool
}

// NewMessageReader returns a reader of the messages of a log, for any table: it does not
// rewrite keys. Close closes body.
func NewMessageReader(body io.ReadCloser) *MessageReader { return newMessageReader(body, nil) }

func newMessageReader(body io.ReadCloser, keys *spelling) *MessageReader {
	return &MessageReader{body: body, text: source{body: body}, scanner: messageScanner{spelling: keys}, first: true}
}

// Next returns the next message, or io.EOF after the last one. The message is valid
// until the next call. Any other error means that the answer is incomplete: an
// *UnavailableError if the connection broke, a *ProtocolError if the body is not that of
// a log.
func (r *MessageReader) Next() (*Message, error) {
	if r.done {
		return nil, io.EOF
	}
	if !r.opened {
		if err := r.text.take('['); err != nil {
			return nil, err
		}
		r.opened = true
	}
	more, err := r.text.next(&r.first, ']')
	if err != nil {
		return nil, err
	}
	if !more {
		r.done = true
		return nil, r.text.end()
	}
	err = r.text.message(&r.msg, &r.scanner)
	if err == nil && r.scanner.odd {
		r.odd, err = r.scanner.respell(&r.msg, r.odd)
	}
	if err != nil {
		return nil, err
	}
	return &r.msg, nil
}

// Close ends the request, whether or not all messages were read.
func (r *MessageReader) Close() error { return closeBody(r.body, r.done) }

// Metadata is the metadata of a snapshot.
type Metadata struct {
	Raw []byte // the JSON object, as Electric wrote it

	// The members that a snapshot-end message repeats (recordings 01 and 06).
	XMin, XMax, XIPList []byte

	DatabaseLSN []byte // nil if Electric did not name it
}

// SnapshotReader reads the rows of a subset one by one. Each is a message with the
// operation Insert.
type SnapshotReader struct {
	body     io.ReadCloser
	text     source
	msg      Message
	scanner  rowScanner
	odd      []byte // a row whose key was respelled
	metadata *Metadata
	opened   bool
	members  bool // no member of the answer has been read
	rows     bool // no row has been read
	inData   bool
	sawData  bool
	done     bool
}

func newSnapshotReader(body io.ReadCloser, keys *spelling) *SnapshotReader {
	r := &SnapshotReader{body: body, text: source{body: body}, members: true, rows: true}
	r.scanner.spelling = keys
	return r
}

// Metadata returns the metadata of the snapshot, or nil if it has not been read yet.
// After Next has returned io.EOF it is not nil. Electric writes it before the rows.
func (r *SnapshotReader) Metadata() *Metadata { return r.metadata }

// Next is like MessageReader.Next.
func (r *SnapshotReader) Next() (*Message, error) {
	if r.done {
		return nil, io.EOF
	}
	if !r.opened {
		if err := r.text.take('{'); err != nil {
			return nil, err
		}
		r.opened = true
	}
	for {
		if r.inData {
			switch more, err := r.text.next(&r.rows, ']'); {
			case err != nil:
				return nil, err
			case more:
				return r.row()
			}
			r.inData = false
		}
		more, err := r.text.next(&r.members, '}')
		if err == nil && more {
			err = r.member()
		}
		if err != nil {
			return nil, err
		}
		if !more {
			return nil, r.end()
		}
	}
}

func (r *SnapshotReader) row() (*Message, error) {
	err := r.text.message(&r.msg, &r.scanner)
	if err == nil && r.scanner.odd {
		r.odd, err = r.scanner.respell(&r.msg, r.odd)
	}
	if err != nil {
		return nil, err
	}
	if r.msg.Operation != Insert {
		return nil, protocolErrorf("a snapshot holds a message that is no insert")
	}
	return &r.msg, nil
}

// end checks that the answer was complete, and returns io.EOF.
func (r *SnapshotReader) end() error {
	if r.metadata == nil || !r.sawData {
		return protocolErrorf("a snapshot without metadata or data")
	}
	r.done = true
	return r.text.end()
}

// member reads one member of the answer. Of data it reads the opening bracket only.
func (r *SnapshotReader) member() error {
	name, err := r.text.name()
	if err != nil {
		return err
	}
	switch name {
	case "data":
		if r.sawData {
			return protocolErrorf("a snapshot with data twice")
		}
		r.inData, r.sawData = true, true
		return r.text.take('[')
	case "metadata":
		value, err := r.text.value()
		if err != nil {
			return err
		}
		r.metadata = parseMetadata(bytes.Clone(value))
		if r.metadata == nil {
			return protocolErrorf("a snapshot's metadata lacks xmin, xmax or xip_list")
		}
		return nil
	default:
		_, err := r.text.value()
		return err
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
		case stringIs(f.name, "database_lsn"):
			m.DatabaseLSN = f.value
		}
		return true
	})
	if m.XMin == nil || m.XMax == nil || m.XIPList == nil {
		return nil
	}
	return m
}

func closeBody(body io.ReadCloser, read bool) error {
	if read {
		drain(body)
		return nil
	}
	return body.Close()
}
