package intake

import (
	"fmt"
	"mime"
	"path/filepath"
	"strings"
)

// Format is how a file is written.
type Format string

// The formats that are read.
const (
	CSV         Format = "csv"
	NDJSON      Format = "ndjson"
	JSON        Format = "json"
	XLSX        Format = "xlsx"
	CloudEvents Format = "cloudevents"
)

// Formats are all of them.
var Formats = []Format{CSV, XLSX, NDJSON, JSON, CloudEvents}

var contentTypes = map[string]Format{
	"text/csv":                           CSV,
	"application/csv":                    CSV,
	"application/x-ndjson":               NDJSON,
	"application/ndjson":                 NDJSON,
	"application/jsonl":                  NDJSON,
	"application/x-jsonlines":            NDJSON,
	"application/json":                   JSON,
	"application/cloudevents+json":       CloudEvents,
	"application/cloudevents-batch+json": CloudEvents,
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": XLSX,
}

// ContentType is the media type that stands for the format, "" for a format
// that is not read.
func (f Format) ContentType() string {
	return map[Format]string{
		CSV: "text/csv", NDJSON: "application/x-ndjson", JSON: "application/json",
		CloudEvents: "application/cloudevents-batch+json",
		XLSX:        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	}[f]
}

var extensions = map[string]Format{
	".csv": CSV, ".ndjson": NDJSON, ".jsonl": NDJSON, ".json": JSON, ".xlsx": XLSX,
}

// generic are content types that say nothing about the format, what curl and
// browsers send unasked among them.
var generic = map[string]bool{
	"": true, "application/octet-stream": true, "text/plain": true,
	"application/x-www-form-urlencoded": true, "application/gzip": true,
}

// FormatOf tells the format from a content type, or where that says nothing
// ("", application/octet-stream, text/plain) from a file name, whose .gz is
// looked past. Either may be empty.
func FormatOf(contentType, fileName string) (Format, error) {
	name, _, err := mime.ParseMediaType(contentType)
	if contentType != "" && err != nil {
		return "", fmt.Errorf("content type %q: %w", contentType, err)
	}
	if format, ok := contentTypes[name]; ok {
		return format, nil
	}
	if !generic[name] {
		return "", fmt.Errorf("content type %q is none of %s", name, contentTypeNames)
	}
	switch {
	case fileName != "":
	case name == "":
		return "", fmt.Errorf("there is no content type; want one of %s", contentTypeNames)
	default:
		return "", fmt.Errorf("content type %q does not tell the format; want one of %s", name, contentTypeNames)
	}
	fileName = strings.TrimSuffix(strings.ToLower(fileName), ".gz")
	if format, ok := extensions[filepath.Ext(fileName)]; ok {
		return format, nil
	}
	return "", fmt.Errorf("can't tell the format of %q: the name does not end in .csv, .ndjson, .jsonl, .json or .xlsx", fileName)
}

const contentTypeNames = "text/csv, application/x-ndjson, application/json, application/cloudevents-batch+json, application/cloudevents+json, application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

// isJSONType tells content types that are JSON: application/json and those
// that end in +json.
func isJSONType(contentType string) bool {
	name, _, err := mime.ParseMediaType(contentType)
	return err == nil && (name == "application/json" || name == "text/json" || strings.HasSuffix(name, "+json"))
}
