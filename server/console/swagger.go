package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/swaggest/swgui/v5/static"
)

const apiPath = "/console/api"

// showAPI shows the description of the API in Swagger UI (Apache-2.0), of which
// the module vendors what its makers distribute. The page that loads it is ours:
// theirs has a script in it, which the policy forbids.
func (c *Console) showAPI(v *visit) error {
	return v.show(http.StatusOK, "api", nil)
}

// swaggerFiles are those of Swagger UI that the page loads, as they are packed.
var swaggerFiles = map[string]string{
	"swagger-ui.css":       "text/css; charset=utf-8",
	"swagger-ui-bundle.js": "text/javascript; charset=utf-8",
}

// serveSwagger sends a file of Swagger UI.
func serveSwagger(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	name := r.PathValue("name")
	media, ok := swaggerFiles[name]
	if !ok {
		http.Error(w, "there is no such file", http.StatusNotFound)
		return
	}
	packed, err := static.FS.ReadFile(name + ".gz")
	if err != nil {
		panic(err) // it is embedded
	}
	h := w.Header()
	sum := sha256.Sum256(packed)
	version := hex.EncodeToString(sum[:6])
	h.Set("Content-Type", media)
	h.Set("Cache-Control", "no-cache")
	h.Set("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		h.Set("ETag", `"`+version+`-gzip"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(packed))
		return
	}
	plain, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		panic(err)
	}
	text, err := io.ReadAll(plain)
	if err != nil {
		panic(err)
	}
	h.Set("ETag", `"`+version+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(text))
}
