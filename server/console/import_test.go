package console_test

import (
	"bytes"
	"compress/gzip"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/xuri/excelize/v2"

	"licensekit/auth"
)

// usageFile has columns with names of their own, dates as people write them, a
// row that is wrong and one that is there twice.
const usageFile = "Usage ID;Customer;Date;Quantity;Remark\r\nu1;c1;31.01.2026;3;first\r\nu2;c1;01.02.2026;4;\r\nu3;c2;01.02.2026;many;\r\nu1;c1;31.01.2026;3;first\r\n"

func TestImport(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.signedIn(t, auth.ReportWrite, auth.ReportRead)
	b.open("/console/import")
	b.inspect("import")
	path := filepath.Join(t.TempDir(), "usage.csv")
	if err := os.WriteFile(path, []byte(usageFile), 0o600); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{path}))
	b.click("main form button.primary")
	b.shows("usage.csv", "Usage ID", "31.01.2026", "action has no column", "The same in every row")
	for field, column := range map[string]string{"id": "Usage ID", "customer_id": "Customer", "occurred_at": "Date", "amount": "Quantity"} {
		if n := b.count(`select[name="map"] option[selected][value="` + field + "=" + column + `"]`); n != 1 {
			t.Errorf("column %s is not read into %s, which it means", column, field)
		}
	}
	b.inspect("import-columns")
	b.fill("#set_action", "usage.consumed")
	b.fill("#date_format", "DD.MM.YYYY")
	b.click(".together button.primary")
	b.shows("Tried, nothing stored", "1 bad row", "amount", "many", "Import the good rows")
	b.inspect("import-tried")
	var list []struct{ ID string }
	s.api(t, "GET", "/api/v1/activities", "", nil, &list)
	if len(list) != 0 {
		t.Errorf("trying stored %d activities", len(list))
	}
	b.click(".together button.primary")
	b.shows("Imported", "2 rows", "Known already", "1 bad row", "Another file")
	s.api(t, "GET", "/api/v1/activities", "", nil, &list)
	if len(list) != 2 {
		t.Errorf("%d activities are stored, want 2", len(list))
	}
	var events []struct{ Metadata map[string]any }
	s.api(t, "GET", "/api/v1/events?event_type=activities.imported", "", nil, &events)
	if len(events) != 1 || events[0].Metadata["file_name"] != "usage.csv" || events[0].Metadata["rejected"] != 1.0 {
		t.Errorf("the audit trail has %v, want one import of usage.csv", events)
	}
	b.click(".together button.plain")
	b.until(`location.pathname === "/console/import"`, "a file that was removed leads to the next one")
}

// sendFile uploads a file as the form does.
func (v *visitor) sendFile(name, content string, fields ...string) (*http.Response, string) {
	v.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for i := 0; i+1 < len(fields); i += 2 {
		form.WriteField(fields[i], fields[i+1])
	}
	if part, err := form.CreateFormFile("file", name); err != nil {
		v.t.Fatal(err)
	} else if _, err := part.Write([]byte(content)); err != nil {
		v.t.Fatal(err)
	}
	form.Close()
	return v.sendBody("POST", "/console/import", &body, "Content-Type", form.FormDataContentType())
}

// Records go in like activities, packed or not, from every format.
func TestImportOfEveryFormat(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(t, auth.ReportWrite)
	secret := v.secret("/console/import")
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write([]byte("id\tname\nc2\tBravo\n"))
	z.Close()
	book := excelize.NewFile()
	book.SetSheetRow("Sheet1", "A1", &[]any{"ID", "Name"})
	book.SetSheetRow("Sheet1", "A2", &[]any{"c3", "Charlie"})
	sheet, err := book.WriteToBuffer()
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"a.csv": "Id,Name\nc1,Alpha\n", "b.csv.gz": packed.String(), "c.xlsx": sheet.String(),
		"d.ndjson": `{"id":"c4","name":"Delta"}`, `C:\files\e.json`: `[{"id":"c5","name":"Echo"}]`,
	} {
		resp, _ := v.sendFile(name, content, "form_token", secret, "object", "customers")
		guess, _ := v.send("GET", resp.Header.Get("Location"), nil)
		where := guess.Header.Get("Location")
		if resp.StatusCode != 303 || guess.StatusCode != 303 || !strings.Contains(where, "map=") {
			t.Fatalf("%s: status %d, then %d to %s; want a guess", name, resp.StatusCode, guess.StatusCode, where)
		}
		mapping, err := url.Parse(where)
		if err != nil {
			t.Fatal(err)
		}
		form := mapping.Query()
		form.Set("form_token", secret)
		form.Set("mode", "atomic")
		if resp, _ := v.send("POST", mapping.Path, form); resp.StatusCode != 303 {
			t.Errorf("%s: importing gives status %d, want 303", name, resp.StatusCode)
		}
		if _, page := v.send("GET", mapping.Path+"/result", nil); !containsAll(page, "Imported", "<strong>1</strong>") {
			t.Errorf("%s: the result does not say that one row went in:\n%s", name, page)
		}
	}
	var customers []struct{ ID, Name string }
	s.api(t, "GET", "/api/v1/records/customers", "", nil, &customers)
	if len(customers) != 5 || customers[4].Name != "Echo" {
		t.Errorf("stored: %v, want five customers", customers)
	}
}

// What is wrong with a file, or with how it was sent, is said in place.
func TestImportRefuses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v, other := s.visitor(t, auth.ReportWrite), s.visitor(t, auth.ReportWrite)
	secret := v.secret("/console/import")
	for what, test := range map[string]struct {
		name, content, secret string
		status                int
		says                  string
	}{
		"another secret":   {"a.csv", "id\n", "AAAA", 403, "not of this session"},
		"no secret":        {"a.csv", "id\n", "", 403, "not of this session"},
		"another format":   {"a.docx", "x", secret, 415, "is not read"},
		"a file that ends": {"a.csv", "", secret, 303, ""},
	} {
		resp, page := v.sendFile(test.name, test.content, "form_token", test.secret)
		if resp.StatusCode != test.status || !strings.Contains(page, test.says) {
			t.Errorf("%s gives status %d, want %d and %q", what, resp.StatusCode, test.status, test.says)
		}
	}
	if resp, page := v.sendBody("POST", "/console/import", strings.NewReader("--b\r\nContent-Disposition: form-data; name=\"form_token\"\r\n\r\n"+secret+"\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\nid,na"), "Content-Type", "multipart/form-data; boundary=b"); resp.StatusCode != 400 || !strings.Contains(page, "did not arrive whole") {
		t.Errorf("a file that is cut off gives status %d, want 400", resp.StatusCode)
	}
	resp, _ := v.sendFile("a.csv", "id,color\ne1,red\n", "form_token", secret)
	path := resp.Header.Get("Location")
	if resp, page := v.send("GET", path+"?map=id%3Did", nil); resp.StatusCode != 200 || !containsAll(page, "has no column", "Choose the column") {
		t.Errorf("a file without a required column gives status %d and does not say so", resp.StatusCode)
	}
	if resp, _ := v.send("GET", path+"/result", nil); resp.StatusCode != 404 {
		t.Errorf("the result before there is one gives status %d, want 404", resp.StatusCode)
	}
	if resp, _ := v.send("POST", path, url.Values{"mode": {"batches"}}); resp.StatusCode != 403 {
		t.Errorf("importing without the form's secret gives status %d, want 403", resp.StatusCode)
	}
	v.send("POST", path, url.Values{"form_token": {secret}, "mode": {"batches"}, "map": {"id=id"}})
	if _, page := v.send("GET", path+"/result", nil); !containsAll(page, "Not imported", "has no column", "Change the columns", "can&#39;t be read") {
		t.Errorf("the result does not say what was refused:\n%s", page)
	}
	if resp, page := other.send("GET", path, nil); resp.StatusCode != 404 || !strings.Contains(page, "here no longer") {
		t.Errorf("somebody else's file gives status %d, want 404", resp.StatusCode)
	}
}

// Of many bad rows the page shows some, and the list has those that are named.
func TestBadRows(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(t, auth.ReportWrite)
	secret := v.secret("/console/import")
	resp, _ := v.sendFile("bad.csv", "id,occurred_at,action,amount\n"+strings.Repeat("e,2026-01-01T00:00:00Z,usage.consumed,\"a,\"\"b\"\n", 1200), "form_token", secret)
	path := resp.Header.Get("Location")
	v.send("POST", path, url.Values{"form_token": {secret}, "mode": {"dry_run"}})
	_, page := v.send("GET", path+"/result", nil)
	if !containsAll(page, "1,200 bad rows", "the first 1,000 of them") || strings.Count(page, "INVALID_TYPE") != 50 {
		t.Errorf("the page shows %d of 1,200 bad rows, want 50, and that the list has 1,000", strings.Count(page, "INVALID_TYPE"))
	}
	resp, list := v.send("GET", path+"/bad-rows.csv", nil)
	lines := strings.Split(strings.TrimSpace(list), "\r\n")
	if len(lines) != 1001 || lines[0] != "line,element,field,code,message" || !regexp.MustCompile(`^2,,amount,INVALID_TYPE,"`).MatchString(lines[1]) {
		t.Errorf("the list has %d lines, beginning with %q", len(lines), lines[:2])
	}
	if got := resp.Header.Get("Content-Disposition"); !strings.Contains(got, "bad.csv%20bad%20rows.csv") {
		t.Errorf("Content-Disposition %q", got)
	}
}
