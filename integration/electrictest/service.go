package electrictest

import (
	"crypto/rand"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
)

// service answers requests, by whichever front they came.
type service struct {
	opts      Options
	db        *Database
	requests  *Requests
	intercept atomic.Pointer[func(*http.Request, []byte) error]
	closing   chan struct{} // closed by Server.Close
}

// Electric's limits, in bytes (recordings 07 and 09).
const (
	maxRequestLine = 10_000
	maxBody        = 8_000_000
)

// plugCache is what Electric's web framework says where Electric says nothing.
const plugCache = "max-age=0, private, must-revalidate"

// serve answers a request to a front, which shows the logs as far as its lag.
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
