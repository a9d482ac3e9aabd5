package server

import (
	"encoding/json"
	"net/http"
	"strings"

	"licensekit/exporter"
	"licensekit/exporter/evidence"
)

// ndjson is the media type of a stream of JSON values, a line each.
const ndjson = "application/x-ndjson"

// verifyExport checks an export's own bundle with the instance's own keys and
// answers with what came of it; as a stream it tells each step once it has
// ended, and the result in the last line.
func (s *Server) verifyExport(w http.ResponseWriter, r *request) error {
	id := exporter.ID(r.params.ByName("id"))
	if !strings.Contains(r.Header.Get("Accept"), ndjson) {
		result, err := s.exports.Verify(r.Context(), id, nil)
		if err != nil {
			return err
		}
		return s.reply(w, r, http.StatusOK, result)
	}
	lines := &lineWriter{w: w}
	result, err := s.exports.Verify(r.Context(), id, func(step evidence.Step) {
		lines.write(step)
		http.NewResponseController(w).Flush()
	})
	if err != nil {
		return s.cutOff(r, lines, err)
	}
	lines.write(result)
	return nil
}

// cutOff gives the error to answer with, unless something was answered already:
// half a stream must not look whole.
func (s *Server) cutOff(r *request, lines *lineWriter, err error) error {
	if !lines.begun {
		return err
	}
	s.logCut(r, err)
	panic(http.ErrAbortHandler)
}

// lineWriter sends JSON values as they come.
type lineWriter struct {
	w     http.ResponseWriter
	begun bool
}

func (l *lineWriter) write(value any) {
	if !l.begun {
		l.w.Header().Set("Content-Type", ndjson)
		l.begun = true
	}
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // what is written here has a JSON form
	}
	l.w.Write(append(text, '\n')) // who is gone ends the request's context
}
