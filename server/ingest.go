package server

import (
	"context"
	"errors"
	"io"
	"net/http"

	"licensekit/exporter/ledger"
	"licensekit/exporter/ledger/intake"
)

// maxIngest bounds the body of an ingestion, in bytes. It is read as a stream.
const maxIngest = 64 << 30

// ingestActivities appends activities.
func (s *Server) ingestActivities(w http.ResponseWriter, r *request) error {
	return s.ingest(w, r, intake.Activities)
}

// ingestRecords upserts records of an object.
func (s *Server) ingestRecords(w http.ResponseWriter, r *request) error {
	object, err := objectOf(r)
	if err != nil {
		return err
	}
	return s.ingest(w, r, string(object))
}

// ingest reads a body into the ledger and answers with the account of it.
func (s *Server) ingest(w http.ResponseWriter, r *request, object string) error {
	opts, mode, err := s.ingestOptions(r, object)
	if err != nil {
		return err
	}
	if mode == atomically {
		spool, err := s.takeIn(http.MaxBytesReader(w, r.Body, s.limits.ingest))
		if err != nil {
			return err
		}
		defer spool.Close()
		r.Body = spool
	}
	body, err := unpack(w, r, s.limits.ingest)
	if err != nil {
		return err
	}
	// net/http cancels a request whose body breaks, but what came before the
	// break is to be stored; a client that is gone ends the body, and so this.
	ctx := context.WithoutCancel(r.Context())
	i := &importing{Ledger: s.ledger, trail: s.trail, object: object, mode: mode, file: r.URL.Query().Get("file_name"), id: requestID(r.Request)}
	result, err := i.run(ctx, func(sink ledger.Appender) (intake.Result, error) {
		return intake.Read(ctx, body, opts, sink, nil)
	})
	s.accountFor(r, object, mode, result, err)
	if err != nil {
		return ingestError(err, mode, result)
	}
	return s.reply(w, r, http.StatusOK, result)
}

// takeIn spools a body, for nobody else can write while an atomic ingestion
// does: the lock is not to wait for a client. Where the body broke off, reading
// what was spooled ends with the same error.
func (s *Server) takeIn(body io.Reader) (io.ReadCloser, error) {
	file, err := s.dir.Spool("atomic-*")
	if err != nil {
		return nil, err
	}
	source := &ending{Reader: body, err: io.EOF}
	_, err = io.Copy(file, source)
	if errors.Is(err, source.err) {
		err = nil
	}
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return spooled{io.MultiReader(file, failure{source.err}), file}, nil
}

// ending keeps how a reader ended.
type ending struct {
	io.Reader
	err error
}

// Read reads on.
func (e *ending) Read(p []byte) (int, error) {
	n, err := e.Reader.Read(p)
	if err != nil {
		e.err = err
	}
	return n, err
}

// failure is a reader of nothing but an error.
type failure struct{ err error }

// Read gives the error.
func (f failure) Read([]byte) (int, error) { return 0, f.err }

type spooled struct {
	io.Reader
	io.Closer
}

// accountFor notes what came of an ingestion. One that broke half way has
// stored what it accepted by then, unless it was all or nothing.
func (s *Server) accountFor(r *request, object string, mode mode, result intake.Result, err error) {
	s.opts.Log.Info("ingested", "request_id", requestID(r.Request), "by", r.caller.id, "object", object, "mode", mode, "whole", err == nil,
		"accepted", result.Accepted, "duplicates", result.Duplicates, "conflicts", result.Conflicts, "rejected", result.Rejected)
	if mode == batches || mode == atomically && err == nil {
		s.metrics.ingested(object, result)
	}
}

// ingestError adds to an error what had been stored when it came.
func ingestError(err error, mode mode, result intake.Result) error {
	p := *problemOf(err)
	p.cause = err
	if p.result == nil && mode == batches && result.Rows() > 0 {
		p.result = &result
	}
	return &p
}

// mode is how an ingestion is stored.
type mode string

const (
	batches    mode = "batches" // good rows go in as they come
	atomically mode = "atomic"  // all rows or none
	rehearse   mode = "dry_run" // none
)
