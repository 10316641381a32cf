package openapitest

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Transport checks each answer that comes through it: its head at once, its body when it
// has been read to the end, and each event of a stream when it is there. An answer that
// breaks off is not checked further.
type Transport struct {
	File   *File
	At     Address
	Next   http.RoundTripper
	Report func(error) // takes what the file does not allow

	// Note takes the name of each answer, as File.Answers has it, and its headers; nil: nobody.
	Note func(answer string, header http.Header)
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.Next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	a, err := t.File.answer(t.At, r.Method, r.URL.Path, resp.StatusCode)
	if err != nil {
		t.Report(err)
		return resp, nil
	}
	media, err := a.media(resp.Header)
	all := []error{err, a.checkHeaders(resp.Header)}
	if a.operation != nil && resp.StatusCode < http.StatusMultipleChoices {
		all = append(all, a.checkRequest(r))
	}
	report := func(err error) {
		if err != nil {
			t.Report(fmt.Errorf("%s: %w", a.name, err))
		}
	}
	report(errors.Join(all...))
	if t.Note != nil {
		t.Note(noted(a, r.Method, media), resp.Header)
	}
	if media != "" && r.Method != http.MethodHead {
		resp.Body = &body{ReadCloser: resp.Body, report: report, take: a.taker(media, resp.Header)}
	}
	return resp, nil
}

func noted(a *answer, method, media string) string {
	if media == "" || method == http.MethodHead {
		return a.name
	}
	return a.name + " " + media
}

// body is the body of an answer that is checked while it is read.
type body struct {
	io.ReadCloser
	report func(error)
	take   func(part []byte, end bool) error
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.take != nil {
		wrong := b.take(p[:n], errors.Is(err, io.EOF))
		b.report(wrong)
		if wrong != nil || err != nil {
			b.take = nil
		}
	}
	return n, err
}

// taker returns a function that takes the parts of a body.
func (a *answer) taker(media string, h http.Header) func(part []byte, end bool) error {
	var buf bytes.Buffer
	switch media {
	case "text/event-stream":
		return func(part []byte, _ bool) error {
			buf.Write(part)
			return a.file.checkEvents(&buf)
		}
	case "application/json":
		return func(part []byte, end bool) error {
			buf.Write(part)
			if !end {
				return nil
			}
			if h.Get("Content-Encoding") != "gzip" {
				return a.file.checkJSON(a.schemaOf(media), &buf)
			}
			plain, err := gzip.NewReader(&buf)
			if err != nil {
				return err
			}
			return a.file.checkJSON(a.schemaOf(media), plain)
		}
	}
	return nil
}

// messageOfEvent is the schema of what is in an event of a stream. OpenAPI 3.1 has no place
// for it but a description.
const messageOfEvent = "#/components/schemas/Message"

// checkEvents takes the whole events out of a buffer, and checks each.
func (f *File) checkEvents(buf *bytes.Buffer) error {
	for {
		event, _, whole := bytes.Cut(buf.Bytes(), []byte("\n\n"))
		if !whole {
			return nil
		}
		data, isData := bytes.CutPrefix(event, []byte("data: "))
		switch {
		case isData:
			if err := f.checkJSON(messageOfEvent, bytes.NewReader(data)); err != nil {
				return fmt.Errorf("the event %s: %w", data, err)
			}
		case !bytes.HasPrefix(event, []byte(":")):
			return fmt.Errorf("%q is neither an event nor a comment", event)
		}
		buf.Next(len(event) + 2)
	}
}

// checkJSON checks a text in JSON.
func (f *File) checkJSON(pointer string, text io.Reader) error {
	value, err := jsonschema.UnmarshalJSON(text)
	if err != nil {
		return err
	}
	return f.check(pointer, value)
}

func (f *File) check(pointer string, value any) error {
	s, err := f.schema(pointer)
	if err != nil {
		return err
	}
	return s.Validate(value)
}
