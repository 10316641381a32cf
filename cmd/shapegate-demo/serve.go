package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/integration/backend"
	"github.com/shapegate/shapegate/integration/demoapp"
	"github.com/shapegate/shapegate/schema"
	"github.com/shapegate/shapegate/schema/demo"
)

const (
	headerTime = 10 * time.Second
	// idleTime is longer than a proxy in front keeps a connection that nobody uses.
	idleTime = 10 * time.Minute
	grace    = 5 * time.Second
)

// serve serves the page and its backend until ctx ends.
func serve(ctx context.Context, s settings, logs io.Writer) (err error) {
	if err := require(s.values(), "DATABASE_URL", "ELECTRIC_URL", "SPICEDB_ENDPOINT", "SPICEDB_TOKEN", "REDIS_URL", "SHAPEGATE_JWT_SECRET"); err != nil {
		return err
	}
	logger := slog.New(slog.NewJSONHandler(logs, nil))
	shapes, err := loadShapes(s.shapes)
	if err != nil {
		return fmt.Errorf("SHAPEGATE_SHAPES: %w", err)
	}
	rows, err := backend.OpenPostgres(ctx, s.databaseURL)
	if err != nil {
		return err
	}
	defer rows.Close()
	client, err := spicedb.Dial(s.spicedb)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	app, err := demoapp.New(ctx, demoapp.Config{
		Shapes: shapes, SpiceDB: client, Electric: s.electric, RedisURL: s.redisURL,
		Rows: rows, People: demo.People(), Secret: []byte(s.jwtSecret), Logger: logger,
	}, http.HandlerFunc(nowhere))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, app.Close()) }()
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", s.listen)
	if err != nil {
		return fmt.Errorf("DEMO_LISTEN: %w", err)
	}
	logger.Info("serving the demo", "listen", l.Addr().String(), "page", s.url)
	return listen(ctx, l, app)
}

// listen answers requests, and has the backend repair what they leave behind, until ctx ends.
func listen(ctx context.Context, l net.Listener, app *demoapp.App) error {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		app.Run(ctx)
	}()
	defer func() { cancel(); <-ended }()
	server := &http.Server{Handler: app, ReadHeaderTimeout: headerTime, IdleTimeout: idleTime}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	bounded, done := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer done()
	return server.Shutdown(bounded)
}

func loadShapes(file string) (schema.File, error) {
	if file == "" {
		return schema.Parse("shapes.yaml", []byte(demo.Shapes))
	}
	return schema.Load(file)
}

// nowhere answers what the proxy in front should have sent to shapegate.
func nowhere(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "nothing is here: the page is at /, and shapes are at shapegate's address", http.StatusNotFound)
}

const readyTime = 3 * time.Second

// ready asks the demo of this machine whether it answers.
func ready(ctx context.Context, s settings, out io.Writer) error {
	_, port, err := net.SplitHostPort(s.listen)
	if err != nil {
		return fmt.Errorf("DEMO_LISTEN: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort("localhost", port)+"/demo/people", http.NoBody)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{}} // no proxy of the environment
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	if err := response.Body.Close(); err != nil || response.StatusCode != http.StatusOK {
		return errors.Join(fmt.Errorf("not ready (status %d)", response.StatusCode), err)
	}
	_, err = fmt.Fprintln(out, "ready")
	return err
}
