package server

import (
	"context"
	"errors"
	"net/http"
)

// readyCheck is something that must be as it should be for the server to be
// ready.
type readyCheck string

const (
	checkDatabase readyCheck = "database"
	checkDisk     readyCheck = "disk"
	checkQueue    readyCheck = "queue"
	checkServing  readyCheck = "serving"
	checkData     readyCheck = "data"
	checkLog      readyCheck = "log"
)

// readyChecks are all of them, the gravest first.
var readyChecks = []readyCheck{checkServing, checkDatabase, checkData, checkLog, checkDisk, checkQueue}

// reason says in public why the server is not ready.
type reason struct {
	Code    string `json:"code"`
	Message string `json:"message"`

	cause error // for the log; nil where the message says it all
}

// health answers as long as the process does.
func (s *Server) health(w http.ResponseWriter, r *request) error {
	return s.reply(w, r, http.StatusOK, map[string]string{"status": "ok"})
}

// readiness is what /readyz answers.
type readiness struct {
	Status  string    `json:"status"`
	DB      string    `json:"db"`
	Reasons []*reason `json:"reasons,omitempty"`
}

// ready answers 200 if the server can do all of its work, and else 503 with the
// reasons.
func (s *Server) ready(w http.ResponseWriter, r *request) error {
	found, answer, status := s.unready(), readiness{Status: "ready", DB: "ok"}, http.StatusOK
	for _, check := range readyChecks {
		if reason := found[check]; reason != nil {
			answer.Reasons = append(answer.Reasons, reason)
		}
	}
	if found[checkDatabase] != nil {
		answer.DB = "error"
	}
	if len(answer.Reasons) > 0 {
		answer.Status, status = "not_ready", http.StatusServiceUnavailable
	}
	return s.reply(w, r, status, answer)
}

// unready gives the reasons for which the server is not ready, by check, and
// tells the log when one of them begins and when it ends.
func (s *Server) unready() map[readyCheck]*reason {
	found := map[readyCheck]*reason{}
	for check, look := range map[readyCheck]func() *reason{
		checkServing: s.lookServing, checkDatabase: s.lookDatabase, checkData: s.lookData, checkLog: s.lookLog,
		checkDisk: s.lookDisk, checkQueue: s.lookQueue,
	} {
		if reason := look(); reason != nil {
			found[check] = reason
		}
	}
	s.tellReadiness(found)
	return found
}

func (s *Server) tellReadiness(found map[readyCheck]*reason) {
	s.readyMu.Lock()
	defer s.readyMu.Unlock()
	for _, check := range readyChecks {
		switch before, now := s.notReady[check], found[check]; {
		case now != nil && (before == nil || before.Code != now.Code):
			s.opts.Log.Warn("not ready", "check", check, "code", now.Code, "reason", now.Message, "error", now.cause)
		case now == nil && before != nil:
			s.opts.Log.Info("ready again", "check", check)
		}
	}
	s.notReady = found
}

func (s *Server) lookServing() *reason {
	if s.stopping.Err() != nil {
		return &reason{Code: "SHUTTING_DOWN", Message: "the server is shutting down"}
	}
	return nil
}

// lookDatabase wants the last writes to have gone well, and that it can be read.
func (s *Server) lookDatabase() *reason {
	err := errors.Join(s.tokens.Err(), s.exports.Err())
	if err == nil {
		_, err = s.sequence(context.Background())
	}
	if err != nil {
		return &reason{Code: "DATABASE_FAILED", Message: "the database can't be read, or a write to the disk failed", cause: err}
	}
	return nil
}

// lookData wants what a scrub or a check found to be good again.
func (s *Server) lookData() *reason {
	if s.exports.Scrubbed().Damaged > 0 {
		return &reason{Code: "DAMAGE_FOUND", Message: "something that is kept was found damaged; licensekit check names it"}
	}
	return nil
}

// lookLog wants the log to have all that its key has signed. Without that
// nothing is frozen, though the rest is served.
func (s *Server) lookLog() *reason {
	if err := s.exports.Behind(); err != nil {
		return &reason{Code: "LOG_BEHIND", Message: "the data directory is an older copy whose log lacks entries; nothing is frozen before licensekit log restart", cause: err}
	}
	return nil
}

func (s *Server) lookDisk() *reason {
	room, err := s.dir.Room()
	if err != nil {
		return &reason{Code: "DISK_UNKNOWN", Message: "the disk does not say how much room it has", cause: err}
	}
	if room < s.opts.MinFree {
		return &reason{Code: "DISK_LOW", Message: "there is less room on the disk than there should be"}
	}
	return nil
}

func (s *Server) lookQueue() *reason {
	if waiting, most := s.exports.Waiting(); waiting >= most {
		return &reason{Code: "QUEUE_FULL", Message: "as many exports wait as may"}
	}
	return nil
}
