package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/shapegate/shapegate/authz/spicedb"
)

// examineSpiceDB says which SpiceDB there is, and what of it would be better otherwise.
func examineSpiceDB(r *report, client *spicedb.Client) error {
	server, err := readServer(r.cmd.Context(), client)
	if err != nil {
		return err
	}
	r.cmd.Println(server.String())
	for _, hint := range server.hints() {
		r.hint(hint)
	}
	return nil
}

// spicedbServer is what matters of a SpiceDB server, besides what shapes name.
type spicedbServer struct {
	version   string // empty: it does not say
	heartbeat bool   // heartbeats can be written under its schema
	canary    bool   // the definition is there, whatever is in it
	refusal   string // why it cannot be watched; empty: it can
}

func readServer(ctx context.Context, client *spicedb.Client) (s spicedbServer, err error) {
	if s.version, err = client.ServerVersion(ctx); err != nil {
		return s, err
	}
	if _, s.heartbeat, err = client.Head(ctx); err != nil {
		return s, err
	}
	if s.refusal, err = client.WatchRefusal(ctx); err != nil {
		return s, err
	}
	definitions, err := client.Reflect(ctx)
	s.canary = slices.ContainsFunc(definitions, func(d spicedb.Definition) bool { return d.Name == spicedb.HeartbeatDefinition })
	return s, err
}

func (s spicedbServer) String() string {
	version, heartbeat := "SpiceDB of an unknown version", "without the heartbeat's definition"
	if s.version != "" {
		version = "SpiceDB " + s.version
	}
	if s.heartbeat {
		heartbeat = "with the heartbeat's definition"
	}
	return version + ", " + heartbeat
}

func (s spicedbServer) hints() (hints []string) {
	if text := spicedb.OldVersion(s.version); text != "" {
		hints = append(hints, text)
	}
	if s.version == "" {
		hints = append(hints, fmt.Sprintf("SpiceDB does not say its version (--disable-version-response): see to it that it is %s or newer", spicedb.SafeVersion))
	}
	if s.refusal != "" {
		hints = append(hints, "SpiceDB cannot be watched, so that every decision asks it, and a change shows when a wait ends: on Postgres set track_commit_timestamp=on and restart Postgres, and start SpiceDB without --datastore-disable-watch-support. SpiceDB says: "+s.refusal)
	}
	switch {
	case s.heartbeat:
	case s.canary:
		hints = append(hints, "the definition "+spicedb.HeartbeatDefinition+" lacks the relation that heartbeats are written to, so that a watch which falls silent is noticed late. Make it:\n"+spicedb.HeartbeatSchema)
	default:
		hints = append(hints, "SpiceDB's schema has no definition "+spicedb.HeartbeatDefinition+", so that a watch which falls silent is noticed late. Add it, unless shapegate may not write to SpiceDB:\n"+spicedb.HeartbeatSchema)
	}
	return hints
}
