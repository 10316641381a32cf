package electrictest

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
)

// Electric's limits, in bytes (recordings 07 and 09).
const (
	maxRequestLine = 10_000
	maxBody        = 8_000_000
)

const (
	jsonType = "application/json; charset=utf-8"

	// plugCache is what Electric's web framework says where Electric says nothing.
	plugCache = "max-age=0, private, must-revalidate"

	exposed = "electric-cursor,electric-handle,electric-has-data,electric-offset,electric-schema," +
		"electric-up-to-date,electric-internal-known-error,retry-after"
)

// service answers requests, by whichever front they came.
type service struct {
	opts      Options
	db        *Database
	requests  *Requests
	intercept atomic.Pointer[func(*http.Request, []byte) error]
	closing   chan struct{} // closed by Server.Close
}

// serve answers a request whose front lags.
func (s *service) serve(w http.ResponseWriter, r *http.Request, lag *lag) {
	if len(r.Method)+len(r.RequestURI)+len(r.Proto)+2 > maxRequestLine {
		w.Header().Set("Connection", "close")
		w.Header().Set("Transfer-Encoding", "identity") // neither a length nor chunks
		w.WriteHeader(http.StatusRequestURITooLong)
		return
	}
	h := w.Header()
	h.Set("X-Request-Id", requestID())
	h.Set("Electric-Server", "ElectricSQL/1.7.12")
	get := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch path := normalPath(r.URL.Path); {
	case path == "/v1/shape" && (get || r.Method == http.MethodPost):
		s.serveShape(w, r, lag)
	case path == "/v1/shape" && r.Method == http.MethodDelete:
		s.refuseDelete(w, r)
	case path == "/v1/shape" && r.Method == http.MethodOptions:
		preflight(w, r)
	case path == "/v1/health" && get:
		cors(h, r, "GET, HEAD")
		h.Set("Cache-Control", "no-cache, no-store, must-revalidate")
		writeJSON(w, http.StatusOK, map[string]string{"status": "active"})
	case path == "/" && get:
		cors(h, r, "GET, HEAD")
		h.Set("Cache-Control", plugCache)
		w.WriteHeader(http.StatusOK)
	default:
		cors(h, r, "GET, HEAD")
		h.Set("Cache-Control", plugCache)
		h["Content-Type"] = nil // Electric sends none
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, "Not found")
	}
}

// normalPath joins the parts of a path as Electric's router sees them: decoded,
// without empty ones.
func normalPath(path string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(path, "/") {
		if part != "" {
			b.WriteString("/" + part)
		}
	}
	if b.Len() == 0 {
		return "/"
	}
	return b.String()
}

func requestID() string {
	var b [15]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.URLEncoding.EncodeToString(b[:])
}

func cors(h http.Header, r *http.Request, methods string) {
	origin := r.Header.Get("Origin")
	if origin == "" {
		origin = "*"
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", exposed)
	h.Set("Access-Control-Allow-Methods", methods)
}

const shapeMethods = "GET, POST, HEAD, DELETE, OPTIONS"

func preflight(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	cors(h, r, shapeMethods)
	h.Set("Access-Control-Max-Age", "86400")
	var allowed []string
	for _, name := range r.Header.Values("Access-Control-Request-Headers") {
		if lower := strings.ToLower(name); lower == "if-none-match" || lower == "traceparent" {
			allowed = append(allowed, name)
		}
	}
	if allowed != nil {
		h.Set("Access-Control-Allow-Headers", strings.Join(allowed, ","))
	}
	h.Set("Connection", "keep-alive")
	w.WriteHeader(http.StatusNoContent)
}

func (s *service) refuseDelete(w http.ResponseWriter, r *http.Request) {
	query, err := decodeQuery(r.URL.RawQuery)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if !s.authenticated(w, query) {
		return
	}
	cors(w.Header(), r, shapeMethods)
	w.Header().Set("Cache-Control", "no-cache")
	writeJSON(w, http.StatusMethodNotAllowed, map[string]string{"message": "DELETE not allowed"})
}

// authenticated checks the secret, and answers where it is wrong.
func (s *service) authenticated(w http.ResponseWriter, query map[string]any) bool {
	secret := query["secret"]
	if secret == nil {
		secret = query["api_secret"]
	}
	if s.opts.Secret == "" || secret == s.opts.Secret {
		return true
	}
	h := w.Header()
	h.Set("Cache-Control", plugCache)
	h["Content-Type"] = nil // Electric sends none
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = io.WriteString(w, `{"message":"Unauthorized - Invalid API secret"}`)
	return false
}

// serveShape answers a GET, HEAD or POST of /v1/shape.
func (s *service) serveShape(w http.ResponseWriter, r *http.Request, lag *lag) {
	var body []byte
	var tooLarge bool
	if r.Method == http.MethodPost {
		var err error
		body, err = io.ReadAll(io.LimitReader(r.Body, maxBody+1))
		if err != nil {
			panic(http.ErrAbortHandler) // the client has gone
		}
		tooLarge = len(body) > maxBody
	}
	s.requests.arrived()
	if f := s.intercept.Load(); f != nil {
		if w = fail(w, (*f)(r, body)); w == nil {
			return
		}
	}
	query, err := decodeQuery(r.URL.RawQuery)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if !s.authenticated(w, query) {
		return
	}
	cors(w.Header(), r, shapeMethods)
	w.Header().Set("Cache-Control", plugCache)
	if tooLarge {
		writeJSON(w, http.StatusRequestEntityTooLarge, map[string]string{"error": "Request body too large"})
		return
	}
	fields, ok := decodeBody(w, body)
	if !ok {
		return
	}
	cursor, _ := query["cursor"].(string)
	s.answer(&exchange{w: w, r: r, cursor: cursor}, lag, mergeParams(query, fields))
}

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
