package command

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A check that takes longer tells on stderr how far it has come, and a script
// reads one value on stdout.
func TestCheckThatTakesLonger(t *testing.T) {
	t.Setenv("LICENSEKIT_TOKEN", "any")
	const result = `{"ok":true,"checked":{"blobs":2,"blob_bytes":70,"exports":1,"log_entries":1},"problems":[],"warnings":[]}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(`{"stage":"blobs","checked":{"blobs":0,"blob_bytes":0,"exports":0,"log_entries":0}}` + "\n"))
		http.NewResponseController(w).Flush()
		time.Sleep(every + 100*time.Millisecond) // for the next line to be due
		w.Write([]byte(`{"stage":"log","checked":{"blobs":2,"blob_bytes":70,"exports":0,"log_entries":0}}` + "\n" + result + "\n"))
	}))
	defer server.Close()
	var stdout, stderr strings.Builder
	code := Run(t.Context(), Env{Stdout: &stdout, Stderr: &stderr}, []string{"licensekit", "check", "--json", "--url", server.URL})
	if want := result + "\n"; code != 0 || stdout.String() != want {
		t.Errorf("exit code %d, stdout %q; want 0, %q", code, stdout.String(), want)
	}
	if got, want := stderr.String(), `{"progress":{"what":"checking log","done":70,"unit":"bytes"}}`+"\n"; got != want {
		t.Errorf("stderr %q, want %q", got, want)
	}
}
