package server

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"licensekit/exporter"
	"licensekit/exporter/audit"
	"licensekit/exporter/render"
)

// downloadArtifact sends the stored artifact, whole or in ranges (RFC 9110).
// Its ETag is the artifact's digest.
func (s *Server) downloadArtifact(w http.ResponseWriter, r *request) error {
	blob, export, err := s.exports.Artifact(r.Context(), exporter.ID(r.params.ByName("id")))
	if err != nil {
		return err
	}
	defer blob.Close()
	format, err := render.Parse(export.Format)
	if err != nil {
		return err
	}
	attach(w, export.ContentType, export.FileName(format.Extension))
	h := w.Header()
	h.Set("ETag", strconv.Quote(export.ArtifactDigest.String()))
	h.Set("Repr-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(export.ArtifactDigest[:])+":")
	h.Set("Cache-Control", "private, no-transform, max-age=31536000, immutable")
	out := &ranged{ResponseWriter: w, server: s, request: r, sends: func(status int) {
		s.downloads(r, audit.ExportDownloaded, export, status == http.StatusOK)
	}}
	http.ServeContent(out, r.Request, "", time.UnixMilli(int64(*export.FrozenAt)), blob)
	return nil
}

// downloads enters into the audit trail that a client is about to get what is
// frozen, or a part of it. Where that can't be recorded the client gets it all
// the same: a full disk must not hide what is on it, and the log has the rest.
func (s *Server) downloads(r *request, what audit.Type, x exporter.Export, whole bool) {
	if r.Method == http.MethodHead {
		return
	}
	err := s.reads.Count(r.Context(), x.Event(what, audit.Metadata{"artifact_digest": x.ArtifactDigest, "whole": whole}))
	if err != nil {
		s.opts.Log.Error("record a download", "request_id", requestID(r.Request), "event_type", what, "export_id", x.ID, "by", r.caller.id, "error", err)
	}
}

func attach(w http.ResponseWriter, contentType, name string) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
}

// ranged puts what http.ServeContent refuses into the envelope: a range that
// can't be met, a precondition that does not hold.
type ranged struct {
	http.ResponseWriter
	server  *Server
	request *request
	sends   func(status int) // is told before a body is sent; may be nil
	refused bool
}

// WriteHeader replaces errors.
func (w *ranged) WriteHeader(status int) {
	if status < 300 && w.sends != nil {
		w.sends(status)
	}
	if status < 400 {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.refused = true
	w.server.fail(w.ResponseWriter, w.request.Request, refusal(status, w.Header().Get("Content-Range") != ""))
}

// refusal is an error of http.ServeContent, which says how long a file is where a
// range lies outside of it, and nothing where it can't read the range.
func refusal(status int, outside bool) error {
	switch {
	case status == http.StatusRequestedRangeNotSatisfiable && !outside:
		return &problem{status: status, code: "RANGE_NOT_SATISFIABLE", message: "the Range header can't be read", detail: "it takes ranges such as bytes=0-99"}
	case status == http.StatusRequestedRangeNotSatisfiable:
		return &problem{status: status, code: "RANGE_NOT_SATISFIABLE", message: "the range lies outside of the file", detail: "Content-Range says how long it is"}
	case status == http.StatusPreconditionFailed:
		return &problem{status: status, code: "PRECONDITION_FAILED", message: "the file is not the one that the request is about"}
	}
	return fmt.Errorf("serve the file: status %d", status)
}

// Write drops the plain text that goes with an error.
func (w *ranged) Write(p []byte) (int, error) {
	if w.refused {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

// ReadFrom keeps the way open for sendfile.
func (w *ranged) ReadFrom(r io.Reader) (int64, error) { return io.Copy(w.ResponseWriter, r) }

// downloadBundle sends the evidence bundle, made as it is sent.
func (s *Server) downloadBundle(w http.ResponseWriter, r *request) error {
	shown, err := shownIn(r)
	if err != nil {
		return err
	}
	bundle, err := s.exports.Bundle(r.Context(), exporter.ID(r.params.ByName("id")), shown)
	if err != nil {
		return err
	}
	defer bundle.Close()
	attach(w, "application/zip", bundle.FileName)
	w.Header().Set("Content-Length", strconv.FormatInt(bundle.Size, 10))
	w.Header().Set("Cache-Control", "private, no-transform")
	s.downloads(r, audit.ExportBundleDownloaded, bundle.Export, true)
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	if err := bundle.WriteTo(r.Context(), w); err != nil {
		s.logCut(r, err)
		panic(http.ErrAbortHandler) // half a bundle must not look whole
	}
	return nil
}

// shownIn says to which checkpoint of the log a bundle is to lead.
func shownIn(r *request) (exporter.Shown, error) {
	q, err := queryOf(r, "checkpoint")
	if err != nil {
		return "", err
	}
	switch shown := exporter.Shown(q.Get("checkpoint")); shown {
	case "":
		return exporter.ShowFirst, nil
	case exporter.ShowFirst, exporter.ShowNewest, exporter.ShowCosigned:
		return shown, nil
	default:
		return "", invalidQuery(fmt.Sprintf("checkpoint %q must be first, newest or cosigned", string(shown)))
	}
}

// logCut notes why an answer was cut off: it is our fault unless the client left.
func (s *Server) logCut(r *request, err error) {
	level := slog.LevelError
	if r.Context().Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) {
		level = slog.LevelInfo
	}
	s.opts.Log.Log(r.Context(), level, "answer cut off", "request_id", requestID(r.Request), "error", err)
}

// previewDPI draws an A4 page about 1,000 pixels high.
const previewDPI = 90

// previewPage sends a page of an export's PDF as a picture. The artifact is
// our own: the blob store has hashed it, and the manifest names that hash.
func (s *Server) previewPage(w http.ResponseWriter, r *request) error {
	number, ok := strings.CutSuffix(r.params.ByName("page"), ".png")
	page, err := strconv.Atoi(number)
	if !ok || err != nil || page < 1 {
		return &problem{status: 404, code: "NOT_FOUND", message: "there is no such page", detail: "pages are 1.png, 2.png and so on"}
	}
	id := exporter.ID(r.params.ByName("id"))
	picture, err := s.previews.draw(r.Context(), id, page)
	if err != nil {
		return err
	}
	export, err := s.exports.Get(r.Context(), id)
	if err != nil {
		return err
	}
	s.downloads(r, audit.ExportPageViewed, export, false)
	w.Header().Set("Content-Type", "image/png")
	w.Header().Set("Content-Length", strconv.Itoa(len(picture.PNG)))
	w.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
	w.Header().Set("Page-Count", strconv.Itoa(picture.Pages))
	w.Write(picture.PNG) // the client is gone if this fails, and the log has the status
	return nil
}
