package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/text/language"

	"licensekit/exporter/evidence"
	"licensekit/exporter/report"
)

// The verify page is one file that works from a disk, without a network: the
// checks of package evidence, for a browser. It is put together here, from parts
// and from what they need to know of reports, so that none of it is written
// twice.
//
//go:embed verifier/*
var verifierFiles embed.FS

// verifierCore are the checks, in the order in which they build on each other.
// They run in a worker, so that the page does not freeze.
var verifierCore = []string{"bytes", "sha", "ed25519", "keys", "log", "source", "report", "csv", "bundle", "verify"}

// verifierPage gives the page.
var verifierPage = sync.OnceValues(func() ([]byte, error) {
	core, err := coreScript()
	if err != nil {
		return nil, err
	}
	own, err := verifierFiles.ReadFile("verifier/page.js")
	if err != nil {
		return nil, err
	}
	style, err := verifierFiles.ReadFile("verifier/page.css")
	if err != nil {
		return nil, err
	}
	words, err := verifierWords()
	if err != nil {
		return nil, err
	}
	german, err := json.Marshal(words)
	if err != nil {
		return nil, err
	}
	script := "const german = " + string(german) + ";\n" + string(own)
	page, err := template.ParseFS(verifierFiles, "verifier/page.html")
	if err != nil {
		return nil, err
	}
	policy := fmt.Sprintf("default-src 'none'; script-src %s %s; worker-src blob:; style-src %s; img-src data:; base-uri 'none'; form-action 'none'",
		hashOf(core), hashOf(script), hashOf(string(style)))
	var b bytes.Buffer
	err = page.Execute(&b, map[string]any{
		"Policy": policy, "Core": template.HTML("<script id=\"core\">" + core + "</script>"),
		"Script": template.HTML("<script>" + script + "</script>"), "Style": template.HTML("<style>" + string(style) + "</style>"),
	})
	return b.Bytes(), err
})

// hashOf is a script or style as a policy names it.
func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// coreScript joins the checks into one script that leaves a single name behind.
func coreScript() (string, error) {
	schema, err := verifierSchema()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("const licensekit = (() => {\n\"use strict\";\nconst schema = " + schema + ";\n")
	for _, name := range verifierCore {
		part, err := verifierFiles.ReadFile("verifier/" + name + ".js")
		if err != nil {
			return "", err
		}
		b.Write(part)
	}
	b.WriteString("return { verify, readTrust, keyID, ed25519, verifyHere, sha256, sha512, hex, unhex };\n})();\n")
	return b.String(), nil
}

// The schema is what the checks must know of reports and bundles. A column with
// groups stands for those of group_by, one with bucket is there with bucket.
type (
	schemaColumn struct {
		Name   string      `json:"name,omitempty"`
		Type   report.Type `json:"type,omitempty"`
		Sum    bool        `json:"sum,omitempty"`
		Groups bool        `json:"groups,omitempty"`
		Bucket bool        `json:"bucket,omitempty"`
	}
	schemaSection struct {
		Name    string         `json:"name"`
		Columns []schemaColumn `json:"columns"`
	}
	schemaKind struct {
		Filters  []string        `json:"filters"`
		Grouped  bool            `json:"grouped"` // it has group_by
		Usage    bool            `json:"usage"`   // its action is one of usage
		Sections []schemaSection `json:"sections"`
	}
)

func verifierSchema() (string, error) {
	kinds := map[report.Kind]schemaKind{}
	for _, name := range report.KindNames() {
		kind := report.Kind(name)
		filters := report.FilterNames(kind)
		kinds[kind] = schemaKind{
			Filters: filters, Grouped: slices.Contains(filters, "group_by"), Usage: kind == report.UsageLedger, Sections: schemaSections(kind),
		}
	}
	readme := map[string]string{}
	for form, logged := range map[string]bool{"alone": false, "logged": true} {
		text, err := evidence.ReadmeForm(logged)
		if err != nil {
			return "", err
		}
		readme[form] = text
	}
	text, err := json.Marshal(map[string]any{"name": report.SchemaName, "kinds": kinds, "groupings": report.Groupings(), "readme": readme})
	return string(text), err
}

// schemaSections finds out where groups and buckets stand, by asking for one of
// each that stands nowhere else.
func schemaSections(kind report.Kind) (sections []schemaSection) {
	const group, bucket = "result_class", "bucket_start"
	filters := report.Filters{}
	if names := report.FilterNames(kind); slices.Contains(names, "group_by") {
		filters.GroupBy = []string{group}
	}
	if slices.Contains(report.FilterNames(kind), "bucket") {
		filters.Bucket = "1d"
	}
	for _, s := range report.Sections(kind, filters) {
		section := schemaSection{Name: s.Name}
		for _, c := range s.Columns {
			column := schemaColumn{Name: c.Name, Type: c.Type, Sum: c.Sum}
			switch {
			case c.Name == group && filters.GroupBy != nil:
				column = schemaColumn{Groups: true}
			case c.Name == bucket && filters.Bucket != "":
				column.Bucket = true
			}
			section.Columns = append(section.Columns, column)
		}
		sections = append(sections, section)
	}
	return sections
}

// verifierWords are the German words of the page.
func verifierWords() (map[string]string, error) {
	texts, err := verifierTexts()
	if err != nil {
		return nil, err
	}
	german, words := messagesOf(language.German), map[string]string{}
	for _, text := range texts {
		words[text] = german[text]["other"]
	}
	return words, nil
}

// verifierTexts are the messages of the page: in its text those of elements that
// are marked, in its script those that are asked for by name.
func verifierTexts() (texts []string, err error) {
	for file, pattern := range map[string]string{"page.html": ` data-t>([^<]+)<`, "page.js": `\bt\("((?:[^"\\]|\\.)+)"`} {
		text, err := verifierFiles.ReadFile("verifier/" + file)
		if err != nil {
			return nil, err
		}
		for _, found := range regexp.MustCompile(pattern).FindAllSubmatch(text, -1) {
			texts = append(texts, string(found[1]))
		}
	}
	return texts, nil
}

// serveVerifier sends the verify page, to look at or to keep.
func serveVerifier(w http.ResponseWriter, r *http.Request) {
	page, err := verifierPage()
	if err != nil {
		panic(err) // its parts are embedded
	}
	h := w.Header()
	secure(h)
	h.Set("Content-Security-Policy", "frame-ancestors 'none'") // the rest is in the page, which goes without this header elsewhere
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(page)))
	if r.URL.Query().Has("download") {
		h.Set("Content-Disposition", `attachment; filename="licensekit-verify.html"`)
	}
	w.Write(page) // the client is gone if this fails, and the log has the status
}
