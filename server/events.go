package server

import (
	"context"
	"net/http"

	"go.etcd.io/bbolt"

	"licensekit/exporter/audit"
)

// listEvents answers with the audit trail, newest first.
func (s *Server) listEvents(w http.ResponseWriter, r *request) error {
	q, err := queryOf(r, "event_type", "resource_type", "resource_id", "actor_type", "cursor", "limit")
	if err != nil {
		return err
	}
	query := audit.Query{
		Type: audit.Type(q.Get("event_type")), ActorType: audit.ActorType(q.Get("actor_type")),
		ResourceType: q.Get("resource_type"), ResourceID: q.Get("resource_id"),
	}
	if err := oneOf("actor_type", query.ActorType, audit.ActorTypes); err != nil {
		return err
	}
	if query.Before, query.Limit, err = pageOf(q); err != nil {
		return err
	}
	page, next, err := s.trail.List(r.Context(), query)
	if err != nil {
		return err
	}
	return s.replyPage(w, r, page, next)
}

// Trail is the audit trail, for those who follow it.
func (s *Server) Trail() *audit.Trail { return s.trail }

// runName is the name under which the end of a server's run is held.
const runName = "server"

// public gives the addresses of those listeners that answer others than the
// owner; nil for none.
func public(listeners []Listener) (addresses []string) {
	for _, l := range listeners {
		if !l.owner {
			addresses = append(addresses, l.Addr().String())
		}
	}
	return addresses
}

// recordStart enters into the audit trail that the server answers others than
// its owner from now on, and gives what enters that it no longer does.
func (s *Server) recordStart(listeners []Listener) (stopped func()) {
	addresses := public(listeners)
	if addresses == nil {
		return func() {}
	}
	ctx := context.Background()
	event := func(what audit.Type) audit.Event {
		return audit.Event{
			Type: what, ResourceType: "server", ResourceID: s.dir.Instance,
			Metadata: audit.Metadata{"version": s.opts.Version, "addresses": addresses},
		}
	}
	tell := func(err error) {
		if err != nil { // a full disk is no reason not to show what is on it
			s.opts.Log.Error("record start and stop", "error", err)
		}
	}
	tell(s.dir.DB.Update(func(tx *bbolt.Tx) error {
		if err := s.trail.Record(ctx, tx, event(audit.ServerStarted)); err != nil {
			return err
		}
		return s.trail.Hold(ctx, tx, runName, event(audit.ServerStopped))
	}))
	return func() { tell(s.trail.SettleAlone(ctx, runName, event(audit.ServerStopped))) }
}
