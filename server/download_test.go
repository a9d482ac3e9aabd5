package server

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"licensekit/auth"
)

// stocked gives a site with usage in it.
func stocked(t testing.TB, options ...option) *site {
	t.Helper()
	s := newSite(t, options...)
	rows := make([]string, 500)
	for i := range rows {
		rows[i] = fmt.Sprintf("a%d,2026-01-%02dT10:00:00Z,usage.consumed,c%d,f%d,%d", i, i%28+1, i%7, i%3, i)
	}
	s.ingest(t, rows...)
	return s
}

// fetch asks for an artifact with headers.
func (s *site) fetch(t testing.TB, x exportData, header map[string]string) answer {
	t.Helper()
	return s.do(t, call{method: "GET", path: x.DownloadURL, token: s.token(t, auth.ReportExport), header: header})
}

// What the headers say of an artifact is true of its bytes.
func TestDownloadHeaders(t *testing.T) {
	t.Parallel()
	s := stocked(t)
	for body, want := range map[string]struct{ name, media string }{
		jsonExport: {"usage-summary_all_%s.json", "application/json"},
		`{"report_kind":"usage-ledger","format":"csv","filters":{"from":"2026-01-01T00:00:00Z","to":"2026-02-01T00:00:00Z"}}`: {"usage-ledger_2026-01-01_2026-02-01_%s.csv", "text/csv"},
		`{"report_kind":"usage-ledger","filters":{"from":"2026-01-05T00:00:00Z"}}`:                                            {"usage-ledger_2026-01-05_now_%s.json", "application/json"},
		`{"report_kind":"usage-ledger","filters":{"to":"2026-01-05T00:00:00Z"}}`:                                              {"usage-ledger_begin_2026-01-05_%s.json", "application/json"},
	} {
		x := s.ready(t, body)
		a := s.fetch(t, x, nil)
		sum := sha256.Sum256(a.body)
		digest := fmt.Sprintf("sha256:%x", sum)
		a.saying(t, "ETag", strconv.Quote(digest)).
			saying(t, "Repr-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(sum[:])+":").
			saying(t, "Content-Type", want.media).
			saying(t, "Content-Length", fmt.Sprint(*x.SizeBytes)).
			saying(t, "Accept-Ranges", "bytes").
			saying(t, "Cache-Control", "private, no-transform, max-age=31536000, immutable")
		if x.ArtifactDigest != digest || int64(len(a.body)) != *x.SizeBytes {
			t.Errorf("metadata says %s and %d bytes, the body is %s and %d", x.ArtifactDigest, *x.SizeBytes, digest, len(a.body))
		}
		_, params, err := mime.ParseMediaType(a.header.Get("Content-Disposition"))
		if name := fmt.Sprintf(want.name, x.ID); err != nil || params["filename"] != name {
			t.Errorf("Content-Disposition %q names %q (%v), want %q", a.header.Get("Content-Disposition"), params["filename"], err, name)
		}
	}
}

func TestConditions(t *testing.T) {
	t.Parallel()
	s := stocked(t)
	x := s.ready(t, jsonExport)
	whole := s.fetch(t, x, nil)
	etag := whole.header.Get("ETag")
	for _, test := range []struct {
		name, value string
		status      int
	}{
		{"If-None-Match", etag, 304}, {"If-None-Match", `"other", ` + etag, 304}, {"If-None-Match", "*", 304}, {"If-None-Match", "W/" + etag, 304},
		{"If-None-Match", `"other"`, 200}, {"If-Match", etag, 200}, {"If-Match", "*", 200}, {"If-Match", `"other"`, 412},
	} {
		a := s.fetch(t, x, map[string]string{test.name: test.value})
		if a.status != test.status {
			t.Errorf("%s %s: %s; want status %d", test.name, test.value, a, test.status)
		}
		switch a.status {
		case 304:
			a.saying(t, "ETag", etag)
			if len(a.body) > 0 {
				t.Errorf("%s; want no body", a)
			}
		case 412:
			a.want(t, 412, "PRECONDITION_FAILED").saying(t, "ETag", "").saying(t, "Cache-Control", "no-store")
		}
	}
}

func TestRanges(t *testing.T) {
	t.Parallel()
	s := stocked(t)
	x := s.ready(t, jsonExport)
	whole := s.fetch(t, x, nil)
	n := len(whole.body)
	etag := whole.header.Get("ETag")
	for name, test := range map[string]struct {
		header     map[string]string
		start, end int // end < 0: all of it, with 200
	}{
		"first":             {map[string]string{"Range": "bytes=0-9"}, 0, 10},
		"middle":            {map[string]string{"Range": "bytes=10-19"}, 10, 20},
		"from":              {map[string]string{"Range": fmt.Sprintf("bytes=%d-", n-3)}, n - 3, n},
		"suffix":            {map[string]string{"Range": "bytes=-7"}, n - 7, n},
		"beyond the end":    {map[string]string{"Range": fmt.Sprintf("bytes=5-%d", n+100)}, 5, n},
		"suffix too long":   {map[string]string{"Range": fmt.Sprintf("bytes=-%d", n+100)}, 0, n},
		"If-Range matches":  {map[string]string{"Range": "bytes=0-9", "If-Range": etag}, 0, 10},
		"If-Range is other": {map[string]string{"Range": "bytes=0-9", "If-Range": `"other"`}, 0, -1},
		"If-Range is weak":  {map[string]string{"Range": "bytes=0-9", "If-Range": "W/" + etag}, 0, -1},
	} {
		a := s.fetch(t, x, test.header)
		status, want := 206, whole.body
		if test.end < 0 {
			status = 200
		} else {
			want = whole.body[test.start:test.end]
			a.saying(t, "Content-Range", fmt.Sprintf("bytes %d-%d/%d", test.start, test.end-1, n))
		}
		if a.status != status || !bytes.Equal(a.body, want) {
			t.Errorf("%s: %s; want status %d and %d bytes of the artifact", name, a, status, len(want))
		}
		// The digest is the whole artifact's, whatever the part (RFC 9530).
		a.saying(t, "Repr-Digest", whole.header.Get("Repr-Digest"))
	}
	long := fmt.Sprintf("bytes */%d", n)
	for given, want := range map[string]struct{ length, detail string }{
		fmt.Sprintf("bytes=%d-", n):          {long, "Content-Range says"},
		fmt.Sprintf("bytes=%d-%d", n+5, n+9): {long, "Content-Range says"},
		"bytes=x":                            {"", "bytes=0-99"}, "bytes=5-2": {"", "bytes=0-99"}, "lines=1-2": {"", "bytes=0-99"},
	} {
		s.fetch(t, x, map[string]string{"Range": given}).want(t, 416, "RANGE_NOT_SATISFIABLE").detail(t, want.detail).saying(t, "Content-Range", want.length).
			saying(t, "ETag", "").saying(t, "Repr-Digest", "").saying(t, "Content-Disposition", "").saying(t, "Cache-Control", "no-store")
	}
}

func TestSeveralRanges(t *testing.T) {
	t.Parallel()
	s := stocked(t)
	x := s.ready(t, jsonExport)
	whole := s.fetch(t, x, nil).body
	a := s.fetch(t, x, map[string]string{"Range": "bytes=0-4,10-14,-3"})
	media, params, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if a.status != 206 || err != nil || media != "multipart/byteranges" {
		t.Fatalf("%s, Content-Type %q (%v); want 206 multipart/byteranges", a, media, err)
	}
	parts := multipart.NewReader(bytes.NewReader(a.body), params["boundary"])
	for _, want := range [][]byte{whole[:5], whole[10:15], whole[len(whole)-3:]} {
		part, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(part)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("part %s = %q (%v), want %q", part.Header.Get("Content-Range"), got, err, want)
		}
	}
}

// An artifact and its bundle stay the same, byte for byte, whatever comes in.
func TestFrozenForEver(t *testing.T) {
	t.Parallel()
	s := stocked(t)
	x := s.ready(t, `{"report_kind":"usage-ledger","format":"csv"}`)
	read := func() [2][]byte {
		return [2][]byte{s.fetch(t, x, nil).body, s.get(t, exportsPath+"/"+x.ID+"/bundle").body}
	}
	before := read()
	for i := range 5 {
		s.ingest(t, fmt.Sprintf("late%d,2026-01-01T00:00:00Z,usage.consumed,c1,f1,1", i))
		s.post(t, auth.ReportWrite, "/api/v1/records/customers", "application/json", fmt.Sprintf(`[{"id":"c1","name":"name %d"}]`, i))
		newer := s.ready(t, `{"report_kind":"usage-ledger","format":"csv"}`)
		if newer.Digest == x.Digest {
			t.Errorf("a new export has the digest of the old one, want one that shows the late fact")
		}
		if after := read(); !bytes.Equal(after[0], before[0]) || !bytes.Equal(after[1], before[1]) {
			t.Fatalf("artifact or bundle changed after %d late facts", i+1)
		}
	}
}

// Equal data gives equal artifacts, whoever asks and whenever.
func TestEqualDataGivesEqualArtifacts(t *testing.T) {
	t.Parallel()
	s := stocked(t)
	first := s.ready(t, jsonExport)
	s.skew.Store(int64(1000 * 3600 * 1e9))
	second := s.ready(t, jsonExport)
	if first.ArtifactDigest != second.ArtifactDigest || first.ID == second.ID {
		t.Errorf("digests %s and %s of exports %s and %s; want one digest, two exports", first.ArtifactDigest, second.ArtifactDigest, first.ID, second.ID)
	}
}

func TestBundle(t *testing.T) {
	t.Parallel()
	s := stocked(t)
	for _, format := range []string{"json", "csv"} {
		x := s.ready(t, fmt.Sprintf(`{"report_kind":"usage-ledger","format":%q}`, format))
		path := exportsPath + "/" + x.ID + "/bundle"
		a := s.get(t, path).saying(t, "Content-Type", "application/zip")
		a.saying(t, "Content-Length", fmt.Sprint(len(a.body)))
		if _, params, _ := mime.ParseMediaType(a.header.Get("Content-Disposition")); params["filename"] != x.ID+".lkbundle.zip" {
			t.Errorf("file name %q, want %q", params["filename"], x.ID+".lkbundle.zip")
		}
		if again := s.get(t, path); !bytes.Equal(again.body, a.body) {
			t.Errorf("two bundles of %s differ", x.ID)
		}
		head := s.do(t, call{method: "HEAD", path: path, token: s.token(t, auth.ReportExport)}).saying(t, "Content-Length", fmt.Sprint(len(a.body)))
		if head.status != 200 {
			t.Errorf("%s; want status 200", head)
		}
		if got := inZip(t, a.body, "artifact."+format); !bytes.Equal(got, s.fetch(t, x, nil).body) {
			t.Errorf("the bundle's artifact has %d bytes that are not the download's", len(got))
		}
	}
	s.get(t, exportsPath+"/rptx_none/bundle").want(t, 404, "NOT_FOUND")
	s.get(t, exportsPath+"/rptx_none/download").want(t, 404, "NOT_FOUND")
	s.get(t, exportsPath+"/rptx_none").want(t, 404, "NOT_FOUND")
}

func inZip(t *testing.T, archive []byte, name string) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := z.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	content, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// sink is a connection that takes files as they are, as TCP does.
type sink struct {
	*httptest.ResponseRecorder
	files int // strides that came as a piece of a file
	bytes int64
}

func (w *sink) ReadFrom(r io.Reader) (int64, error) {
	if limited, ok := r.(*io.LimitedReader); ok {
		if _, ok := limited.R.(syscall.Conn); ok {
			w.files++
		}
	}
	n, err := io.Copy(io.Discard, r)
	w.bytes += n
	return n, err
}

// The kernel can send the file itself: what reaches the connection is a piece
// of a file, in strides, not bytes that went through the process.
func TestDownloadCanUseSendfile(t *testing.T) {
	t.Parallel()
	s := openSite(t)
	l, dial := InProcess()
	s.serve(t, l)
	owner := s.owned(dial)
	rows := make([]string, 6_000)
	for i := range rows {
		rows[i] = fmt.Sprintf("a%d,2026-01-01T10:00:00Z,usage.consumed,customer-%d,f,%d", i, i, i)
	}
	s.ingest(t, rows...)
	x := s.ready(t, `{"report_kind":"usage-ledger"}`)
	for header, want := range map[string]int64{"": *x.SizeBytes, "bytes=100-": *x.SizeBytes - 100, fmt.Sprintf("bytes=0-%d", stride): stride + 1} {
		w := &sink{ResponseRecorder: httptest.NewRecorder()}
		r := httptest.NewRequest("GET", x.DownloadURL, nil)
		r.Header.Set("Authorization", "Bearer "+s.token(t, auth.ReportExport))
		if header != "" {
			r.Header.Set("Range", header)
		}
		s.ServeHTTP(w, r)
		if strides := int((want + stride - 1) / stride); w.bytes != want || w.files != strides {
			t.Errorf("Range %q: %d bytes in %d pieces of a file, want %d in %d", header, w.bytes, w.files, want, strides)
		}
	}
	if a := owner.do(t, call{method: "GET", path: x.DownloadURL}); int64(len(a.body)) != *x.SizeBytes {
		t.Errorf("over a connection that takes no files: %d bytes, want %d", len(a.body), *x.SizeBytes)
	}
}

// A client that hangs up does the server no harm, and others none.
func TestClientThatHangsUp(t *testing.T) {
	t.Parallel()
	s := stocked(t)
	rows := make([]string, 10_000)
	for i := range rows {
		rows[i] = fmt.Sprintf("b%d,2026-01-01T10:00:00Z,usage.consumed,customer-%d,f,%d", i, i, i)
	}
	s.ingest(t, rows...)
	x := s.ready(t, `{"report_kind":"usage-ledger"}`)
	for _, path := range []string{"/download", "/bundle"} {
		r, err := http.NewRequest("GET", s.url+exportsPath+"/"+x.ID+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+s.token(t, auth.ReportExport))
		resp, err := s.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(io.Discard, resp.Body, 1000); err != nil {
			t.Error(err)
		}
		resp.Body.Close()
		logged := fmt.Sprintf(`"path":"%s/%s%s","status":200`, exportsPath, x.ID, path)
		eventually(t, "the cut-off request is logged", func() bool { return strings.Contains(string(logs.bytes()), logged) })
	}
	if a := s.fetch(t, x, nil); int64(len(a.body)) != *x.SizeBytes {
		t.Errorf("after clients hung up: %d bytes, want %d", len(a.body), *x.SizeBytes)
	}
}
