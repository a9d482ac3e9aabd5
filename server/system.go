package server

import (
	"context"
	"net/http"
	"strings"
	"time"

	"licensekit/exporter"
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

// tellEvery is how often a check tells how far it has come.
const tellEvery = 250 * time.Millisecond

// checkAll walks everything that is kept and answers with what is wrong; as a
// stream it tells how far it has come, and the result in the last line.
func (s *Server) checkAll(w http.ResponseWriter, r *request) error {
	if !strings.Contains(r.Header.Get("Accept"), ndjson) {
		result, err := s.exports.Check(r.Context())
		if err != nil {
			return err
		}
		s.recordCheck(r, result)
		return s.reply(w, r, http.StatusOK, result)
	}
	lines, last := &lineWriter{w: w}, exporter.CheckProgress{}
	var told time.Time
	result, err := s.exports.CheckTelling(r.Context(), func(now exporter.CheckProgress) {
		if now.Stage != last.Stage || time.Since(told) >= tellEvery {
			lines.write(now)
			http.NewResponseController(w).Flush()
			told, last = time.Now(), now
		}
	})
	if err != nil {
		return s.cutOff(r, lines, err)
	}
	s.recordCheck(r, result)
	lines.write(result)
	return nil
}

func (s *Server) recordCheck(r *request, result *exporter.CheckResult) {
	err := s.trail.Write(r.Context(), audit.Event{Type: audit.DirectoryChecked, ResourceType: "directory", ResourceID: s.dir.Instance, Metadata: audit.Metadata{
		"ok": result.OK, "problems": len(result.Problems), "blobs": result.Checked.Blobs, "exports": result.Checked.Exports, "log_entries": result.Checked.Entries,
	}})
	if err != nil { // what was found counts more
		s.opts.Log.Error("record a check", "request_id", requestID(r.Request), "error", err)
	}
}
