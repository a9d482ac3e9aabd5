package server

import (
	"fmt"
	"net/http"
	"time"

	"licensekit/exporter/evidence/witness"
)

// cosignedInfo is a cosigned checkpoint, as the API shows it.
type cosignedInfo struct {
	Origin       string          `json:"origin"`
	Size         int64           `json:"size"`
	Root         *string         `json:"root"`         // base64, as checkpoints have it; null if it is damaged
	Cosignatures []cosignature   `json:"cosignatures"` // all that are kept of this size
	LeftOut      []unknownSigner `json:"left_out"`     // on what was given; never nil
	Contradicts  bool            `json:"contradicts_log,omitempty"`
	Error        *errorObject    `json:"error,omitempty"` // for which it can't be read
}

type cosignature struct {
	Witness string     `json:"witness"`
	Key     string     `json:"verifier_key"`
	At      *time.Time `json:"cosigned_at"` // by the witness's clock; null where it says none
}

type unknownSigner struct {
	Name    string `json:"name"`
	KeyHash string `json:"key_hash"` // 8 hex digits
}

// keepCosigned takes a checkpoint that witnesses have signed.
func (s *Server) keepCosigned(w http.ResponseWriter, r *request) error {
	var checkpoint string
	var witnesses []string
	if err := decodeJSON(w, r, map[string]any{"checkpoint": &checkpoint, "witnesses": &witnesses}); err != nil {
		return err
	}
	var named []witness.Key
	for i, text := range witnesses {
		key, err := witness.ParseKey(text)
		if err != nil {
			return invalid(fmt.Sprintf("witnesses[%d]: %v", i, err))
		}
		named = append(named, key)
	}
	kept, err := s.exports.KeepCosigned(r.Context(), []byte(checkpoint), named)
	if err != nil {
		return err
	}
	s.opts.Log.Info("cosigned checkpoint kept", "request_id", requestID(r.Request), "by", r.caller.id, "log", kept.Origin, "size", kept.Size)
	return s.reply(w, r, http.StatusOK, describeCosigned(kept))
}

func describeCosigned(c *witness.Cosigned) cosignedInfo {
	root := c.Root.String()
	info := cosignedInfo{Origin: c.Origin, Size: c.Size, Root: &root, Cosignatures: []cosignature{}, LeftOut: []unknownSigner{}}
	for _, s := range c.By {
		shown := cosignature{Witness: s.Witness.Name(), Key: s.Witness.String()}
		if !s.At.IsZero() {
			shown.At = &s.At
		}
		info.Cosignatures = append(info.Cosignatures, shown)
	}
	for _, s := range c.Strangers {
		info.LeftOut = append(info.LeftOut, unknownSigner{s.Name, fmt.Sprintf("%08x", s.Hash)})
	}
	return info
}

// listCosigned answers with the checkpoints that witnesses signed too, the
// largest first.
func (s *Server) listCosigned(w http.ResponseWriter, r *request) error {
	q, err := queryOf(r, "cursor", "limit")
	if err != nil {
		return err
	}
	before, limit, err := pageOf(q)
	if err != nil {
		return err
	}
	l, err := s.logNamed(r)
	if err != nil {
		return err
	}
	kept, next, err := s.exports.ListCosigned(r.Context(), l, before, limit)
	if err != nil {
		return err
	}
	page := []cosignedInfo{}
	for _, c := range kept {
		info := describeCosigned(c.Cosigned)
		info.Contradicts = c.Contradicts
		if c.Damage != nil {
			info.Root, info.Error = nil, &errorObject{Code: damagedCheckpoint.code, Message: damagedCheckpoint.message}
		}
		page = append(page, info)
	}
	return s.replyPage(w, r, page, next)
}

var damagedCheckpoint = problem{status: 500, code: "CHECKPOINT_DAMAGED", message: "the cosigned checkpoint is damaged; keep it again, or restore it from a backup"}

// logCosigned sends the newest checkpoint that witnesses signed too, or the one
// of a size.
func (s *Server) logCosigned(w http.ResponseWriter, r *request) error {
	q, err := queryOf(r, "size")
	if err != nil {
		return err
	}
	l, err := s.logNamed(r)
	if err != nil {
		return err
	}
	head, err := l.NewestCosigned()
	if text := q.Get("size"); text != "" {
		size, sizeErr := logSize("size", text, l.Size())
		if sizeErr != nil {
			return sizeErr
		}
		head, err = l.Cosigned(size)
	}
	if err != nil {
		return err
	}
	return sendText(w, head.Signed)
}
