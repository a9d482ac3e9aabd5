package server

import (
	"fmt"
	"net/url"
	"strconv"
	"time"

	"licensekit/exporter/ledger/intake"
	"licensekit/exporter/report"
)

// ingestParameters are the query parameters of the ingestion routes.
var ingestParameters = []string{"map", "set", "date_format", "time_zone", "delimiter", "sheet", "dry_run", "atomic", "file_name"}

// ingestOptions reads how a body is written and how it is to be stored.
func (s *Server) ingestOptions(r *request, object string) (opts intake.Options, m mode, err error) {
	query, err := queryOf(r, ingestParameters...)
	if err != nil {
		return opts, m, err
	}
	if m, err = modeOf(query); err != nil {
		return opts, m, err
	}
	if problem := report.CheckText(query.Get("file_name"), 255); problem != "" {
		return opts, m, invalidQuery("file_name " + problem)
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
	opts.TimeZone, opts.Delimiter, err = dialectOf(query)
	return opts, m, err
}

// dialectOf reads the parameters that say how values are written.
func dialectOf(query url.Values) (zone *time.Location, delimiter byte, err error) {
	if name := query.Get("time_zone"); name != "" {
		if zone, err = report.LoadZone(name); err != nil {
			return nil, 0, invalidQuery(fmt.Sprintf("time_zone %q is not an IANA time zone such as Europe/Berlin", name))
		}
	}
	if text := query.Get("delimiter"); text != "" {
		if delimiter, err = intake.ParseDelimiter(text); err != nil {
			return nil, 0, invalidQuery(err.Error())
		}
	}
	return zone, delimiter, nil
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
		return atomically, nil
	}
	return batches, nil
}
