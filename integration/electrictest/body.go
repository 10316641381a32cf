package electrictest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

const jsonType = "application/json; charset=utf-8"

// decodeBody reads the JSON object of a POST body; an empty body is an empty one.
func decodeBody(w http.ResponseWriter, body []byte) (map[string]any, bool) {
	if len(body) == 0 {
		return nil, true
	}
	v, err := decodeJSON(body)
	if err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{
			"error":   "Invalid JSON in request body",
			"details": jsonErrorText(body, err),
		})
		return nil, false
	}
	fields, ok := v.(map[string]any)
	if !ok {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": "Request body must be a JSON object"})
	}
	return fields, ok
}

// decodeJSON decodes one document, with its numbers as they are spelt.
func decodeJSON(text []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("text after the document")
	}
	return v, nil
}

func jsonErrorText(body []byte, err error) string {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) && syntax.Offset > 0 && int(syntax.Offset) <= len(body) {
		at := syntax.Offset - 1
		return fmt.Sprintf("unexpected byte at position %d: 0x%02X (%q)", at, body[at], string(body[at]))
	}
	return fmt.Sprintf("unexpected end of input at position %d", len(body))
}

// writeJSON sends a short answer with its length.
func writeJSON(w http.ResponseWriter, status int, v any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // what the package sends always encodes
	}
	writeBody(w, status, bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

func writeBody(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", jsonType)
	h.Set("Vary", "accept-encoding")
	h.Set("Content-Length", fmt.Sprint(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone needs no answer
}
