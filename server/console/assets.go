package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
	"time"
)

//go:embed assets/*
var assetFiles embed.FS

// asset is an embedded file, named after its content where pages link to it, so
// that browsers may keep it.
type asset struct {
	content []byte
	version string
}

var assets = func() map[string]asset {
	files, err := assetFiles.ReadDir("assets")
	if err != nil {
		panic(err) // they are embedded
	}
	all := map[string]asset{}
	for _, f := range files {
		content, err := assetFiles.ReadFile(path.Join("assets", f.Name()))
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(content)
		all[f.Name()] = asset{content, hex.EncodeToString(sum[:6])}
	}
	return all
}()

// assetTypes are what is embedded; the machine's own table may say otherwise.
var assetTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

// assetPath is where a page finds an embedded file.
func assetPath(name string) string { return "/console/assets/" + name + "?v=" + assets[name].version }

// serveAsset sends an embedded file. It is nobody's secret.
func serveAsset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	found, ok := assets[name]
	secure(w.Header())
	if !ok {
		http.Error(w, "there is no such file", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", assetTypes[path.Ext(name)])
	w.Header().Set("Cache-Control", "no-cache")
	if r.URL.RawQuery == "v="+found.version {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	w.Header().Set("ETag", `"`+found.version+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(found.content))
}
