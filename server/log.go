package server

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"licensekit/auth"
)

// logCheckpoint sends the newest checkpoint, a C2SP signed note.
func (s *Server) logCheckpoint(w http.ResponseWriter, r *request) error {
	return sendText(w, s.exports.Log().Head().Signed)
}

// sendText sends what other tools than ours read.
func sendText(w http.ResponseWriter, text []byte) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.Write(text) // the client is gone if this fails, and the log has the status
	return nil
}

// logTile sends a tile by its C2SP name. Hash tiles are public; bundles of
// entries tell who exports what, so they take report:export.
func (s *Server) logTile(w http.ResponseWriter, r *request) error {
	level, shared := r.params.ByName("level"), "public"
	if level == "entries" { // asked first: who may not read them makes no work
		if err := s.authorize(w, r, auth.ReportExport); err != nil {
			return err
		}
		shared = "private"
	}
	file, err := s.exports.Log().File("tile/" + level + r.params.ByName("index"))
	if err != nil {
		return err
	}
	defer file.Close()
	if file.Entries && shared == "public" {
		return fmt.Errorf("the log takes %s for a tile of entries", r.URL.Path)
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", shared+", max-age=31536000, immutable")
	http.ServeContent(&ranged{ResponseWriter: w, server: s, request: r}, r.Request, "", time.Time{}, file.ReadSeeker)
	return nil
}

// logConsistency sends a proof that the log at one size continues it at a
// smaller one, with the checkpoint of the larger.
func (s *Server) logConsistency(w http.ResponseWriter, r *request) error {
	q, err := queryOf(r, "from", "to")
	if err != nil {
		return err
	}
	to := s.exports.Log().Size()
	if text := q.Get("to"); text != "" {
		if to, err = logSize("to", text, to); err != nil {
			return err
		}
	}
	from, err := logSize("from", q.Get("from"), to)
	if err != nil {
		return err
	}
	proof, err := s.exports.Log().Consistency(from, to)
	if err != nil {
		return err
	}
	return sendText(w, proof.Marshal())
}

// logProof sends the proof that an entry is in the log, a C2SP tlog-proof.
func (s *Server) logProof(w http.ResponseWriter, r *request) error {
	size := s.exports.Log().Size()
	index, err := strconv.ParseInt(r.params.ByName("index"), 10, 64)
	if err != nil || index < 0 || index >= size {
		return &problem{status: 404, code: "NOT_FOUND", message: "there is no such entry", detail: fmt.Sprintf("the log has %d entries, from 0", size)}
	}
	proof, err := s.exports.Log().Prove(index, size)
	if err != nil {
		return err
	}
	return sendText(w, proof.Marshal())
}

func logSize(name, text string, most int64) (int64, error) {
	size, err := strconv.ParseInt(text, 10, 64)
	if err != nil || size < 0 || size > most {
		return 0, invalidQuery(fmt.Sprintf("%s %q must be a size of the log from 0 to %d", name, text, most))
	}
	return size, nil
}
