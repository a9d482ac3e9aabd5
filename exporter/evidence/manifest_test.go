package evidence

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"licensekit/exporter/report"
)

func TestManifestEncoding(t *testing.T) {
	f := freeze(t, testKey(t, ForExport, "a"), "rptx_1", "csv", 3)
	from := report.Instant(1767225600000)
	f.manifest.Filters.From = &from
	f.seal(t, testKey(t, ForExport, "a"))
	m := f.envelope.Manifest
	want := `{"_type":"https://in-toto.io/Statement/v1","predicate":{"artifact_size":` + fmt.Sprint(len(f.artifact)) +
		`,"as_of":4711,"content_type":"text/csv","data_size":` + fmt.Sprint(len(f.data)) +
		`,"export_id":"rptx_1","filters":{"from":"2026-01-01T00:00:00.000Z","group_by":["product_id","feature_code"]},"format":"csv","frozen_at":"2026-01-01T00:00:00.123Z",` +
		`"instance":"Example & Söhne <billing>","key_id":"` + f.envelope.KeyID + `","log_index":1,"log_origin":"` + testOrigin + `","report_kind":"usage-summary","row_count":3,"version":"1.0.0"},` +
		`"predicateType":"urn:licensekit:report-export:1","subject":[{"digest":{"sha256":"` + tallyOf(f.artifact).File().Digest.Hex() + `"},"name":"artifact.csv"},` +
		`{"digest":{"sha256":"` + tallyOf(f.data).File().Digest.Hex() + `"},"name":"data.json"}]}`
	if string(m) != want {
		t.Errorf("got manifest\n%s\nwant\n%s", m, want)
	}
	got, err := ParseManifest(m)
	f.manifest.KeyID = f.envelope.KeyID
	if err != nil || !reflect.DeepEqual(*got, f.manifest) {
		t.Errorf("parse: got %+v, %v; want %+v", got, err, f.manifest)
	}
}

func TestPredicateTypeIsURI(t *testing.T) {
	if _, err := url.ParseRequestURI(PredicateType); err != nil {
		t.Errorf("parse %s as a request URI: got %v, want no error", PredicateType, err)
	}
}

func TestMarshalRefuses(t *testing.T) {
	sound := freeze(t, testKey(t, ForExport, "a"), "rptx_1", "json", 1).manifest
	sound.KeyID = strings.Repeat("0", 64)
	if _, err := sound.Marshal(); err != nil {
		t.Fatalf("sound manifest: got %v, want no error", err)
	}
	for name, change := range map[string]func(*Manifest){
		"no id":            func(m *Manifest) { m.ExportID = "" },
		"id with a path":   func(m *Manifest) { m.ExportID = "../x" },
		"id as an option":  func(m *Manifest) { m.ExportID = "-rf" },
		"id with a quote":  func(m *Manifest) { m.ExportID = "a'b" },
		"kind":             func(m *Manifest) { m.Kind = "gossip" },
		"format":           func(m *Manifest) { m.Format = "CSV" },
		"no instance":      func(m *Manifest) { m.Instance = "" },
		"two-line name":    func(m *Manifest) { m.Instance = "a\nb" },
		"invalid UTF-8":    func(m *Manifest) { m.Instance = "\xff" },
		"key id":           func(m *Manifest) { m.KeyID = strings.Repeat("A", 64) },
		"negative as_of":   func(m *Manifest) { m.AsOf = -1 },
		"as_of of 2^53":    func(m *Manifest) { m.AsOf = 1 << 53 },
		"size of 2^53":     func(m *Manifest) { m.Artifact.Size = 1 << 53; m.Data.Size = 1 << 53 },
		"rows of 2^53+1":   func(m *Manifest) { m.RowCount = 1<<53 + 1 },
		"no time":          func(m *Manifest) { m.FrozenAt = report.Instant(report.Null) },
		"year 10000":       func(m *Manifest) { m.FrozenAt = 253402300800000 },
		"two forms":        func(m *Manifest) { m.Data.Size++ },
		"filter":           func(m *Manifest) { m.Filters.Bucket = "1y" },
		"no content type":  func(m *Manifest) { m.ContentType = "" },
		"log without name": func(m *Manifest) { m.Log = &LogPosition{Index: 1} },
		"log with a plus":  func(m *Manifest) { m.Log = &LogPosition{Origin: "a+b"} },
		"log with a space": func(m *Manifest) { m.Log = &LogPosition{Origin: "a b"} },
		"log index":        func(m *Manifest) { m.Log = &LogPosition{Origin: "a", Index: -1} },
		"no version":       func(m *Manifest) { m.Version = "" },
		"too long, in all": func(m *Manifest) { m.Filters.ProductID = strings.Repeat("a", MaxManifest) },
	} {
		m := sound
		change(&m)
		if text, err := m.Marshal(); err == nil {
			t.Errorf("%s: got %s, want an error", name, text)
		}
	}
}

// A manifest has one encoding. These say the same, or nearly, in another way.
func TestParseManifestRefuses(t *testing.T) {
	sound := string(freeze(t, testKey(t, ForExport, "a"), "rptx_1", "csv", 1).envelope.Manifest)
	for name, change := range map[string][2]string{
		"space":              {`{"_type"`, `{ "_type"`},
		"line end":           {`"data.json"}]}`, "\"data.json\"}]}\n"},
		"second value":       {`"data.json"}]}`, `"data.json"}]}{}`},
		"byte order mark":    {`{"_type"`, "\ufeff{\"_type\""},
		"escape":             {`"rptx_1"`, `"rptx\u005f1"`},
		"escaped slash":      {`text/csv`, `text\/csv`},
		"float":              {`"as_of":4711`, `"as_of":4711.0`},
		"exponent":           {`"as_of":4711`, `"as_of":4711e0`},
		"minus zero":         {`"as_of":4711`, `"as_of":-0`},
		"2^53":               {`"as_of":4711`, `"as_of":9007199254740992`},
		"2^53+1":             {`"as_of":4711`, `"as_of":9007199254740993`},
		"beyond int64":       {`"as_of":4711`, `"as_of":9223372036854775808`},
		"string for number":  {`"as_of":4711`, `"as_of":"4711"`},
		"null for number":    {`"as_of":4711`, `"as_of":null`},
		"duplicate":          {`"as_of":4711`, `"as_of":4711,"as_of":4711`},
		"duplicate, other":   {`"as_of":4711`, `"as_of":1,"as_of":4711`},
		"other case":         {`"as_of":4711`, `"As_of":4711`},
		"duplicate by case":  {`"as_of":4711`, `"AS_OF":1,"as_of":4711`},
		"unknown":            {`"as_of":4711`, `"as_of":4711,"bonus":1`},
		"missing":            {`"as_of":4711,`, ``},
		"order":              {`"format":"csv","frozen_at":"2026-01-01T00:00:00.123Z"`, `"frozen_at":"2026-01-01T00:00:00.123Z","format":"csv"`},
		"time zone":          {`00:00:00.123Z`, `00:00:00.123+00:00`},
		"microseconds":       {`00:00:00.123Z`, `00:00:00.123000Z`},
		"no filters":         {`"filters":{"group_by":["product_id","feature_code"]},`, ``},
		"null filters":       {`{"group_by":["product_id","feature_code"]}`, `null`},
		"default left out":   {`{"group_by":["product_id","feature_code"]}`, `{}`},
		"filters as text":    {`["product_id","feature_code"]`, `"product_id,feature_code"`},
		"unknown filter":     {`{"group_by"`, `{"color":"red","group_by"`},
		"other type":         {`/Statement/v1`, `/Statement/v0.1`},
		"other predicate":    {`report-export:1`, `report-export:2`},
		"other subject":      {`"name":"data.json"`, `"name":"data.txt"`},
		"other extension":    {`"name":"artifact.csv"`, `"name":"artifact.exe"`},
		"digest in capitals": {`"sha256":"`, `"sha256":"A`},
		"other digest":       {`"sha256"`, `"sha512"`},
		"two digests":        {`{"sha256":`, `{"md5":"00","sha256":`},
		"third subject":      {`"subject":[`, `"subject":[{"digest":{"sha256":"00"},"name":"x"},`},
		"array":              {`{"_type"`, `[{"_type"`},
	} {
		text := strings.Replace(sound, change[0], change[1], 1)
		if text == sound {
			t.Fatalf("%s: nothing was changed", name)
		}
		if m, err := ParseManifest([]byte(text)); err == nil {
			t.Errorf("%s: got %+v, want an error for %s", name, m, text)
		}
	}
	if m, err := ParseManifest(bytes.Repeat([]byte(" "), MaxManifest+1)); err == nil {
		t.Errorf("too long: got %+v, want an error", m)
	}
}

func TestEnvelope(t *testing.T) {
	key := testKey(t, ForExport, "a")
	e := freeze(t, key, "rptx_1", "csv", 1).envelope
	text, err := e.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseEnvelope(text)
	if err != nil || !reflect.DeepEqual(got, e) {
		t.Fatalf("parse: got %+v, %v; want %+v", got, err, e)
	}
	var open struct{ PayloadType string }
	if err := json.Unmarshal(text, &open); err != nil || open.PayloadType != "application/vnd.in-toto+json" {
		t.Errorf("got payloadType %q, %v; want that of in-toto", open.PayloadType, err)
	}
	if err := got.Check(key.Public); err != nil {
		t.Errorf("check: got %v, want no error", err)
	}
	for name, wrong := range map[string]PublicKey{
		"another key":       testKey(t, ForExport, "b").Public,
		"the key as logger": testKey(t, ForLog, "a").Public,
		"no key":            {},
	} {
		if err := got.Check(wrong); err == nil {
			t.Errorf("check with %s: got no error, want one", name)
		}
	}
	got.Signature[0] ^= 1
	if err := got.Check(key.Public); err == nil {
		t.Error("check an altered signature: got no error, want one")
	}
}

func TestParseEnvelopeRefuses(t *testing.T) {
	e := freeze(t, testKey(t, ForExport, "a"), "rptx_1", "csv", 1).envelope
	text, err := e.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	other := *e
	other.KeyID = strings.Repeat("0", 64)
	otherKey, err := other.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	short := *e
	short.Signature = e.Signature[:63]
	shortSig, err := short.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	sound := string(text)
	signature := sound[strings.Index(sound, `{"keyid"`) : len(sound)-2]
	for name, bad := range map[string]string{
		"space":          sound + " ",
		"unknown member": strings.Replace(sound, `{"payload"`, `{"extra":1,"payload"`, 1),
		"duplicate":      strings.Replace(sound, `"payloadType"`, `"payload":"","payloadType"`, 1),
		"other type":     strings.Replace(sound, "vnd.in-toto+json", "json", 1),
		"base64 newline": strings.Replace(sound, `"payload":"`, `"payload":"\n`, 1),
		"two signatures": strings.Replace(sound, signature, signature+","+signature, 1),
		"no signature":   strings.Replace(sound, signature, "", 1),
		"other key id":   string(otherKey),
		"short":          string(shortSig),
		"not JSON":       "hello",
		"too long":       sound + strings.Repeat(" ", MaxEnvelope),
	} {
		if got, err := ParseEnvelope([]byte(bad)); bad == sound || err == nil {
			t.Errorf("%s: got %+v, want an error", name, got)
		}
	}
}

// The vector that the DSSE protocol publishes.
func TestPreAuthenticationEncoding(t *testing.T) {
	want := "DSSEv1 29 http://example.com/HelloWorld 11 hello world"
	if got := pae("http://example.com/HelloWorld", []byte("hello world")); string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSealNeedsExportKey(t *testing.T) {
	m := freeze(t, testKey(t, ForExport, "a"), "rptx_1", "csv", 1).manifest
	if e, err := testKey(t, ForLog, "a").Seal(m); err == nil {
		t.Errorf("seal with a log key: got %+v, want an error", e)
	}
	m.RowCount = -1
	if e, err := testKey(t, ForExport, "a").Seal(m); err == nil {
		t.Errorf("seal nonsense: got %+v, want an error", e)
	}
}
