package electric

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func logOf(body string) *MessageReader {
	return NewMessageReader(io.NopCloser(iotest.OneByteReader(strings.NewReader(body))))
}

func snapshotOf(body string) *SnapshotReader {
	return newSnapshotReader(io.NopCloser(iotest.OneByteReader(strings.NewReader(body))), nil)
}

// readAll reads to the end, and counts the messages.
func readAll(next func() (*Message, error)) (int, error) {
	for n := 0; ; n++ {
		if _, err := next(); errors.Is(err, io.EOF) {
			return n, nil
		} else if err != nil {
			return n, err
		}
	}
}

func TestALogIsReadToItsEnd(t *testing.T) {
	for body, want := range map[string]int{
		`[]`:                 0,
		`[` + upToDate + `]`: 1,
		"[" + insertMessage + " ,\n" + updateMessage + "," + deleteMessage + "," + upToDate + "]\n": 4,
	} {
		if n, err := readAll(logOf(body).Next); err != nil || n != want {
			t.Errorf("%s: %d messages, %v, want %d", body, n, err, want)
		}
	}
}

func TestAPartIsNeverTakenForTheWhole(t *testing.T) {
	log := "[" + insertMessage + "," + upToDate + "]"
	for cut := range len(log) {
		_, err := readAll(logOf(log[:cut]).Next)
		var away *UnavailableError
		if !errors.As(err, &away) {
			t.Fatalf("cut at %d: %v, want an UnavailableError", cut, err)
		}
	}
	snapshot := `{"metadata":{"xmin":"1","xmax":"1","xip_list":[]}, "data": [` + insertMessage + `]}`
	for cut := range len(snapshot) {
		_, err := readAll(snapshotOf(snapshot[:cut]).Next)
		var away *UnavailableError
		if !errors.As(err, &away) {
			t.Fatalf("cut at %d: %v, want an UnavailableError", cut, err)
		}
	}
}

func TestABodyOfAnotherFormIsAProtocolError(t *testing.T) {
	var protocol *ProtocolError
	for _, body := range []string{`{}`, `null`, `[1]`, `["x"]`, `[]]`, `[] []`, `[` + insertMessage + ` ` + upToDate + `]`, `[{]`, `nope`} {
		if n, err := readAll(logOf(body).Next); !errors.As(err, &protocol) {
			t.Errorf("log %s: %d messages, %v", body, n, err)
		}
	}
	for _, body := range []string{`[]`, `{}`, `{"data":[]}`, `{"metadata":{"xmin":"1","xmax":"1","xip_list":[]}}`, `{"metadata":{},"data":[]}`,
		`{"metadata":{"xmin":"1","xmax":"1","xip_list":[]},"data":[` + deleteMessage + `]}`,
		`{"metadata":{"xmin":"1","xmax":"1","xip_list":[]},"data":[` + upToDate + `]}`,
		`{"metadata":{"xmin":"1","xmax":"1","xip_list":[]},"data":[],"data":[]}`, `{"message":"no"}`} {
		if n, err := readAll(snapshotOf(body).Next); !errors.As(err, &protocol) {
			t.Errorf("snapshot %s: %d rows, %v", body, n, err)
		}
	}
}

// A row may be longer than what is read ahead, and comes in pieces.
func TestALongMessageIsReadWhole(t *testing.T) {
	text := strings.Repeat(`long \\\" and longer `, 20_000)
	message := `{"key":"k","value":{"id":"1","text":"` + text + `"},"headers":{"operation":"insert"}}`
	r := NewMessageReader(io.NopCloser(iotest.HalfReader(strings.NewReader("[" + message + "," + insertMessage + "," + message + "]"))))
	for i := range 3 {
		want := message
		if i == 1 {
			want = insertMessage
		}
		if m, err := r.Next(); err != nil || string(m.Raw) != want {
			t.Fatalf("message %d: %v", i, err)
		}
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

func TestASnapshotIsReadWhateverTheOrderOfItsMembers(t *testing.T) {
	const metadata = `{"xip_list":["803"],"xmax":"805","xmin":"804","snapshot_mark":7,"database_lsn":"27"}`
	for _, body := range []string{
		`{"metadata":` + metadata + `, "data": [` + insertMessage + `]}`,
		`{"data":[` + insertMessage + `],"metadata":` + metadata + `}`,
		`{"later":[{}],"data":[` + insertMessage + `],"metadata":` + metadata + `}`,
	} {
		r := snapshotOf(body)
		if n, err := readAll(r.Next); err != nil || n != 1 {
			t.Fatalf("%s: %d rows, %v", body, n, err)
		}
		m := r.Metadata()
		if string(m.Raw) != metadata || string(m.XMin) != `"804"` || string(m.XMax) != `"805"` || string(m.XIPList) != `["803"]` {
			t.Errorf("metadata %s: %s %s %s", m.Raw, m.XMin, m.XMax, m.XIPList)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("[" + insertMessage + "," + upToDate + "]"))
	f.Add([]byte(`{"metadata":{"xmin":"1","xmax":"1","xip_list":[]}, "data": [` + insertMessage + `]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for i, next := range []func() (*Message, error){logOf(string(body)).Next, snapshotOf(string(body)).Next} {
			n, err := readAll(next)
			var all []json.RawMessage
			if i == 0 && err == nil && (json.Unmarshal(blank(body), &all) != nil || len(all) != n) {
				t.Errorf("%d messages of %s", n, body)
			}
			var away *UnavailableError
			var protocol *ProtocolError
			if err != nil && !errors.As(err, &away) && !errors.As(err, &protocol) {
				t.Errorf("an error of no known kind: %v", err)
			}
		}
	})
}
