package server

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"licensekit/exporter/ledger"
	"licensekit/exporter/ledger/intake"
	"licensekit/exporter/report"
)

// maxIngest bounds the body of an ingestion, in bytes. It is read as a stream.
const maxIngest = 64 << 30

// ingestParameters are the query parameters of the ingestion routes.
var ingestParameters = []string{"map", "set", "date_format", "time_zone", "delimiter", "sheet", "dry_run", "atomic"}

// ingestActivities appends activities.
func (s *Server) ingestActivities(w http.ResponseWriter, r *request) error {
	return s.ingest(w, r, intake.Activities)
}

// ingestRecords upserts records of an object.
func (s *Server) ingestRecords(w http.ResponseWriter, r *request) error {
	object := report.Object(r.params.ByName("object"))
	if object.Properties() == nil {
		return &problem{status: 404, code: "NOT_FOUND", message: "there is no such object", detail: fmt.Sprintf("objects are %v", report.Objects)}
	}
	return s.ingest(w, r, string(object))
}

// ingest reads a body into the ledger and answers with the account of it.
func (s *Server) ingest(w http.ResponseWriter, r *request, object string) error {
	opts, mode, err := s.ingestOptions(r, object)
	if err != nil {
		return err
	}
	var result intake.Result
	read := func(sink ledger.Appender) (err error) {
		body := http.MaxBytesReader(w, r.Body, maxIngest)
		result, err = intake.Read(r.Context(), body, opts, sink, nil)
		if err == nil && mode == atomic && result.Rejected+result.Conflicts > 0 {
			err = &problem{status: 422, code: "ATOMIC_REJECTED", message: "rows were refused, so none were stored", result: &result}
		}
		return err
	}
	if err = mode.run(r.Context(), s.ledger, read); err != nil {
		return ingestError(err, result)
	}
	if mode != rehearse {
		s.countIngested(object, result)
	}
	s.opts.Log.Info("ingested", "request_id", requestID(r.Request), "by", r.caller.id, "object", object, "mode", mode,
		"accepted", result.Accepted, "duplicates", result.Duplicates, "conflicts", result.Conflicts, "rejected", result.Rejected)
	return s.reply(w, r, http.StatusOK, result)
}

// ingestError adds to an error what had been stored when it came.
func ingestError(err error, result intake.Result) error {
	p := *problemOf(err)
	if p.result == nil && result.Rows() > 0 {
		p.result = &result
	}
	if p.status == 500 {
		return err
	}
	return &p
}

// mode is how an ingestion is stored.
type mode string

const (
	batches  mode = "batches" // good rows go in as they come
	atomic   mode = "atomic"  // all rows or none
	rehearse mode = "dry_run" // none
)

// run hands read the sink of the mode.
func (m mode) run(ctx context.Context, l *ledger.Ledger, read func(ledger.Appender) error) error {
	switch m {
	case atomic:
		return l.Atomic(ctx, read)
	case rehearse:
		return l.Rehearse(ctx, read)
	}
	return read(l)
}

func (s *Server) ingestOptions(r *request, object string) (opts intake.Options, m mode, err error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return opts, m, invalidQuery(err.Error())
	}
	single := url.Values{}
	for name, values := range query {
		if name != "map" && name != "set" {
			single[name] = values
		}
	}
	if _, err := queryOf(&request{Request: &http.Request{URL: &url.URL{RawQuery: single.Encode()}}}, ingestParameters...); err != nil {
		return opts, m, err
	}
	if m, err = modeOf(query); err != nil {
		return opts, m, err
	}
	format, err := intake.FormatOf(r.Header.Get("Content-Type"), "")
	if err != nil {
		return opts, m, &problem{status: 415, code: "UNSUPPORTED_MEDIA_TYPE", message: "this route does not read that media type", detail: err.Error()}
	}
	opts = intake.Options{
		Object: object, Format: format, DateFormat: query.Get("date_format"), Sheet: query.Get("sheet"), Tmp: s.dir.Tmp(),
	}
	if opts.Map, err = parseEach(query["map"], intake.ParseMapping); err != nil {
		return opts, m, err
	}
	if opts.Set, err = parseEach(query["set"], intake.ParseConstant); err != nil {
		return opts, m, err
	}
	if zone := query.Get("time_zone"); zone != "" {
		if opts.TimeZone, err = report.LoadZone(zone); err != nil {
			return opts, m, invalidQuery(fmt.Sprintf("time_zone %q is not an IANA time zone such as Europe/Berlin", zone))
		}
	}
	if delimiter := query.Get("delimiter"); delimiter != "" {
		if len(delimiter) != 1 {
			return opts, m, invalidQuery(fmt.Sprintf("delimiter %q must be one ASCII character", delimiter))
		}
		opts.Delimiter = delimiter[0]
	}
	return opts, m, nil
}

// parseEach reads a parameter that may stand more than once.
func parseEach[T any](texts []string, parse func(string) (T, error)) (all []T, err error) {
	for _, text := range texts {
		one, err := parse(text)
		if err != nil {
			return nil, invalidQuery(err.Error())
		}
		all = append(all, one)
	}
	return all, nil
}

func modeOf(query url.Values) (mode, error) {
	flags := map[string]bool{}
	for _, name := range []string{"dry_run", "atomic"} {
		if text := query.Get(name); text != "" {
			on, err := strconv.ParseBool(text)
			if err != nil {
				return "", invalidQuery(fmt.Sprintf("%s %q must be true or false", name, text))
			}
			flags[name] = on
		}
	}
	switch {
	case flags["dry_run"]:
		return rehearse, nil
	case flags["atomic"]:
		return atomic, nil
	}
	return batches, nil
}

func (s *Server) countIngested(object string, r intake.Result) {
	for result, n := range map[string]int64{"accepted": r.Accepted, "duplicate": r.Duplicates, "conflict": r.Conflicts, "rejected": r.Rejected} {
		s.metrics.ingested.WithLabelValues(object, result).Add(float64(n))
	}
}
