package server

import (
	"encoding/base64"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"licensekit/exporter"
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
	http.ServeContent(&ranged{ResponseWriter: w, server: s, request: r}, r.Request, "", time.UnixMilli(int64(*export.FrozenAt)), blob)
	return nil
}

func attach(w http.ResponseWriter, contentType, name string) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
}

// ranged puts what http.ServeContent says about a range that can't be met into
// the envelope.
type ranged struct {
	http.ResponseWriter
	server  *Server
	request *request
	refused bool
}

// WriteHeader replaces the answer 416.
func (w *ranged) WriteHeader(status int) {
	if status != http.StatusRequestedRangeNotSatisfiable {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.refused = true
	for _, name := range []string{"ETag", "Repr-Digest", "Content-Disposition", "Content-Length"} {
		w.Header().Del(name)
	}
	w.server.fail(w.ResponseWriter, w.request.Request, &problem{status: status, code: "RANGE_NOT_SATISFIABLE",
		message: "the range lies outside of the artifact", detail: "Content-Range says how long it is"})
}

// Write drops the plain text that goes with 416.
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
	bundle, err := s.exports.Bundle(r.Context(), exporter.ID(r.params.ByName("id")))
	if err != nil {
		return err
	}
	defer bundle.Close()
	attach(w, "application/zip", bundle.FileName)
	w.Header().Set("Content-Length", strconv.FormatInt(bundle.Size, 10))
	w.Header().Set("Cache-Control", "private, no-transform")
	if r.Method == http.MethodHead {
		return nil
	}
	if err := bundle.WriteTo(r.Context(), w); err != nil {
		s.opts.Log.Error("send bundle", "request_id", requestID(r.Request), "error", err)
		panic(http.ErrAbortHandler) // half a bundle must not look whole
	}
	return nil
}
