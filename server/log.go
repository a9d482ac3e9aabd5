package server

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"licensekit/auth"
	"licensekit/exporter"
	"licensekit/exporter/evidence/tilelog"
)

// logInfo is one of the logs, as the list shows it.
type logInfo struct {
	Number      int    `json:"number"`
	Origin      string `json:"origin"`
	Status      string `json:"status"` // "active" or "closed"
	Size        int64  `json:"size"`
	Root        string `json:"root"` // base64, as checkpoints have it
	VerifierKey string `json:"verifier_key"`
	URL         string `json:"url"` // a path of the API, the prefix of a C2SP tlog-tiles log
}

// listLogs answers with all logs, oldest first; the last one grows.
func (s *Server) listLogs(w http.ResponseWriter, r *request) error {
	list := []logInfo{}
	for _, l := range s.exports.Logs() {
		head, status := l.Head(), "active"
		if l.Closed() {
			status = "closed"
		}
		list = append(list, logInfo{
			Number: l.Number, Origin: l.Origin(), Status: status, Size: head.Size, Root: head.Root.String(),
			VerifierKey: l.Key.VerifierKey, URL: "/api/v1/logs/" + strconv.Itoa(l.Number),
		})
	}
	return s.reply(w, r, http.StatusOK, list)
}

// logNamed is the log that a request is about: the one of the number in its
// path, or else the one that grows.
func (s *Server) logNamed(r *request) (*exporter.Log, error) {
	number := r.params.ByName("log")
	if number == "" {
		return s.exports.Log(), nil
	}
	logs := s.exports.Logs()
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > len(logs) || strconv.Itoa(n) != number {
		return nil, &problem{status: 404, code: "NOT_FOUND", message: "there is no such log", detail: fmt.Sprintf("logs are numbered from 1 to %d", len(logs))}
	}
	return logs[n-1], nil
}

// logCheckpoint sends the newest checkpoint, a C2SP signed note.
func (s *Server) logCheckpoint(w http.ResponseWriter, r *request) error {
	l, err := s.logNamed(r)
	if err != nil {
		return err
	}
	return sendText(w, l.Head().Signed)
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
	l, err := s.logNamed(r)
	if err != nil {
		return err
	}
	file, err := l.File("tile/" + level + r.params.ByName("index"))
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
	l, err := s.logNamed(r)
	if err != nil {
		return err
	}
	to := l.Size()
	if text := q.Get("to"); text != "" {
		if to, err = logSize("to", text, to); err != nil {
			return err
		}
	}
	from, err := logSize("from", q.Get("from"), to)
	if err != nil {
		return err
	}
	at, err := s.exports.HeadAt(l, to)
	if errors.Is(err, tilelog.ErrClosed) {
		return invalidQuery(fmt.Sprintf("to %d: the log is closed and its key signs no more; a proof leads to its last size, %d, or to one that a bundle shows", to, l.Size()))
	}
	if err != nil {
		return err
	}
	proof, err := l.Consistency(from, at)
	if err != nil {
		return err
	}
	return sendText(w, proof.Marshal())
}

// logProof sends the proof that an entry is in the log, a C2SP tlog-proof, with
// the entry in front of it where that is asked for.
func (s *Server) logProof(w http.ResponseWriter, r *request) error {
	q, err := queryOf(r, "checkpoint", "entry")
	if err != nil {
		return err
	}
	l, err := s.logNamed(r)
	if err != nil {
		return err
	}
	size := l.Size()
	index, err := strconv.ParseInt(r.params.ByName("index"), 10, 64)
	if err != nil || index < 0 || index >= size {
		return &problem{status: 404, code: "NOT_FOUND", message: "there is no such entry", detail: fmt.Sprintf("the log has %d entries, from 0", size)}
	}
	at, err := proofHead(l, index, q.Get("checkpoint"))
	if err != nil {
		return err
	}
	proof, err := l.Prove(index, at)
	if err != nil {
		return err
	}
	switch q.Get("entry") {
	case "", "false":
		return sendText(w, proof.Marshal())
	case "true":
		entry, err := l.Entry(index)
		if err != nil {
			return err
		}
		return sendText(w, append(append(entry, '\n'), proof.Marshal()...))
	}
	return invalidQuery(fmt.Sprintf("entry %q must be true or false", q.Get("entry")))
}

// proofHead is the checkpoint that a proof is to lead to.
func proofHead(l *exporter.Log, index int64, which string) (tilelog.Head, error) {
	switch exporter.Shown(which) {
	case "", exporter.ShowNewest:
		return l.Head(), nil
	case exporter.ShowCosigned:
		return l.CosignedOver(index)
	}
	return tilelog.Head{}, invalidQuery(fmt.Sprintf("checkpoint %q must be newest or cosigned", which))
}

func logSize(name, text string, most int64) (int64, error) {
	size, err := strconv.ParseInt(text, 10, 64)
	if err != nil || size < 0 || size > most {
		return 0, invalidQuery(fmt.Sprintf("%s %q must be a size of the log from 0 to %d", name, text, most))
	}
	return size, nil
}
