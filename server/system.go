package server

import (
	"context"
	"net/http"

	"licensekit/exporter/audit"
	"licensekit/exporter/ledger"
)

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
