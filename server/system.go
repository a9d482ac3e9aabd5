package server

import (
	"context"
	"errors"
	"net/http"

	"licensekit/exporter/audit"
	"licensekit/exporter/ledger"
)

// health answers as long as the process does.
func (s *Server) health(w http.ResponseWriter, r *request) error {
	return s.reply(w, r, http.StatusOK, map[string]string{"status": "ok"})
}

// ready answers 200 if the database can be read and the last writes went well.
func (s *Server) ready(w http.ResponseWriter, r *request) error {
	if err := s.Check(); err != nil {
		s.opts.Log.Error("not ready", "error", err)
		s.send(w, r.Request, http.StatusServiceUnavailable, envelope{
			Data: map[string]string{"status": "not_ready", "db": "error"},
		})
		return nil
	}
	return s.reply(w, r, http.StatusOK, map[string]string{"status": "ready", "db": "ok"})
}

// Check tells why the server is not ready, nil if it is.
func (s *Server) Check() error {
	if err := errors.Join(s.tokens.Err(), s.exports.Err()); err != nil {
		return err
	}
	_, err := s.sequence(context.Background())
	return err
}

// sequence is the number of activities in the ledger.
func (s *Server) sequence(ctx context.Context) (n int64, err error) {
	err = s.ledger.View(ctx, func(v *ledger.Snapshot) error {
		n = v.Sequence()
		return nil
	})
	return n, err
}

// publicKeys answers with the keys that signatures are checked with.
func (s *Server) publicKeys(w http.ResponseWriter, r *request) error {
	keys, err := s.exports.PublicKeys()
	if err != nil {
		return err
	}
	return s.reply(w, r, http.StatusOK, keys)
}

// rotateKey replaces the key that signs exports.
func (s *Server) rotateKey(w http.ResponseWriter, r *request) error {
	key, err := s.exports.RotateKey(r.Context())
	if err != nil {
		return err
	}
	s.opts.Log.Info("export key rotated", "request_id", requestID(r.Request), "by", r.caller.id, "key", key.ID())
	return s.publicKeys(w, r)
}

// checkAll walks everything that is kept and answers with what is wrong.
func (s *Server) checkAll(w http.ResponseWriter, r *request) error {
	result, err := s.exports.Check(r.Context())
	if err != nil {
		return err
	}
	err = s.trail.Write(r.Context(), audit.Event{Type: audit.DirectoryChecked, ResourceType: "directory", ResourceID: s.dir.Instance, Metadata: audit.Metadata{
		"ok": result.OK, "problems": len(result.Problems), "blobs": result.Checked.Blobs, "exports": result.Checked.Exports, "log_entries": result.Checked.Entries,
	}})
	if err != nil { // what was found counts more
		s.opts.Log.Error("record a check", "request_id", requestID(r.Request), "error", err)
	}
	return s.reply(w, r, http.StatusOK, result)
}
