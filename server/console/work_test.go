package console_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"licensekit/auth"
	"licensekit/server"
	"licensekit/server/console"
)

// brake holds up what reads through it, after a first stretch, while it is on.
type brake struct {
	mu  sync.Mutex
	off chan struct{} // closed while the brake is off; guarded by mu
}

func (b *brake) hold() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.off = make(chan struct{})
}

func (b *brake) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.off:
	default:
		close(b.off)
	}
}

// braked is a body that is read through a brake.
type braked struct {
	io.ReadCloser
	brake *brake
	left  int // of the first stretch, in bytes
}

func (b *braked) Read(p []byte) (int, error) {
	if b.left <= 0 {
		b.brake.mu.Lock()
		off := b.brake.off
		b.brake.mu.Unlock()
		<-off
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= n
	return n, err
}

// brakedAPI is an API that reads records through a brake.
type brakedAPI struct {
	server.Local
	brake *brake
}

func (a brakedAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/api/v1/records/") {
		r.Body = &braked{r.Body, a.brake, 1 << 20}
	}
	a.Local.ServeHTTP(w, r)
}

// newBrakedSite is a site that reads uploads and imports through a brake.
func newBrakedSite(t *testing.T) (*site, *brake) {
	b := &brake{off: make(chan struct{})}
	b.release()
	s := newSite(t, func(o *server.Options) {
		o.Pages = func(api server.Local) *http.ServeMux {
			pages := console.New(brakedAPI{api, b}, console.Options{Version: "test", Now: time.Now, Log: o.Log})
			outer := http.NewServeMux()
			outer.Handle("/console/", pages)
			outer.HandleFunc("POST /console/import", func(w http.ResponseWriter, r *http.Request) {
				r.Body = &braked{r.Body, b, 1 << 20}
				pages.ServeHTTP(w, r)
			})
			return outer
		}
	})
	t.Cleanup(b.release)
	return s, b
}

// manyCustomers is a file of so many customers, of about a kilobyte each.
func manyCustomers(t *testing.T, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "customers.csv")
	text := &strings.Builder{}
	text.WriteString("id,name\n")
	for i := range n {
		fmt.Fprintf(text, "c%06d,%s\n", i, strings.Repeat("name ", 199))
	}
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Long uploads and imports show how far they are, and can be stopped.
func TestImportShowsProgress(t *testing.T) {
	t.Parallel()
	const rows = 24_000 // more than sockets hold
	s, brake := newBrakedSite(t)
	b := s.signedIn(t, auth.ReportWrite, auth.ReportRead)
	part := `document.querySelector("#going:not([hidden]) progress[value]")`
	b.open("/console/import")
	other := filepath.Join(t.TempDir(), "letter.docx")
	if err := os.WriteFile(other, []byte("no table"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{other}))
	b.press("main form button.primary")
	b.shows("This kind of file is not read")
	b.press(`input[value=customers]`)
	b.do(chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{manyCustomers(t, rows)}))

	brake.hold()
	b.press("main form button.primary")
	b.until(part+`?.value > 1e6`, "the upload shows how far it is")
	b.shows("Sending the file", "/ 24.1 MB", "Stop")
	b.inspect("import-sending")
	b.press("#going button")
	b.until(`document.querySelector("#going[hidden]") && !document.querySelector("[aria-disabled=true]")`, "the upload is stopped")
	brake.release()
	b.click("main form button.primary")
	b.shows("customers.csv", "24", "c000001")

	brake.hold()
	b.press(".together button.primary")
	b.until(part+`?.value >= 1e6`, "the trial shows how far it is")
	b.shows("Reading the file", "/ 24.1 MB")
	b.inspect("import-reading")
	b.press("#going button")
	b.shows("Stopping")
	brake.release()
	b.shows("The import was stopped", "Not imported")

	b.open(strings.TrimSuffix(b.path(), "/result"))
	b.click(".together button.primary")
	b.shows("Tried, nothing stored", "24,000")
	brake.hold()
	b.press(".together button.primary")
	b.until(part+`?.value >= 1e6`, "the import shows how far it is")
	b.press("#going button")
	b.shows("Stopping")
	brake.release()
	b.shows("The import was stopped", "Ended early")
}

// Without the script a form does the same, and nothing can be stopped that does
// not run.
func TestStopOfNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(t, auth.ReportWrite)
	secret := v.secret("/console/import")
	resp, _ := v.sendFile("a.csv", "id,name\nc1,Alpha\n", "form_token", secret, "object", "customers")
	path := resp.Header.Get("Location")
	if resp, text := v.send("GET", path+"/work", nil); resp.StatusCode != 200 || strings.TrimSpace(text) != `{"running":false,"read":0,"size":17}` {
		t.Errorf("the work is %d %s, want none", resp.StatusCode, text)
	}
	if resp, _ := v.send("POST", path+"/stop", map[string][]string{"form_token": {secret}}); resp.StatusCode != 404 {
		t.Errorf("stopping nothing gives status %d, want 404", resp.StatusCode)
	}
	if resp, _ := v.send("POST", path+"/stop", nil); resp.StatusCode != 403 {
		t.Errorf("stopping without the form's secret gives status %d, want 403", resp.StatusCode)
	}
}
