package exporter

import (
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"time"

	"licensekit/exporter/report"
)

// ID names an export: "rptx_" and 26 characters of a 128-bit random number.
type ID string

// idPrefix begins every export id.
const idPrefix = "rptx_"

var idEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func newID() ID {
	var random [16]byte
	rand.Read(random[:]) // never fails: the program ends where there is no randomness
	return ID(idPrefix + idEncoding.EncodeToString(random[:]))
}

// Status is where an export is in its life.
type Status string

// The statuses of the LicenseKit contract.
const (
	Pending    Status = "pending"
	Processing Status = "processing"
	Ready      Status = "ready"
	Failed     Status = "failed"
)

// Statuses lists them all.
var Statuses = []Status{Pending, Processing, Ready, Failed}

// Final tells whether the export's metadata changes no more.
func (s Status) Final() bool { return s == Ready || s == Failed }

// Export is the metadata of an export, as the LicenseKit contract has it and
// with our own members beside. Until the export is ready, what is known only
// then is nil.
type Export struct {
	ID             ID             `json:"id"`
	Kind           report.Kind    `json:"report_kind"`
	Format         string         `json:"format"`
	Status         Status         `json:"status"`
	Filters        report.Filters `json:"filters"` // normalised
	Digest         *report.Digest `json:"digest"`  // of the canonical form
	ArtifactDigest *report.Digest `json:"artifact_digest"`
	ContentType    string         `json:"content_type"`
	CreatedBy      string         `json:"created_by"` // an API key's id, or "owner" for the data directory's own user
	CreatedAt      Timestamp      `json:"created_at"`
	UpdatedAt      Timestamp      `json:"updated_at"`
	DownloadURL    string         `json:"download_url"` // a path of the API

	AsOf      *int64     `json:"as_of"` // the ledger's sequence in the snapshot
	FrozenAt  *Timestamp `json:"frozen_at"`
	RowCount  *int64     `json:"row_count"`
	SizeBytes *int64     `json:"size_bytes"` // of the artifact
	LogOrigin *string    `json:"log_origin"` // the name of the log that it is in
	LogIndex  *int64     `json:"log_index"`
	KeyID     string     `json:"key_id,omitempty"`
	Progress  *Progress  `json:"progress"` // while it is made
	Error     *Failure   `json:"error"`    // once it has failed

	Sequence int64 `json:"-"` // the order of creation, from 1; lists page by it
}

// Timestamp is an instant in milliseconds since the epoch; its text form is
// that of [report.FormatTime].
type Timestamp = report.Instant

func timestamp(t time.Time) Timestamp { return Timestamp(t.UnixMilli()) }

// Progress says how far an export has come.
type Progress struct {
	Rows int64 `json:"rows"` // rendered so far
}

// Failure says why an export failed.
type Failure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func newExport(r Request, now time.Time) Export {
	id := newID()
	return Export{
		ID: id, Kind: r.Kind, Format: r.Format.Name, Status: Pending, Filters: r.Filters,
		ContentType: r.Format.ContentType, CreatedBy: r.CreatedBy,
		CreatedAt: timestamp(now), UpdatedAt: timestamp(now),
		DownloadURL: downloadURL(id),
	}
}

func downloadURL(id ID) string { return "/api/v1/reports/exports/" + string(id) + "/download" }

// FileName is what a download of the artifact is called: it says kind, period
// and id.
func (x Export) FileName(extension string) string {
	period := "all"
	if x.Filters.From != nil || x.Filters.To != nil {
		period = day(x.Filters.From, "begin") + "_" + day(x.Filters.To, "now")
	}
	return fmt.Sprintf("%s_%s_%s.%s", x.Kind, period, x.ID, extension)
}

func day(t *report.Instant, open string) string {
	if t == nil {
		return open
	}
	return time.UnixMilli(int64(*t)).UTC().Format(time.DateOnly)
}
