package proxy

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/rs/cors"
)

// routes builds the handler of all requests. There are no paths of sessions where sessions
// is nil, and none of the gatekeeper where that is.
func (m *middleware) routes(shapes *shapeServer, grants *grantsServer, sessions *sessionServer, keeper *gatekeeper) http.Handler {
	e := m.router(shapes, grants, sessions, keeper)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { e.ServeHTTP(w, m.front.received(r)) })
}

// tablePath is where the query names the shape, and shapesPath what its name is behind.
const (
	tablePath  = "/v1/shape"
	shapesPath = "/v1/shapes/"
)

// router is the one place where paths stand. openapi.yaml describes each.
func (m *middleware) router(shapes *shapeServer, grants *grantsServer, sessions *sessionServer, keeper *gatekeeper) *gin.Engine {
	e := m.newEngine()
	named := m.answer(func(c *gin.Context) error { return shapes.serve(c, c.Param("name")) })
	byTable := m.answer(func(c *gin.Context) error { return shapes.serve(c, c.Query("table")) })
	// The server leaves the body out of an answer to HEAD.
	reads := []string{http.MethodGet, http.MethodHead, http.MethodPost}
	e.Match(reads, shapesPath+":name", named)
	e.Match(reads, tablePath, byTable)
	e.Match(reads, grantsPath+":name", m.answer(func(c *gin.Context) error { return grants.serve(c, c.Param("name")) }))
	if sessions != nil {
		e.POST("/v1/session", m.answer(sessions.create))
		e.Match([]string{http.MethodGet, http.MethodHead}, "/v1/session", m.answer(sessions.show))
		e.DELETE("/v1/session", m.answer(sessions.delete))
	}
	if keeper != nil {
		e.POST(gatekeeperPath+":name", m.answer(keeper.serve))
		e.Match([]string{http.MethodGet, http.MethodHead}, "/.well-known/jwks.json", m.answer(keeper.keys))
	}
	allowed := make(map[string][]string) // methods, by path
	for _, r := range e.Routes() {
		allowed[r.Path] = append(allowed[r.Path], r.Method)
	}
	for path, methods := range allowed {
		methods = append(methods, http.MethodOptions)
		slices.Sort(methods)
		e.OPTIONS(path, func(c *gin.Context) {
			c.Header("Allow", strings.Join(methods, ", "))
			c.Status(http.StatusNoContent)
		})
	}
	return e
}

// newEngine returns a router without paths.
func (m *middleware) newEngine() *gin.Engine {
	// Gin has one mode for the whole process, and its debug mode prints to
	// standard output what is not for a library to print.
	if gin.Mode() == gin.DebugMode {
		gin.SetMode(gin.ReleaseMode)
	}
	e := gin.New()
	e.HandleMethodNotAllowed = true
	// A path is what it is: nothing is redirected to something similar.
	e.RedirectTrailingSlash = false
	e.RedirectFixedPath = false
	e.ForwardedByClientIP = false

	e.Use(m.observe, m.common, boundBody)
	e.NoRoute(m.answer(m.nowhere))
	e.NoMethod(m.answer(func(*gin.Context) error { return &problem{kind: methodNotAllowed, message: "no such method here"} }))
	return e
}

// nowhere answers a path that nothing is at. Whoever opens the address itself in a browser
// is told where to look.
func (m *middleware) nowhere(c *gin.Context) error {
	p := &problem{kind: notFound, message: "no such path"}
	switch path := c.Request.URL.Path; {
	case path == "/":
		p.message = "shapegate has no page: shapes are at " + m.front.BasePath + "/v1/shapes/<name>, collections of grants at " + m.front.BasePath + "/v1/grants/<name>, and /readyz and /metrics at its admin address"
	case strings.HasPrefix(path, gatekeeperPath) && !strings.Contains(path[len(gatekeeperPath):], "/"):
		p.message = "the gatekeeper is not configured: its operator sets SHAPEGATE_GATEKEEPER_KEY_FILE"
	}
	return p
}

// middleware is what every request passes, whatever it is for.
type middleware struct {
	cors    *cors.Cors
	vary    string
	front   Front
	metrics *metrics
	names   map[string]bool // of definitions: those that may stand in the log
	log     *slog.Logger
}

// common sets the headers of every answer: no cache may keep it for another person.
func (m *middleware) common(c *gin.Context) {
	if c.Request.Header.Get("Origin") != "" { // else it is no request of CORS
		m.cors.HandlerFunc(c.Writer, c.Request)
	}
	m.neverCached(c.Writer.Header())
	// A deadline that an earlier answer on this connection left behind.
	_ = http.NewResponseController(c.Writer).SetWriteDeadline(time.Time{})
}

// neverCached sets the headers that keep an answer out of every shared cache.
func (m *middleware) neverCached(head http.Header) {
	head.Set("Cache-Control", "private, no-store")
	head.Set("Vary", m.vary)
	head.Set("X-Content-Type-Options", "nosniff")
}

// observe counts and logs the request, once it is answered.
func (m *middleware) observe(c *gin.Context) {
	start := time.Now()
	defer func() {
		route := c.FullPath()
		if route == "" {
			route = "none"
		}
		status := strconv.Itoa(c.Writer.Status())
		m.metrics.requests.WithLabelValues(route, knownMethod(c.Request.Method), status).Inc()
		m.log.LogAttrs(c.Request.Context(), slog.LevelDebug, "request",
			slog.String("route", route), slog.String("method", knownMethod(c.Request.Method)),
			slog.String("status", status), slog.String("ip", clientIP(c.Request)), slog.Duration("took", time.Since(start)))
	}()
	c.Next()
}

// knownMethod keeps what clients make up out of labels and logs.
func knownMethod(m string) string {
	switch m {
	case http.MethodGet, http.MethodPost, http.MethodDelete, http.MethodOptions, http.MethodHead, http.MethodPut, http.MethodPatch:
		return m
	}
	return "other"
}

// answer returns a handler that has do answer the request. If do returns an error, that is
// the answer.
func (m *middleware) answer(do func(*gin.Context) error) gin.HandlerFunc {
	return func(c *gin.Context) {
		defer m.recover(c)
		if err := do(c); err != nil {
			m.fail(c, err)
		}
	}
}

// recover answers a panic with 500. An abort is meant to cut the connection, and
// passes. It is deferred.
func (m *middleware) recover(c *gin.Context) {
	v := recover()
	if v == nil {
		return
	}
	if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(http.ErrAbortHandler)
	}
	m.log.Error("panic", "value", v, "stack", string(debug.Stack()))
	if c.Writer.Written() {
		panic(http.ErrAbortHandler)
	}
	m.fail(c, &problem{kind: internal, message: "internal error"})
}

// fail answers a request that could not be served, or cuts its connection where
// the answer had begun.
func (m *middleware) fail(c *gin.Context, err error) {
	if c.Request.Context().Err() != nil && !bodyOf(c).isFailed() {
		// The client is gone, or the server gave up. In the second case the headers may
		// be out, and a body that just ends would pass for the whole answer.
		panic(http.ErrAbortHandler)
	}
	p := m.count(c.Request.Context(), c.FullPath(), m.shapeOf(c), clientIP(c.Request), err)
	if c.Writer.Written() {
		panic(http.ErrAbortHandler)
	}
	head := c.Writer.Header()
	for _, name := range []string{"Content-Encoding", "Content-Length", "Electric-Handle", "Electric-Offset", "Electric-Schema", "Electric-Cursor", "Electric-Up-To-Date", "Electric-Has-Data", "Electric-Snapshot"} {
		head.Del(name)
	}
	p.setHeader(head)
	bodyOf(c).abandon()
	c.AbortWithStatusJSON(p.status(), p.body())
}

// shapeOf returns the name of the shape that a request is for, empty if there is none.
// What a client makes up is not logged.
func (m *middleware) shapeOf(c *gin.Context) string {
	name := c.Param("name")
	if c.FullPath() == tablePath {
		name = c.Query("table")
	}
	if !m.names[name] {
		return ""
	}
	return name
}

// count counts and logs a request that could not be served, and returns its problem.
func (m *middleware) count(ctx context.Context, route, shape, ip string, err error) *problem {
	p := problemOf(err)
	level := slog.LevelDebug
	if p.status() >= http.StatusInternalServerError || errors.Is(err, errAborted) {
		level = slog.LevelError
	}
	m.log.LogAttrs(ctx, level, "request failed",
		slog.String("route", route), slog.String("shape", shape), slog.String("kind", string(p.kind)),
		slog.String("field", p.field), slog.String("ip", ip), slog.Any("cause", err))
	m.metrics.errors.WithLabelValues(shape, string(p.kind)).Inc()
	return p
}
